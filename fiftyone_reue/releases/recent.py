"""What was loaded last, as much as fits: the next suspect may ask for it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Calls a function, and keeps what it returned last. Usable from threads.

    Args:
        load: gives what a key stands for; what it raises isn't kept.
        size: bytes that such a thing takes.
        most_bytes: kept together; what is larger alone isn't kept.
        most: things that are kept.
    """

    def __init__(
        self,
        load: Callable[[K], V],
        size: Callable[[V], int],
        most_bytes: int,
        most: int,
    ) -> None:
        self._load = load
        self._size = size
        self._most_bytes = most_bytes
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, key: K) -> V:
        """What a key stands for."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self._load(key)
        size = self._size(found)
        with self._lock:
            if size <= self._most_bytes and key not in self._kept:
                self._kept[key] = found
                self._bytes += size
                while self._bytes > self._most_bytes or len(self._kept) > self._most:
                    _, oldest = self._kept.popitem(last=False)
                    self._bytes -= self._size(oldest)
        return found
