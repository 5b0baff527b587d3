"""Writing a job's results below its output folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fiftyone_reue.errors import OutputError
from fiftyone_reue.media.files import (
    is_refused_name,
    make_folder,
    remove_stale_temporaries,
    write_each,
)


def prepare(output: Path) -> None:
    """Make the output folder, and clear what a killed run left half-written.

    Raises:
        OutputError: the folder can't be made.
    """
    make_folder(output)
    remove_stale_temporaries(output)


def write_below(output: Path, files: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Write files whole or not at all, making their folders.

    Args:
        output: an existing folder.
        files: relative paths and contents.

    Returns:
        Why they couldn't be written, of files whose very name the file system refuses,
        too long or a folder's; the others are there.

    Raises:
        OutputError: disk full, no permission, a file where a folder should be.
    """
    refused: dict[Path, str] = {}
    for folder in {(output / name).parent for name, _ in files}:
        try:
            make_folder(folder)
        except OutputError as error:
            if not is_refused_name(error):
                raise
            refused[folder] = str(error)
    writable = [
        (output / name, data)
        for name, data in files
        if (output / name).parent not in refused
    ]
    refused |= write_each(writable)
    reasons = {}
    for name, _ in files:
        path = output / name
        reason = refused.get(path) or refused.get(path.parent)
        if reason is not None:
            reasons[name] = reason
    return reasons
