"""Names beside a file or folder to be, under which it is written until it is whole.

Whoever writes there holds a lock on it, which ends with the process, however that ends.
So the next one who writes the same can tell what a kill left from what somebody is at,
and takes that away.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from fiftyone_reue.names.filenames import shortened
from fiftyone_reue.stores.objects import TEMPORARY_SUFFIX

_DIGITS = 8
_LONGEST = 200
"""Bytes of the name that are taken over; with the rest it is a name everywhere."""


def beside(path: Path) -> Path:
    """A new name in the folder of a file or folder to be.

    Args:
        path: what is to be.
    """
    token = secrets.token_hex(_DIGITS // 2)
    return path.with_name(f"{_begin(path)}{token}{TEMPORARY_SUFFIX}")


@contextlib.contextmanager
def held(temporary: Path) -> Iterator[None]:
    """Say to everybody that this file or folder is being written.

    Where no lock is to be had, as on Windows, nobody takes anything away.

    Args:
        temporary: which; it is there.
    """
    lock = _locks()
    if lock is None:
        yield
        return
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have none
            lock.flock(descriptor, lock.LOCK_EX | lock.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove_left_of(path: Path) -> int:
    """Remove what killed runs left of a file or folder to be.

    Args:
        path: what is to be.

    Returns:
        How many files or folders were removed. What can't be removed is left.
    """
    lock = _locks()
    if lock is None:
        return 0
    pattern = re.compile(
        f"{re.escape(_begin(path))}[0-9a-f]{{{_DIGITS}}}{re.escape(TEMPORARY_SUFFIX)}"
    )
    try:
        names = os.listdir(path.parent)
    except OSError:
        return 0  # whoever writes there says so
    left = [path.with_name(name) for name in names if pattern.fullmatch(name)]
    return sum(_removed(one, lock) for one in left)


def _begin(path: Path) -> str:
    return f".{shortened(path.name, _LONGEST)}."


def _removed(left: Path, lock: ModuleType) -> bool:
    try:
        descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        lock.flock(descriptor, lock.LOCK_EX | lock.LOCK_NB)
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
    except OSError:
        return False  # somebody is at it
    finally:
        os.close(descriptor)
    return True


def _locks() -> ModuleType | None:
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl
