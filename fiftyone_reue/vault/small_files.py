"""Reading the small files that hold keys."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fiftyone_reue.errors import InputError

_LARGEST = 64 * 1024
# What a shell's <(command) names is a pipe with a writer; another may never have one.
_OF_SHELLS = Path("/dev/fd")


def read_small(path: Path, kind: str = "key file") -> bytes:
    """The bytes of a small file.

    Args:
        path: the file
        kind: what it should be, for errors

    Raises:
        InputError: if it isn't there, can't be read, or has more than 64 KiB
    """
    one = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    try:
        if stat.S_ISFIFO(path.stat().st_mode) and path.parent != _OF_SHELLS:
            raise InputError(f"{path} isn't {one}; it is a named pipe")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise InputError(f"There is no {kind} {path}; check the path") from None
    except OSError as error:
        raise InputError(
            f"{path} can't be read: {error.strerror}; check the path and permissions"
        ) from error
    if len(data) > _LARGEST:
        raise InputError(f"{path} isn't {one}; it is too large")
    return data


def others_can_read(path: Path) -> bool:
    """Whether others than its owner may read or change a file, where that is known."""
    return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
