"""Writing a job's results below its output folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fiftyone_reue import contained
from fiftyone_reue.media.files import (
    make_folder,
    remove_stale_temporaries,
    write_places,
)

_USUAL = 0o666, 0o777
_PRIVATE = 0o600, 0o700


def prepare(output: Path, *, private: bool = False) -> None:
    """Make the output folder, and clear what a killed run left half-written.

    Args:
        output: the folder.
        private: if it is made, for its owner only.

    Raises:
        OutputError: the folder can't be made.
    """
    make_folder(output, _modes(private)[1])
    remove_stale_temporaries(output)


def write_below(
    output: Path, files: Sequence[tuple[str, bytes]], *, private: bool = False
) -> None:
    """Write files whole or not at all, making their folders. No link is followed.

    Args:
        output: the folder; made if it isn't there.
        files: relative paths and contents.
        private: make files and folders that only their owner may read.

    Raises:
        UnsafePathError: a path leads out of the folder, or through a link.
        OutputError: disk full, no permission, a file where a folder should be.
    """
    file_mode, folder_mode = _modes(private)
    make_folder(output, folder_mode)  # somebody may have deleted it meanwhile
    names = [name for name, _ in files]
    with contained.opened(output, names, make=folder_mode) as places:
        pairs = zip(places, files, strict=True)
        write_places([(place, data) for place, (_, data) in pairs], file_mode)


def _modes(private: bool) -> tuple[int, int]:
    return _PRIVATE if private else _USUAL
