"""Jobs with a progress bar."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from fiftyone_reue.cli.printing import err
from fiftyone_reue.shown import printable
from fiftyone_reue.steps import Progress, finish, mapped

Result = TypeVar("Result")


def shown(steps: Generator[Progress, None, Result]) -> Result:
    """Run a job with a progress bar on standard error, if that is a terminal."""
    from rich import progress

    bar = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        task = bar.add_task("Starting", total=1.0)

        def show(step: Progress) -> None:
            bar.update(task, completed=step.fraction, description=printable(step.label))

        return finish(mapped(steps, show))
