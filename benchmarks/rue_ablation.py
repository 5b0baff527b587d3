"""What each part of RUE is worth: start, objective, transformations, variety.

    python benchmarks/rue_ablation.py --data cifar10
    python benchmarks/rue_ablation.py --rows gratings,published --countermeasures none

Every row is fitted and perturbed with the same amplitude, without a watermark, and
judged as in unlearnability.py. Cells are kept, so that rows can be added.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import click
from data import RESULTS, mean_accuracy, plan_of, read_data, shown

from fiftyone_reue.auditing import subjects
from fiftyone_reue.auditing.budgets import Budget, budget_named
from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.countermeasures.registry import create_countermeasure
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.grid import Attacked, Plan, run_grid
from fiftyone_reue.auditing.holdings import Holdings
from fiftyone_reue.auditing.results import Cell
from fiftyone_reue.perturb.base import FitOptions
from fiftyone_reue.perturb.rue.config import RueConfig
from fiftyone_reue.perturb.rue.method import ReversibleUnlearnableGratings
from fiftyone_reue.progress import Progress, mapped

KEY = bytes(range(32))
ROUNDS = 12
"""Of every fit, so that rows can be compared; 2,560 images each."""

FITTED = RueConfig(start="random", rounds=ROUNDS, reach=None)
PUBLISHED = replace(RueConfig.published(), rounds=ROUNDS)
REFINED = RueConfig(rounds=ROUNDS, step=0.25)
OUTSIDE = ("jpeg", "grayscale", "blur")

ROWS: dict[str, tuple[str, RueConfig]] = {
    "gratings": ("Gratings, any phase (the default)", RueConfig()),
    "one_phase": ("Gratings, one phase a class", RueConfig(reach=0, flips=False)),
    "refined": ("Gratings, then fitted", REFINED),
    "refined_through": (
        "Gratings, then fitted through JPEG, gray and blur",
        replace(REFINED, transformations=OUTSIDE),
    ),
    "refined_adversarial": (
        "Gratings, then fitted with an adversarially trained surrogate",
        replace(REFINED, adversarial=4),
    ),
    "published": ("As published: random start, coloured, no variety", PUBLISHED),
    "collinear": (
        "The same with collinear features",
        replace(PUBLISHED, objective="collinear"),
    ),
    "no_information": (
        "The same without mutual information",
        replace(PUBLISHED, information=0.0),
    ),
    "variants": ("The same with 4 variants", replace(PUBLISHED, variants=4)),
    "achromatic": ("The same, achromatic", replace(PUBLISHED, colours=1)),
    "rolled": ("Random start, achromatic, any roll", FITTED),
    "rolled_through": (
        "The same through JPEG, gray and blur",
        replace(FITTED, transformations=OUTSIDE),
    ),
    "rolled_reinitialised": (
        "The same, surrogate begun anew every 5 rounds, no transformation",
        replace(FITTED, reinitialise=5),
    ),
}


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--data", default="cifar10", show_default=True)
@click.option("--data-dir", type=Path, default=None, help="Where CIFAR-10's zips are.")
@click.option("--rows", default="all", show_default=True, help=", ".join(ROWS))
@click.option("--countermeasures", default="none,jpeg_10,class_average")
@click.option("--budget", "size", default="quick", type=click.Choice(["quick", "full"]))
@click.option("--epsilon", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=Path, default=RESULTS)
@click.option("--name", default="rue_ablation", show_default=True)
def main(
    data: str,
    data_dir: Path | None,
    rows: str,
    countermeasures: str,
    size: str,
    epsilon: int,
    device: str,
    out: Path,
    name: str,
) -> None:
    """Fit, measure and write the table."""
    budget = budget_named(size)
    plan = plan_of(budget, countermeasures.split(","), device)
    chosen = list(ROWS) if rows == "all" else rows.split(",")
    holdings, test, classes = read_data(data, data_dir, budget)
    out.mkdir(parents=True, exist_ok=True)
    store = CellStore(out / f"{name}.cells.jsonl")
    attacked = [subjects.originals(holdings)]
    for row in chosen:
        attacked.append(_perturbed(row, holdings, classes, epsilon, device))
    cells = shown(run_grid(attacked, test, plan, store))
    about = {
        "data": Path(data).name,
        "budget": asdict(budget),
        "epsilon": epsilon,
        "environment": environment(device),
        "rows": {row: asdict(ROWS[row][1]) for row in chosen},
        "subjects": [asdict(item.subject) for item in attacked],
        "cells": [asdict(cell) for cell in cells],
    }
    (out / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    table = _markdown(
        name, attacked, cells, plan, budget, epsilon, len(holdings.images)
    )
    (out / f"{name}.md").write_text(table)
    click.echo(out / f"{name}.md")


def _perturbed(
    row: str, holdings: Holdings, classes: tuple[str, ...], epsilon: int, device: str
) -> Attacked:
    title, config = ROWS[row]
    steps = subjects.perturbed(
        row,
        title,
        ReversibleUnlearnableGratings(config),
        holdings,
        classes,
        FitOptions(epsilon, 0, KEY, device),
    )
    return shown(mapped(steps, lambda done: Progress(done, f"Perturbing: {row}")))


def _markdown(
    name: str,
    attacked: list[Attacked],
    cells: list[Cell],
    plan: Plan,
    budget: Budget,
    epsilon: int,
    images: int,
) -> str:
    titles = [create_countermeasure(n).info.title for n in plan.countermeasures]
    lines = [
        f"# {name}",
        "",
        f"Clean-test accuracy in %, last epoch; lower means less was learned. {images} "
        f"training images, {budget.epochs} epochs, {', '.join(plan.victims)}, "
        f"{len(plan.seeds)} seed(s), epsilon {epsilon} without a watermark. Fits have "
        f"{ROUNDS} rounds. Made by `python benchmarks/rue_ablation.py`.",
        "",
        f"| | {' | '.join(titles)} | seconds to make |",
        "|---|" + "---|" * (len(titles) + 1),
    ]
    for item in attacked:
        means = [
            f"{100 * mean_accuracy(cells, item.subject.name, wanted):.1f}"
            for wanted in plan.countermeasures
        ]
        seconds = f"{item.subject.seconds:.0f}"
        lines.append(f"| {item.subject.title} | {' | '.join(means)} | {seconds} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
