"""Jobs with a progress bar, or a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TypeVar

from fiftyone_reue.cli.printing import err, plain
from fiftyone_reue.progress import Progress, finish, mapped, with_bar

EVERY = 30.0
"""Seconds between the lines of a log."""

Result = TypeVar("Result")


def shown(steps: Generator[Progress, None, Result]) -> Result:
    """Run a job, and say on standard error how far it is.

    With a bar on a terminal; else with a line every half a minute, so that the log of
    a long job shows that it goes on.
    """
    return with_bar(steps, err) if err.is_terminal else _with_lines(steps)


def _with_lines(steps: Generator[Progress, None, Result]) -> Result:
    said = time.monotonic()

    def show(step: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            err.print(f"{100 * step.fraction:.0f} %  {plain(step.label)}")

    return finish(mapped(steps, show))
