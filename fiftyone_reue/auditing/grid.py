"""Measure every subject under every countermeasure with every victim."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from fiftyone_reue.auditing.cell_store import CellStore, cell_key
from fiftyone_reue.auditing.countermeasures.base import Countermeasure
from fiftyone_reue.auditing.countermeasures.registry import create_countermeasure
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.auditing.results import Cell, Subject
from fiftyone_reue.errors import ReueError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import create_network, network_info
from fiftyone_reue.progress import Progress, mapped

CURVE_POINTS = 8
CURVE_IMAGES = 500
"""Accuracies while training are of so many test images; the last is of all."""

NONE = "none"

_PREPARING = 0.3
"""What share of a cell's progress its preparation is given."""


@dataclass(frozen=True)
class Attacked:
    """A subject and what a thief of it holds."""

    subject: Subject
    holdings: Holdings


@dataclass(frozen=True)
class HeldOut:
    """Clean images that nobody was trained on.

    Attributes:
        images: ``(T, S, S, 3)`` uint8.
        labels: ``(T,)`` int64.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        countermeasures: registry names.
        victims: registry names.
        seeds: of the victims and every draw.
        recipe: of the victims, before a network adapts it.
        effort: for countermeasures that train something of their own.
        device: "auto", "cpu" or a torch device.
    """

    countermeasures: Sequence[str]
    victims: Sequence[str]
    seeds: Sequence[int]
    recipe: Recipe
    effort: Effort
    device: str = "auto"

    def check(self) -> None:
        """Raise InputError for a name that doesn't exist."""
        for name in self.countermeasures:
            create_countermeasure(name)
        for name in self.victims:
            network_info(name)


@dataclass(frozen=True)
class _Task:
    """Cells that share their preparation: one for each victim."""

    attacked: Attacked
    countermeasure: Countermeasure
    seed: int
    victims: tuple[str, ...]


def run_grid(
    attacked: Sequence[Attacked],
    test: HeldOut,
    plan: Plan,
    store: CellStore | None = None,
    checks: Sequence[Attacked] = (),
) -> Generator[Progress, None, list[Cell]]:
    """Measure the cells that the store doesn't have yet.

    A cell that fails for a reason that a user can mend (a missing file of weights,
    too few clean images) comes with that reason and isn't stored, so that the next
    run tries it again.

    Args:
        attacked: the subjects.
        test: what the victims are tested on.
        plan: what to measure.
        store: where cells are kept from run to run.
        checks: subjects that check the instrument, measured last and without any
            countermeasure alone.

    Yields:
        Progress over the whole grid.

    Returns:
        All cells: every countermeasure's subjects together, in the plan's order.

    Raises:
        InputError: the plan has a name that doesn't exist.
    """
    plan.check()
    subjects = [*attacked, *checks]
    print_of = {item.subject.name: _print(item.holdings, test) for item in subjects}
    tasks = [*_tasks(attacked, plan)]
    tasks += _tasks(checks, replace(plan, countermeasures=[NONE]))
    total = sum(len(task.victims) for task in tasks)
    cells: list[Cell] = []
    for task in tasks:
        keys = {
            victim: _key(task, victim, print_of[task.attacked.subject.name], plan)
            for victim in task.victims
        }
        known = {victim: store.get(keys[victim]) for victim in keys} if store else {}
        steps = _measure(task, known, test, plan)
        shown = partial(_progress, task, len(cells), total)
        measured = yield from mapped(steps, shown)
        for cell in measured:
            if store and not cell.failure and known.get(cell.victim) is None:
                store.put(keys[cell.victim], cell)
        cells += measured
    return cells


def _tasks(attacked: Sequence[Attacked], plan: Plan) -> Iterator[_Task]:
    """One victim a task where that one prepares nothing that others could share."""
    for name in plan.countermeasures:
        countermeasure = create_countermeasure(name)
        shares = type(countermeasure).prepare is not Countermeasure.prepare
        groups = [tuple(plan.victims)] if shares else [(v,) for v in plan.victims]
        for item in attacked:
            for seed in plan.seeds:
                for victims in groups:
                    yield _Task(item, countermeasure, seed, victims)


