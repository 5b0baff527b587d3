"""Originals' features on disk, so that tracing begins at once next time.

Two files in a folder: ``features.rows`` holds descriptors of 128 bytes one after the
other, ``features.list`` a line an original, its id and how many rows are its own, in
order. Both are only ever added to. They can be made again from the originals, and are
trusted no further than that: what they suggest is proven on the original itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np

ROWS, LIST, LOCK = "features.rows", "features.list", "features.lock"

Alone = Callable[[Path], AbstractContextManager[object]]

WIDTH = 128

_SCALE = 512
"""Descriptors of length 1 have few parts above a half."""


class FeatureStore:
    """Descriptors of originals in a folder.

    Args:
        folder: where; made with mode 0700 if it isn't there.
        alone: given a file's path, keeps other processes from writing for as long.

    Raises:
        OSError: it can't be made or read.
    """

    def __init__(self, folder: Path, alone: Alone = nullcontext) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._rows, self._list = folder / ROWS, folder / LIST
        self._folder, self._alone = folder, alone
        self.image_ids: list[str] = []
        self._counts: list[int] = []
        self._known: set[str] = set()
        self._sizes = (0, 0)
        self._read()

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._known

    def _read(self) -> None:
        """What is whole: a kill may have come between the two files."""
        self.image_ids, self._counts = [], []
        sizes = self._sizes_there()
        size = sizes[0]
        there = listed = 0
        if self._list.exists():
            for line in self._list.read_text("utf-8").splitlines(keepends=True):
                image_id, _, count = line.strip().partition(" ")
                if not line.endswith("\n") or not count.isdigit():
                    break
                if (there + int(count)) * WIDTH > size:
                    break
                there += int(count)
                listed += len(line.encode())
                self.image_ids.append(image_id)
                self._counts.append(int(count))
        self._known = set(self.image_ids)
        self._sizes = there * WIDTH, listed

    def _sizes_there(self) -> tuple[int, int]:
        """Bytes of both files, of what isn't whole as well."""
        files = (self._rows, self._list)
        first, second = (one.stat().st_size if one.exists() else 0 for one in files)
        return first, second

    @property
    def rows(self) -> np.ndarray:
        """``(n, 128)`` uint8, mapped: what is looked at is read."""
        count = sum(self._counts)
        if not count:
            return np.zeros((0, WIDTH), np.uint8)
        return np.memmap(self._rows, np.uint8, "r", shape=(count, WIDTH))

    @property
    def owners(self) -> np.ndarray:
        """``(n,)`` int64: the place in ``image_ids`` that each row belongs to."""
        return np.repeat(np.arange(len(self._counts)), self._counts)

    def add(self, found: Sequence[tuple[str, np.ndarray]]) -> None:
        """Add originals' descriptors.

        Args:
            found: each one's id, and ``(n, 128)`` float32 descriptors of length 1.

        Raises:
            OSError: they can't be written.
        """
        with self._alone(self._folder / LOCK):
            if self._sizes_there() != self._sizes:
                self._read()  # another process has added some meanwhile
            self._append([one for one in found if one[0] not in self])

    def _append(self, found: Sequence[tuple[str, np.ndarray]]) -> None:
        rows, listed = self._sizes
        added = b"".join(packed(descriptors).tobytes() for _, descriptors in found)
        lines = "".join(f"{one} {len(own)}\n" for one, own in found).encode()
        with _private(self._rows) as file:
            file.truncate(rows)
            file.seek(rows)
            file.write(added)
            file.flush()
            os.fsync(file.fileno())
        with _private(self._list) as file:
            file.truncate(listed)
            file.seek(listed)
            file.write(lines)
        self._sizes = rows + len(added), listed + len(lines)
        self.image_ids += [one for one, _ in found]
        self._counts += [len(own) for _, own in found]
        self._known.update(one for one, _ in found)


def packed(descriptors: np.ndarray) -> np.ndarray:
    """``(n, 128)`` float32 of length 1 as uint8."""
    return np.rint(descriptors * _SCALE).clip(0, 255).astype(np.uint8)


def unpacked(rows: np.ndarray) -> np.ndarray:
    """The descriptors of ``(n, 128)`` uint8 rows, about; float32 of length 1."""
    values = rows.astype(np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.maximum(lengths, 1)


def _private(path: Path) -> BinaryIO:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    return os.fdopen(handle, "r+b")
