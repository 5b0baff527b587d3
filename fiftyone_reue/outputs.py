"""Writing a job's results below its output folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fiftyone_reue.media.files import (
    make_folder,
    remove_stale_temporaries,
    write_batch,
)


def prepare(output: Path) -> None:
    """Make the output folder, and clear what a killed run left half-written.

    Raises:
        OutputError: the folder can't be made.
    """
    make_folder(output)
    remove_stale_temporaries(output)


def write_below(output: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """Write files whole or not at all, making their folders.

    Args:
        output: an existing folder.
        files: relative paths and contents.

    Raises:
        OutputError: disk full, no permission, a file where a folder should be.
    """
    for folder in {(output / name).parent for name, _ in files}:
        make_folder(folder)
    write_batch([(output / name, data) for name, data in files])
