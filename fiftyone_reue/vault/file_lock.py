"""A lock between processes and threads, by a file that stays where it is."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fiftyone_reue.errors import OutputError

WAIT_SECONDS = 10.0
_NAP = 0.01
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK, errno.EINTR)

if sys.platform == "win32":
    import msvcrt

    def _try(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def file_lock(path: Path, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Keep all others with the same lock out; a killed process gives it back.

    The file is made with mode 0600 and stays: if it were removed, two could hold locks
    of two files of one name.

    Args:
        path: of the file, in a folder that is there.
        seconds: how long to wait.

    Raises:
        OutputError: the file can't be made, or another process keeps the lock.
    """
    try:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise OutputError(
            f"{path} can't be written: {error.strerror}; check that its folder "
            "exists and the permissions"
        ) from error
    try:
        _wait(descriptor, path, time.monotonic() + seconds)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _wait(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            _try(descriptor)
            return
        except OSError as error:
            if error.errno not in _TAKEN or time.monotonic() > deadline:
                raise OutputError(
                    f"{path} can't be locked: {error.strerror}; wait until the other "
                    "process that uses it is done, or keep it on another disk"
                ) from error
        time.sleep(_NAP)
