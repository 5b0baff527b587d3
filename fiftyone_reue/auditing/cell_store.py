"""Cells that were measured already, so that an interrupted audit goes on."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from fiftyone_reue.auditing.results import Cell, cell_from_dict
from fiftyone_reue.errors import OutputError

# A link that somebody put there would lead to another file.
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


def cell_key(**parts: object) -> str:
    """A name for a cell that differs whenever anything that decides it differs."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class CellStore:
    """One JSON line a cell, in a file that is only ever appended to.

    A line that a crash left unfinished is ignored, and its cell measured again.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            OutputError: it can't be read.
        """
        self._path = path
        self._cells: dict[str, Cell] = {}
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise OutputError(
                f"{path}: what was measured before can't be read; remove the file or "
                "choose another folder"
            ) from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self._cells[entry["key"]] = cell_from_dict(entry["cell"])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue

    def get(self, key: str) -> Cell | None:
        """The cell of that key."""
        return self._cells.get(key)

    def put(self, key: str, cell: Cell) -> None:
        """Keep a cell; it is on the disk when this returns.

        Raises:
            OutputError: it can't be written.
        """
        self._cells[key] = cell
        line = json.dumps({"key": key, "cell": asdict(cell)})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The leading line break ends a line that a crash left unfinished.
            descriptor = os.open(self._path, _APPEND, 0o666)
            with open(descriptor, "a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self._path}: can't be written ({error.strerror}); make room or "
                "choose another folder"
            ) from error
