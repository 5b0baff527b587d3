"""What an audit measures: cells, and the tables made of them.

A cell is one victim trained once: on one subject (a release, a method's images, or
the originals), under one countermeasure, with one seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

ORIGINALS = "originals"
"""The subject that every other one is compared with."""


@dataclass(frozen=True)
class Subject:
    """What was attacked.

    Attributes:
        name: unique in an audit: a method's or release's name, or :data:`ORIGINALS`.
        title: a few words for a table.
        role: "reference" (originals, and rows that only check the instrument),
            "method" or "release".
        psnr: mean over the images against the originals, dB; None for the originals.
        largest_change: of any sample, gray levels.
        seconds: what making it took, fit included.
    """

    name: str
    title: str
    role: str
    psnr: float | None = None
    largest_change: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Cell:
    """One victim's accuracy on clean test images.

    Attributes:
        subject: :attr:`Subject.name`.
        countermeasure: its registry name.
        victim: a network's registry name.
        seed: of the weights and every draw.
        accuracy: after the last epoch, 0 to 1. This is what counts.
        best: the best that was seen while training.
        curve: accuracies at even distances over the training, the last one last.
        seconds: preparing and training, on this machine.
        failure: why there is no accuracy (then NaN), in words for a person.
    """

    subject: str
    countermeasure: str
    victim: str
    seed: int
    accuracy: float
    best: float
    curve: tuple[float, ...]
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
class Summary:
    """Several seeds' accuracies.

    Attributes:
        mean: 0 to 1.
        spread: sample standard deviation; None with one seed.
        count: how many seeds.
    """

    mean: float
    spread: float | None
    count: int


@dataclass(frozen=True)
class Audit:
    """A whole audit.

    Attributes:
        name: the release's or benchmark's name.
        subjects: what was attacked, in the order of tables; the originals first.
        countermeasures: registry names, in the order of tables.
        victims: registry names, in the order of tables.
        seeds: which.
        cells: one for each of the four above, in any order; while running, fewer.
        classes: the class names.
        size: the images' side in pixels that everything was measured at.
        counts: how many images: "train", "clean" (what a thief may hold), "test".
        chance: accuracy of always naming the largest class of the test images.
        settings: the recipe, effort and budget, by name.
        environment: versions and device.
        seconds: all of it.
        notes: what a reader must know besides, a sentence each.
    """

    name: str
    subjects: list[Subject]
    countermeasures: list[str]
    victims: list[str]
    seeds: list[int]
    cells: list[Cell]
    classes: list[str]
    size: int
    counts: dict[str, int]
    chance: float
    settings: dict[str, float | int | str]
    environment: dict[str, str]
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def summary(
        self, subject: str, countermeasure: str, victim: str | None = None
    ) -> Summary | None:
        """Mean and spread over the seeds; None where nothing was measured.

        Args:
            subject: a subject's name.
            countermeasure: a countermeasure's name.
            victim: a victim's name; by default the first one.
        """
        victim = victim or self.victims[0]
        values = [
            cell.accuracy
            for cell in self.cells
            if not cell.failure
            and (cell.subject, cell.countermeasure, cell.victim)
            == (subject, countermeasure, victim)
        ]
        return summarise(values)

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON; the accuracies of failed cells become null."""
        data = asdict(self)
        for cell in data["cells"]:
            if cell["failure"]:
                cell["accuracy"] = cell["best"] = None
        return data

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Audit:
        """What :meth:`to_dict` was called on, after a way through JSON."""
        cells = [cell_from_dict(cell) for cell in data["cells"]]
        subjects = [Subject(**subject) for subject in data["subjects"]]
        return Audit(**{**data, "cells": cells, "subjects": subjects})


def cell_from_dict(data: dict[str, Any]) -> Cell:
    """A cell that went through JSON."""
    curve = tuple(data["curve"])
    if data["failure"]:
        return Cell(**{**data, "curve": curve, "accuracy": math.nan, "best": math.nan})
    return Cell(**{**data, "curve": curve})


def summarise(values: Sequence[float]) -> Summary | None:
    """Mean and sample standard deviation; None of nothing."""
    if not values:
        return None
    mean = sum(values) / len(values)
    if len(values) < 2:
        return Summary(mean, None, len(values))
    squares = sum((value - mean) ** 2 for value in values)
    return Summary(mean, math.sqrt(squares / (len(values) - 1)), len(values))


def retained(accuracy: float, clean: float, chance: float) -> float | None:
    """How much of what can be learned was learned, 0 to 1.

    Args:
        accuracy: of a victim trained on the protected images.
        clean: of the same victim, trained on the originals in the same way.
        chance: of guessing.

    Returns:
        ``(accuracy - chance) / (clean - chance)`` cut to 0..1; None where the
        originals teach less than 5 points over chance, since then nothing can be
        told.
    """
    if clean - chance < 0.05:
        return None
    return min(1.0, max(0.0, (accuracy - chance) / (clean - chance)))
