"""Audit: how well a release holds against what a thief may do to it."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fiftyone_reue.auditing import subjects
from fiftyone_reue.auditing.budgets import Budget, budget_named
from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.grid import HeldOut, Plan, run_grid
from fiftyone_reue.auditing.holdings import Holdings
from fiftyone_reue.auditing.results import Audit
from fiftyone_reue.auditing.split import CLEAN_SHARE, TEST_SHARE, split
from fiftyone_reue.auditing.verdict import NONE, Verdict, judge
from fiftyone_reue.batch import sampling
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.releases.pairs import Pairs, read_pairs
from fiftyone_reue.stores.address import Address, Place, place
from fiftyone_reue.vault.vault import Vault

CELLS = "cells.jsonl"


@dataclass(frozen=True)
class AuditConfig:
    """What to measure.

    Example::

        config = reue.AuditConfig(countermeasures=("none", "grayscale"), seeds=3)
        print(reue.audit("for_alice", vault="vault", config=config).report)

    Attributes:
        budget: "quick" or "full"; see :mod:`fiftyone_reue.auditing.budgets`.
        countermeasures: registry names; empty for the budget's.
        victims: registry names; empty for the budget's.
        seeds: how many victims of a kind; None for the budget's number.
        seed: of the split into stolen, clean and test images.
        device: "auto", "cpu" or a torch device.
        max_pixels: larger images are refused before they are decoded.
        size: pixels a side to train at; None for that at which people train on images
            like these, or the budget's longest where that is less.
    """

    budget: str = "quick"
    countermeasures: tuple[str, ...] = ()
    victims: tuple[str, ...] = ()
    seeds: int | None = None
    seed: int = 0
    device: str = "auto"
    max_pixels: int = DEFAULT_MAX_PIXELS
    size: int | None = None

    def plan(self, side: int) -> Plan:
        """The grid's plan, which always has the countermeasure "none".

        Args:
            side: pixels a side to train at.

        Raises:
            InputError: a name doesn't exist, or a number is out of range.
        """
        budget = budget_named(self.budget)
        seeds = budget.seeds if self.seeds is None else self.seeds
        if not 1 <= seeds <= 20:
            raise InputError("Choose 1 to 20 seeds")
        every = tuple(info.name for info in list_countermeasures())
        chosen = self.countermeasures or budget.measured(side) or every
        recipe = Recipe(budget.epochs, budget.least_steps, compile=budget.compile)
        plan = Plan(
            countermeasures=chosen if NONE in chosen else (NONE, *chosen),
            victims=self.victims or budget.victims,
            seeds=range(seeds),
            recipe=recipe.at(side),
            effort=budget.effort,
            device=self.device,
        )
        plan.check()
        return plan


@dataclass(frozen=True)
class AuditSummary:
    """What an audit found.

    Attributes:
        release_id: which release.
        audit: the measurements.
        verdict: what they say.
        report: the report for people, an HTML file.
        outcome: images read, and failures.
    """

    release_id: str
    audit: Audit
    verdict: Verdict
    report: Path
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """The result for machines, without the single cells."""
        return {
            "release": self.release_id,
            "headline": self.verdict.headline,
            "text": self.verdict.text,
            "doubts": list(self.verdict.doubts),
            "findings": [asdict(finding) for finding in self.verdict.findings],
            "chance": round(self.audit.chance, 4),
            "size": self.audit.size,
            "images": self.audit.counts,
            "images_failed": len(self.outcome.failures),
            "report": str(self.report),
        }


def report_folder(output: str) -> Path:
    """Where a release's report goes unless told otherwise: beside its folder.

    Never inside: the folder is what the recipient gets.

    Raises:
        InputError: the release is in a store, and nothing of this machine beside it.
    """
    folder = place(output)
    if isinstance(folder, Address):
        raise InputError(
            f"{folder}: the report isn't put into a store; say into which folder of "
            "this machine (--out FOLDER)"
        )
    return folder.with_name(f"{folder.name}.audit")


def audit_release(
    vault: Vault,
    items: Sequence[Item],
    config: AuditConfig,
    output: Path | None = None,
) -> Generator[Progress, None, AuditSummary]:
    """Audit a release.

    Its images are split: most of them are stolen, and victims are trained on them
    under every countermeasure; others are what a thief has clean, or test images. The
    same is done with the originals, for comparison. What was measured is kept in the
    output folder, so that an interrupted audit goes on.

    Args:
        vault: the owner's.
        items: the release's protected files, with labels.
        config: what to measure.
        output: the folder for ``audit.html`` and ``audit.json``; see
            :func:`report_folder`.

    Yields:
        Progress.

    Raises:
        InputError: too few images or classes, files of several releases, a name that
            doesn't exist, an output folder inside the release's, or none where the
            release is in a store.
        OutputError: the output can't be written.
    """
    started = time.monotonic()
    budget = budget_named(config.budget)
    usual = sampling.training_side(items)
    size = sampling.side_to_train_at(usual, budget.longest, config.size)
    plan = config.plan(size)
    chosen = sampling.stratified(items, _needed(budget), config.seed)
    count = len(chosen)
    pairs = yield from mapped(
        read_pairs(vault, chosen, size=size, max_pixels=config.max_pixels),
        lambda done: Progress(0.1 * done / count, f"Reading images: {done} of {count}"),
    )
    release = vault.ledger.release(pairs.release_id)
    name = release.name if release else pairs.release_id
    folder = output or report_folder(release.output if release else name)
    if release and _is_within(folder, place(release.output)):
        raise InputError(
            f"{folder}: this is inside the folder that the recipient gets; choose "
            "another one for the report"
        )
    holdings, test = _divide(pairs, budget, config.seed)
    epsilon = int(release.parameters["epsilon"]) if release else 8
    attacked = [
        subjects.originals(holdings),
        subjects.release_subject(pairs.release_id, name, holdings),
    ]
    checks = [subjects.random_noise(holdings, epsilon, config.seed)]
    cells = yield from mapped(
        run_grid(attacked, test, plan, CellStore(folder / CELLS), checks),
        lambda step: Progress(0.1 + 0.9 * step.fraction, step.label),
    )
    audit = Audit(
        name=name,
        subjects=[item.subject for item in [*attacked, *checks]],
        countermeasures=list(plan.countermeasures),
        victims=list(plan.victims),
        seeds=list(plan.seeds),
        cells=cells,
        classes=pairs.classes,
        size=size,
        counts={
            "train": len(holdings.images),
            "clean": len(holdings.clean_images),
            "test": len(test.images),
        },
        chance=float(np.bincount(test.labels).max() / len(test.labels)),
        settings={
            "budget": budget.name,
            "epochs": plan.recipe.epochs,
            "least_steps": plan.recipe.least_steps,
            "batch": plan.recipe.batch,
            "effort": plan.effort.scale,
            "seed": config.seed,
            "usual_size": usual,
        },
        environment=environment(config.device),
        seconds=round(time.monotonic() - started, 1),
    )
    summary = _written(audit, pairs, folder)
    _keep(vault, summary)
    return summary


def _is_within(folder: Path, output: Place) -> bool:
    if isinstance(output, Address):
        return False
    return folder.resolve().is_relative_to(output.resolve())


def _needed(budget: Budget) -> int:
    """So many images fill every part of the budget."""
    return max(
        round(budget.train / (1 - TEST_SHARE - CLEAN_SHARE)),
        round(budget.test / TEST_SHARE),
        round(budget.clean / CLEAN_SHARE),
    )


def _divide(pairs: Pairs, budget: Budget, seed: int) -> tuple[Holdings, HeldOut]:
    parts = split(
        pairs.labels,
        train=budget.train,
        clean=budget.clean,
        test=budget.test,
        seed=seed,
    )
    holdings = Holdings(
        images=pairs.protected[parts.train],
        labels=pairs.labels[parts.train],
        classes=len(pairs.classes),
        originals=pairs.originals[parts.train],
        clean_images=pairs.originals[parts.clean],
        clean_labels=pairs.labels[parts.clean],
    )
    return holdings, HeldOut(pairs.originals[parts.test], pairs.labels[parts.test])


def _written(audit: Audit, pairs: Pairs, folder: Path) -> AuditSummary:
    from fiftyone_reue.auditing.report import write_report

    paths = write_report(audit, folder)
    return AuditSummary(
        release_id=pairs.release_id,
        audit=audit,
        verdict=judge(audit, pairs.release_id),
        report=paths["html"],
        outcome=pairs.outcome,
    )


def _keep(vault: Vault, summary: AuditSummary) -> None:
    release = vault.ledger.release(summary.release_id)
    if release is None:
        return
    kept = {
        "headline": summary.verdict.headline,
        "levels": {f.countermeasure: f.level for f in summary.verdict.findings},
        "report": str(summary.report),
        "measured": time.time(),
    }
    scores = {**release.scores, "audit": kept}
    vault.ledger.put_release(replace(release, scores=scores))
