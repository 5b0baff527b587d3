"""What the benchmarks share: the images, and how progress is said."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import click

from fiftyone_reue.audit.budgets import Budget
from fiftyone_reue.audit.grid import HeldOut
from fiftyone_reue.audit.holdings import Holdings
from fiftyone_reue.steps import Progress, finish, mapped

RESULTS = Path(__file__).parent / "results"

Done = TypeVar("Done")


def read_data(
    data: str, folder: Path | None, budget: Budget
) -> tuple[Holdings, HeldOut, tuple[str, ...]]:
    """A thief's holdings, clean test images and the class names.

    Args:
        data: "cifar10", or a folder with a folder a class.
        folder: where CIFAR-10's archives are; None to look for them.
        budget: how many images.
    """
    if data == "cifar10":
        from cifar import read_cifar10

        return read_cifar10(folder, budget)
    from folder import read_folder

    return read_folder(Path(data), budget)


def shown(steps: Generator[Progress, None, Done]) -> Done:
    """Run to the end; each thing that is begun is said once, with the time."""
    said = ""

    def show(step: Progress) -> None:
        nonlocal said
        if step.label != said:
            said = step.label
            click.echo(f"{time.strftime('%H:%M:%S')} {said}", err=True)

    return finish(mapped(steps, show))
