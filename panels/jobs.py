"""Work that outlasts one event of a panel, and how far it is.

The App shows nothing while an event runs, so the panel asks every second. What is
known here is only this process's, which serves the App: a hint, not a record.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import TypeVar

from fiftyone_reue.progress import Progress, finish, mapped

Done = TypeVar("Done")

_running: dict[str, str] = {}
_lock = threading.Lock()


def begin(key: str, label: str) -> bool:
    """Claim a job's place; False if the same job runs already."""
    with _lock:
        if key in _running:
            return False
        _running[key] = label
        return True


def run(key: str, steps: Generator[Progress, None, Done]) -> Done:
    """Run a job that :func:`begin` gave a place to, to its end or error."""

    def note(step: Progress) -> None:
        _running[key] = step.label

    try:
        return finish(mapped(steps, note))
    finally:
        end(key)


def end(key: str) -> None:
    """Give a job's place back."""
    _running.pop(key, None)


def label(key: str) -> str | None:
    """What a job is doing, or None if it isn't running."""
    return _running.get(key)
