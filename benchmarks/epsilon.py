"""What an amplitude buys: accuracy under chosen countermeasures over epsilon.

    python benchmarks/epsilon.py --countermeasures none,adversarial_4,pair_leak_500

For those countermeasures that no method withstands at 8 gray levels: whether more
would help, and how much more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import click
from data import RESULTS, mean_accuracy, plan_of, read_data, shown
from matplotlib.figure import Figure

from fiftyone_reue.auditing import subjects
from fiftyone_reue.auditing.budgets import budget_named
from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.countermeasures.registry import create_countermeasure
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.grid import run_grid
from fiftyone_reue.perturb.base import FitOptions
from fiftyone_reue.progress import Progress, mapped

KEY = bytes(range(32))


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--data", default="cifar10", show_default=True)
@click.option("--data-dir", type=Path, default=None, help="Where CIFAR-10's zips are.")
@click.option("--method", default="rue", show_default=True)
@click.option("--epsilons", default="8,16,32", show_default=True)
@click.option("--countermeasures", default="none,adversarial_4,pair_leak_500")
@click.option("--budget", "size", default="quick", type=click.Choice(["quick", "full"]))
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=Path, default=RESULTS)
def main(
    data: str,
    data_dir: Path | None,
    method: str,
    epsilons: str,
    countermeasures: str,
    size: str,
    device: str,
    out: Path,
) -> None:
    """Measure, then write the table and the plot."""
    budget = budget_named(size)
    plan = plan_of(budget, countermeasures.split(","), device)
    holdings, test, classes = read_data(data, data_dir, budget)
    name = f"epsilon_{method}"
    out.mkdir(parents=True, exist_ok=True)
    store = CellStore(out / f"{name}.cells.jsonl")
    levels = [int(level) for level in epsilons.split(",")]
    attacked = [subjects.originals(holdings)]
    for level in levels:
        steps = subjects.method_subject(
            method,
            holdings,
            classes,
            FitOptions(level, 0, KEY, device),
            published=budget.published,
        )
        label = f"Perturbing by {level}"
        made = shown(mapped(steps, lambda f, label=label: Progress(f, label)))
        attacked.append(
            replace(made, subject=replace(made.subject, name=f"epsilon {level}"))
        )
    cells = shown(run_grid(attacked, test, plan, store))
    means = {
        wanted: [mean_accuracy(cells, item.subject.name, wanted) for item in attacked]
        for wanted in plan.countermeasures
    }
    about = {
        "method": method,
        "data": Path(data).name,
        "budget": asdict(budget),
        "epsilons": levels,
        "accuracy": means,
        "psnr": [item.subject.psnr for item in attacked[1:]],
        "environment": environment(device),
        "cells": [asdict(cell) for cell in cells],
    }
    (out / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    lines = [
        f"# {name}",
        "",
        f"Clean-test accuracy in % of {', '.join(plan.victims)}, trained on "
        f"{len(holdings.images)} images for {budget.epochs} epochs, "
        f"{len(plan.seeds)} seed(s). Made by `python benchmarks/epsilon.py`.",
        "",
        "| Countermeasure | originals | " + " | ".join(f"±{e}" for e in levels) + " |",
        "|---|" + "---|" * len(attacked),
    ]
    for wanted, figures in means.items():
        title = create_countermeasure(wanted).info.title
        lines.append(f"| {title} | {' | '.join(f'{100 * a:.1f}' for a in figures)} |")
    decibels = [f"{item.subject.psnr:.1f}" for item in attacked[1:]]
    lines.append(f"| PSNR, dB | | {' | '.join(decibels)} |")
    (out / f"{name}.md").write_text("\n".join(lines) + "\n")
    _plot(means, levels, out / f"{name}.svg")
    click.echo(out / f"{name}.md")


def _plot(means: dict[str, list[float]], levels: list[int], path: Path) -> None:
    """One line a countermeasure; what the originals give is the line's first point."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for wanted, figures in means.items():
        title = create_countermeasure(wanted).info.title
        axes.plot([0, *levels], [100 * a for a in figures], marker="o", label=title)
    axes.set_xlabel("epsilon, gray levels (0: originals)")
    axes.set_ylabel("clean-test accuracy, %")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
