"""What the benchmarks share: the images, the plan, the result, how progress is said."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TypeVar

import click
import numpy as np

from fiftyone_reue.auditing.budgets import Budget
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.grid import Attacked, HeldOut, Plan
from fiftyone_reue.auditing.holdings import Holdings
from fiftyone_reue.auditing.results import Audit, Cell
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.progress import Progress, finish, mapped

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


def write_results(folder: Path, name: str, text: str, figures: object) -> None:
    """Write ``name.md`` and ``name.json``, and say the former.

    Args:
        folder: made if it isn't there.
        name: of both files.
        text: in Markdown.
        figures: what JSON can hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    click.echo(text)


def plan_of(
    budget: Budget,
    countermeasures: Sequence[str],
    device: str,
    victims: Sequence[str] | None = None,
) -> Plan:
    """What a budget measures under these countermeasures, by default on its victims.

    Raises:
        InputError: there is no countermeasure or victim of such a name.
    """
    plan = Plan(
        countermeasures=list(countermeasures),
        victims=list(victims or budget.victims),
        seeds=list(range(budget.seeds)),
        recipe=Recipe(budget.epochs, budget.least_steps, compile=budget.compile),
        effort=budget.effort,
        device=device,
    )
    plan.check()
    return plan


def audit_of(
    name: str,
    attacked: Sequence[Attacked],
    cells: list[Cell],
    plan: Plan,
    test: HeldOut,
    classes: Sequence[str],
    settings: dict,
    started: float,
) -> Audit:
    """The cells with what they were measured on.

    Args:
        name: the result's.
        attacked: the subjects; the first one's holdings say how many images there are.
        cells: of :func:`run_grid`.
        plan: what was measured.
        test: what the victims were tested on.
        classes: their names.
        settings: beside the recipe's, which are added.
        started: ``time.monotonic()`` at the beginning.
    """
    holdings = attacked[0].holdings
    return Audit(
        name=name,
        subjects=[item.subject for item in attacked],
        countermeasures=list(plan.countermeasures),
        victims=list(plan.victims),
        seeds=list(plan.seeds),
        cells=cells,
        classes=list(classes),
        size=holdings.size,
        counts={
            "train": len(holdings.images),
            "clean": len(holdings.clean_images),
            "test": len(test.images),
        },
        chance=float(np.bincount(test.labels).max() / len(test.labels)),
        settings={
            **settings,
            "epochs": plan.recipe.epochs,
            "least_steps": plan.recipe.least_steps,
            "batch": plan.recipe.batch,
        },
        environment=environment(plan.device),
        seconds=round(time.monotonic() - started, 1),
    )


def mean_accuracy(cells: Sequence[Cell], subject: str, countermeasure: str) -> float:
    """Over the seeds and victims, 0 to 1."""
    wanted = (subject, countermeasure)
    some = [c.accuracy for c in cells if (c.subject, c.countermeasure) == wanted]
    return sum(some) / len(some)
