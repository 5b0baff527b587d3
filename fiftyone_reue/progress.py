"""Generators that report how far they are, put inside one another, and drawn."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from fiftyone_reue.names.display import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

Done = TypeVar("Done")
Inner = TypeVar("Inner")
Outer = TypeVar("Outer")


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        fraction: of the whole job, 0 to 1, never falling.
        label: what is being done, for a person.
    """

    fraction: float
    label: str


def mapped(
    steps: Generator[Inner, None, Done], change: Callable[[Inner], Outer]
) -> Generator[Outer, None, Done]:
    """The same generator, each value it yields changed; returns what it returns."""
    try:
        while True:
            try:
                value = next(steps)
            except StopIteration as stop:
                return stop.value
            yield change(value)
    finally:
        steps.close()


def finish(steps: Generator[object, None, Done]) -> Done:
    """Run a generator to its end and give back what it returns; close it anyhow."""
    try:
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return stop.value
    finally:
        steps.close()


def with_bar(
    steps: Generator[Progress, None, Done],
    console: Console | None = None,
    figures: tuple[ProgressColumn, ...] | None = None,
) -> Done:
    """As :func:`finish`, with a bar that is gone at the end.

    Labels may hold others' names; they are shown without anything a terminal obeys.

    Args:
        steps: the job.
        console: where it is drawn; by default standard output.
        figures: what stands behind the bar; by default the share that is done and the
            time that is left.
    """
    from rich import progress

    behind = figures or (progress.TaskProgressColumn(), progress.TimeRemainingColumn())
    label = progress.TextColumn("{task.description}", markup=False)
    columns = (label, progress.BarColumn(), *behind)
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Starting", total=1.0)

        def show(step: Progress) -> None:
            bar.update(task, completed=step.fraction, description=printable(step.label))

        return finish(mapped(steps, show))
