"""Unlearnability of every method under every countermeasure, in one run.

    python benchmarks/unlearnability.py --data cifar10 --budget quick
    python benchmarks/unlearnability.py --data cifar10 --budget full --seeds 3
    python benchmarks/unlearnability.py --data folder/with/a/folder/a/class

Every method perturbs the same images with the same amplitude, without a watermark;
every victim has the same recipe and is tested on the same clean images. Accuracies
are of the last epoch. Beside the methods there are rows that check the instrument:
the originals and random noise must be learnable, shuffled labels must give chance.

It writes NAME.md (tables), NAME.json (everything) and keeps each cell in
NAME.cells.jsonl, so that an interrupted run goes on and added methods or
countermeasures cost only their own cells.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
from data import RESULTS, audit_of, plan_of, read_data, shown

from fiftyone_reue.auditing import subjects
from fiftyone_reue.auditing.budgets import BUDGETS, Budget, budget_named
from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures
from fiftyone_reue.auditing.grid import Attacked, Plan, run_grid
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.auditing.results import Audit, Subject
from fiftyone_reue.auditing.table import countermeasure_table, victim_table
from fiftyone_reue.auditing.verdict import instrument_checks
from fiftyone_reue.errors import ReueError
from fiftyone_reue.perturb.base import FitOptions
from fiftyone_reue.perturb.registry import list_methods
from fiftyone_reue.progress import Progress, mapped

CACHE = Path(__file__).parent / "cache"
"""Perturbed images; remove it after changing a method."""

KEY = hashlib.sha256(b"benchmarks/unlearnability").digest()


@click.command(help=__doc__.split("\n\n")[0])
@click.option(
    "--data", default="cifar10", show_default=True, help="cifar10 or a folder."
)
@click.option("--data-dir", type=Path, default=None, help="Where CIFAR-10's zips are.")
@click.option("--methods", default="all", show_default=True, help="Names, or all.")
@click.option("--countermeasures", default=None, help="Names, all, or the budget's.")
@click.option("--victims", default=None, help="Names, or the budget's.")
@click.option("--budget", "size", default="quick", type=click.Choice(sorted(BUDGETS)))
@click.option("--seeds", type=click.IntRange(1, 20), default=None, help="How many.")
@click.option("--epsilon", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--train", type=click.IntRange(20), default=None, help="Images at most.")
@click.option("--epochs", type=click.IntRange(1), default=None)
@click.option("--effort", type=click.FloatRange(0, 1), default=None)
@click.option("--checks/--no-checks", default=True, help="Rows that check it all.")
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=Path, default=RESULTS, show_default=False)
@click.option("--name", default=None, help="Of the files; by default data and budget.")
def main(
    data: str,
    data_dir: Path | None,
    methods: str,
    countermeasures: str | None,
    victims: str | None,
    size: str,
    seeds: int | None,
    epsilon: int,
    train: int | None,
    epochs: int | None,
    effort: float | None,
    checks: bool,
    device: str,
    out: Path,
    name: str | None,
) -> None:
    """Measure, then write the tables."""
    budget = budget_named(size)
    budget = replace(
        budget,
        train=train or budget.train,
        epochs=epochs or budget.epochs,
        seeds=seeds or budget.seeds,
        effort=budget.effort if effort is None else Effort(effort),
    )
    name = name or f"unlearnability_{Path(data).name}_{size}"
    every = [info.name for info in list_countermeasures()]
    known = [info.name for info in list_methods()]
    chosen = _names(methods, known, known)
    countered = _names(countermeasures, budget.countermeasures or every, every)
    attackers = _names(victims, budget.victims, budget.victims)
    try:
        plan = plan_of(budget, countered, device, attackers)
        _run(name, data, data_dir, chosen, plan, budget, epsilon, checks, out)
    except ReueError as error:
        sys.exit(str(error))


def _run(
    name: str,
    data: str,
    data_dir: Path | None,
    methods: list[str],
    plan: Plan,
    budget: Budget,
    epsilon: int,
    checks: bool,
    out: Path,
) -> None:
    started = time.monotonic()
    holdings, test, classes = read_data(data, data_dir, budget)
    out.mkdir(parents=True, exist_ok=True)
    attacked = [subjects.originals(holdings)]
    checking = []
    if checks:
        checking.append(subjects.random_noise(holdings, epsilon, seed=0))
        checking.append(subjects.shuffled_labels(holdings, seed=0))
    for method in methods:
        attacked.append(_made(method, holdings, classes, epsilon, budget, plan.device))
    store = CellStore(out / f"{name}.cells.jsonl")
    cells = shown(run_grid(attacked, test, plan, store, checking))
    settings = {
        "data": Path(data).name,
        "budget": budget.name,
        "epsilon": epsilon,
        "effort": plan.effort.scale,
    }
    measured = [*attacked, *checking]
    audit = audit_of(name, measured, cells, plan, test, classes, settings, started)
    (out / f"{name}.json").write_text(json.dumps(audit.to_dict(), indent=1) + "\n")
    (out / f"{name}.md").write_text(_markdown(audit))
    click.echo(out / f"{name}.md")


def _markdown(audit: Audit) -> str:
    counts, settings = audit.counts, audit.settings
    seeds = f"{len(audit.seeds)} seed{'s' if len(audit.seeds) > 1 else ''}"
    rows = [item for item in audit.subjects if item.name not in _CHECKS]
    names = [item.name for item in rows]
    lines = [
        f"# {audit.name}",
        "",
        f"Clean-test accuracy in %, last epoch; lower means less was learned. Chance: "
        f"{100 * audit.chance:.1f} %. {counts['train']} training images and "
        f"{counts['test']} test images, {audit.size} px, {len(audit.classes)} classes; "
        f"{settings['epochs']} epochs (at least {settings['least_steps']} steps of "
        f"{settings['batch']}), {seeds}, epsilon {settings['epsilon']} without a "
        f"watermark, effort {settings['effort']} of what the papers spend on "
        f"purification. The thief of a leak or dilution holds up to {counts['clean']} "
        "clean images. Bold: the lowest of a row.",
        "",
        f"Made by `python benchmarks/unlearnability.py`; cells took "
        f"{sum(cell.seconds for cell in audit.cells) / 60:.0f} minutes on "
        f"{audit.environment['device']} with torch {audit.environment['torch']}.",
        "",
    ]
    for victim in audit.victims:
        lines += [f"## Victim: {victim}", ""]
        lines += [countermeasure_table(audit, names, victim), ""]
    if len(audit.victims) > 1:
        lines += ["## No countermeasure, every victim", "", victim_table(audit), ""]
    lines += ["## Checks of the instrument", ""]
    for check in instrument_checks(audit):
        lines.append(f"- {'passed' if check.passed else 'FAILED'}: {check.text}")
    failures = {f"{c.countermeasure}: {c.failure}" for c in audit.cells if c.failure}
    if failures:
        lines += ["", "## Not measured", "", *(f"- {f}" for f in sorted(failures))]
    return "\n".join(lines) + "\n"


_CHECKS = {subjects.RANDOM_NOISE, subjects.SHUFFLED_LABELS}


def _made(
    method: str,
    holdings: Holdings,
    classes: tuple[str, ...],
    epsilon: int,
    budget: Budget,
    device: str,
) -> Attacked:
    """Perturbed images of an interrupted run are used again."""
    print_of = hashlib.sha256(holdings.originals.tobytes() + holdings.labels.tobytes())
    about = f"{method}{'_published' if budget.published else ''}_{epsilon}"
    kept = CACHE / f"{about}_{print_of.hexdigest()[:16]}.npz"
    if kept.exists():
        with np.load(kept) as stored:
            subject = Subject(**json.loads(str(stored["subject"])))
            return Attacked(subject, replace(holdings, images=stored["images"]))
    steps = subjects.method_subject(
        method,
        holdings,
        classes,
        FitOptions(epsilon, 0, KEY, device),
        published=budget.published,
    )
    made = shown(mapped(steps, lambda done: Progress(done, f"Perturbing: {method}")))
    CACHE.mkdir(parents=True, exist_ok=True)
    subject = np.array(json.dumps(asdict(made.subject)))
    np.savez_compressed(kept, images=made.holdings.images, subject=subject)
    return made


def _names(given: str | None, usual, every) -> list[str]:
    if given is None:
        return list(usual)
    if given == "all":
        return list(every)
    return [part.strip() for part in given.split(",") if part.strip()]


if __name__ == "__main__":
    main()