def _progress(task: _Task, done: int, total: int, step: tuple[str, float]) -> Progress:
    victim, share = step
    title = network_info(victim).title
    index = done + task.victims.index(victim)
    label = f"{task.attacked.subject.title}, {task.countermeasure.info.title}, {title}"
    return Progress((index + share) / total, f"{index + 1} of {total}: {label}")


def _measure(
    task: _Task, known: dict[str, Cell | None], test: HeldOut, plan: Plan
) -> Generator[tuple[str, float], None, list[Cell]]:
    """Yields the victim at work and the share of its cell that is done."""
    cells: list[Cell] = []
    prepared: TrainingSet | None = None
    for victim in task.victims:
        stored = known.get(victim)
        if stored is not None:
            cells.append(replace(stored, subject=task.attacked.subject.name))
            yield victim, 1.0
            continue
        started = time.monotonic()
        try:
            if prepared is None:
                preparing = task.countermeasure.prepare(
                    task.attacked.holdings,
                    effort=plan.effort,
                    context=TrainingContext(task.seed, plan.device),
                )
                prepared = yield from mapped(preparing, partial(_first, victim))
            training = _train(task, prepared, victim, test, plan)
            curve = yield from mapped(training, partial(_second, victim))
            cell = _cell(task, victim, time.monotonic() - started, curve)
        except ReueError as error:
            reason = str(error).splitlines()[0]
            cell = _cell(task, victim, time.monotonic() - started, [], reason)
        cells.append(cell)
    return cells


def _first(victim: str, share: float) -> tuple[str, float]:
    return victim, _PREPARING * share


def _second(victim: str, share: float) -> tuple[str, float]:
    return victim, _PREPARING + (1 - _PREPARING) * share


def _train(
    task: _Task, prepared: TrainingSet, victim: str, test: HeldOut, plan: Plan
) -> Generator[float, None, list[float]]:
    """Train a victim; returns its accuracies, the last one of all test images."""
    from fiftyone_reue.networks.training import accuracy

    holdings = task.attacked.holdings
    network = create_network(victim, holdings.classes, holdings.size, seed=task.seed)
    images = task.countermeasure.at_test(test.images, task.seed)
    few = images[:CURVE_IMAGES], test.labels[:CURVE_IMAGES]
    curve: list[float] = []
    steps = task.countermeasure.train(
        network,
        prepared,
        holdings,
        recipe=network_info(victim).adapted(plan.recipe),
        effort=plan.effort,
        context=TrainingContext(task.seed, plan.device),
    )
    for share in steps:
        if share < 1 and share * CURVE_POINTS >= len(curve) + 1:
            curve.append(accuracy(network, *few))
        yield share
    return [*curve, accuracy(network, images, test.labels)]


def _cell(
    task: _Task, victim: str, seconds: float, curve: list[float], failure: str = ""
) -> Cell:
    return Cell(
        subject=task.attacked.subject.name,
        countermeasure=task.countermeasure.info.name,
        victim=victim,
        seed=task.seed,
        accuracy=curve[-1] if curve else math.nan,
        best=max(curve, default=math.nan),
        curve=tuple(round(value, 4) for value in curve),
        seconds=round(seconds, 1),
        failure=failure,
    )


def _key(task: _Task, victim: str, fingerprint: str, plan: Plan) -> str:
    info = task.countermeasure.info
    return cell_key(
        images=fingerprint,
        countermeasure=info.name,
        parameters=info.parameters,
        victim=victim,
        seed=task.seed,
        recipe=asdict(plan.recipe),
        effort=asdict(plan.effort),
    )


def _print(holdings: Holdings, test: HeldOut) -> str:
    arrays: tuple[np.ndarray, ...] = (
        holdings.images,
        holdings.labels,
        holdings.originals,
        holdings.clean_images,
        holdings.clean_labels,
        test.images,
        test.labels,
    )
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
