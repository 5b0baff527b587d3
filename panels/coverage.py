"""How far a dataset is protected, counted by the database in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F

PROTECTED = "protected"
FAILED = "failed"
UNPROTECTED = "unprotected"
STATES = (PROTECTED, FAILED, UNPROTECTED)

NO_CLASS = "(no class)"

STATE = "protection.state"
RECIPIENTS = "protection.recipients"
METHOD = "protection.method"
PSNR = "protection.psnr"
UNLEARNABILITY = "protection.unlearnability"

STEPS = 20
"""Fractions are counted in steps of 1/20 (of a dB, or of the score)."""

_ELSEWHERE = "\0"


@dataclass(frozen=True)
class Coverage:
    """What the panel shows of a dataset.

    Attributes:
        total: images in the dataset.
        states: images by state, all three of STATES.
        classes: images by class and state, classes by name.
        recipients: images by everybody who has a copy of them.
        methods: images by the method of the copy shown.
        psnr: protected images by PSNR, in steps of 1/STEPS dB.
        unlearnability: likewise by their score.
    """

    total: int
    states: dict[str, int]
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    recipients: dict[str, int] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    psnr: dict[int, int] = field(default_factory=dict)
    unlearnability: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Bins:
    """A histogram over equal bins.

    Attributes:
        edges: one more than there are bins.
        counts: images in ``edges[i] <= value < edges[i + 1]``.
    """

    edges: list[float]
    counts: list[int]


def measure(dataset: fo.Dataset, label_path: str | None) -> Coverage:
    """Count everything that the panel shows.

    Args:
        dataset: the whole of it is counted, whatever the grid shows.
        label_path: of the class labels, or None if there are none.
    """
    if not dataset.has_field(STATE):
        total = dataset.count()
        return Coverage(total, {PROTECTED: 0, FAILED: 0, UNPROTECTED: total})
    counted = _Request(dataset)
    counted.ask("state", F(STATE))
    if label_path is not None and dataset.has_field(label_path):
        for state in (PROTECTED, FAILED):
            counted.ask(f"class {state}", _only(F(STATE) == state, F(label_path)))
        counted.ask("class", F(label_path))
    counted.ask("recipients", RECIPIENTS)
    counted.ask("method", _only(F(STATE) == PROTECTED, F(METHOD)))
    counted.ask("psnr", _step(PSNR))
    counted.ask("unlearnability", _step(UNLEARNABILITY))
    found = counted.answers()
    states = found["state"]
    total = sum(states.values())
    known = {state: int(states.get(state, 0)) for state in (PROTECTED, FAILED)}
    return Coverage(
        total=total,
        states={**known, UNPROTECTED: total - sum(known.values())},
        classes=_classes(found),
        recipients=_named(found.get("recipients", {})),
        methods=_named(found.get("method", {})),
        psnr=_stepped(found.get("psnr", {})),
        unlearnability=_up_to_one(_stepped(found.get("unlearnability", {}))),
    )


def count_view(view: Any) -> dict[str, int] | None:
    """How many images a view has, and how many are protected; None of all images."""
    if isinstance(view, fo.Dataset) or not view._stages:
        return None
    if not view._root_dataset.has_field(STATE) or view._is_generated:
        return {"total": view.count(), PROTECTED: 0}
    states = view.count_values(STATE)
    return {"total": sum(states.values()), PROTECTED: int(states.get(PROTECTED, 0))}


def histogram(steps: Mapping[int, int], limit: int = 20, widest: int = 200) -> Bins:
    """Bins of a round width, as few as show the spread.

    Args:
        steps: counts by value, in steps of 1/STEPS.
        limit: how many bins at most.
        widest: the widest bin, in steps; beyond it, ``limit`` gives way.
    """
    if not steps:
        return Bins([], [])
    lowest, highest = min(steps), max(steps)
    widths = [width for width in (1, 2, 4, 5, 10, 20, 40, 100, 200) if width <= widest]
    width = next((w for w in widths if highest // w - lowest // w < limit), widths[-1])
    first, last = lowest // width, highest // width
    counts = [0] * (last - first + 1)
    for step, count in steps.items():
        counts[step // width - first] += count
    edges = [(first + index) * width / STEPS for index in range(len(counts) + 1)]
    return Bins(edges, counts)


def of_state(state: str) -> Any:
    """The expression that a sample in this state matches."""
    if state == UNPROTECTED:
        return (F(STATE) != PROTECTED) & (F(STATE) != FAILED)
    return F(STATE) == state


def in_bin(path: str, edges: list[float], index: int) -> Any:
    """The expression that the values of a bin match; the last one has no upper edge."""
    at_least = F(path) >= edges[index]
    if index + 2 >= len(edges):
        return at_least
    return at_least & (F(path) < edges[index + 1])


def of_class(label_path: str, label: str) -> Any:
    """The expression that a sample of a class, or of none, matches."""
    return F(label_path) == (None if label == NO_CLASS else label)


class _Request:
    """Several counts in one call to the database."""

    def __init__(self, dataset: fo.Dataset) -> None:
        self._dataset = dataset
        self._names: list[str] = []
        self._counts: list[fo.CountValues] = []

    def ask(self, name: str, what: Any) -> None:
        self._names.append(name)
        self._counts.append(fo.CountValues(what))

    def answers(self) -> dict[str, dict[Any, int]]:
        return dict(
            zip(self._names, self._dataset.aggregate(self._counts), strict=True)
        )


def _only(condition: Any, value: Any) -> Any:
    return condition.if_else(value, _ELSEWHERE)


def _step(path: str) -> Any:
    return (F(path) * STEPS).floor()


def _classes(found: Mapping[str, Mapping[Any, int]]) -> dict[str, dict[str, int]]:
    classes: dict[str, dict[str, int]] = {}
    for label, total in found.get("class", {}).items():
        counts = {
            state: found[f"class {state}"].get(label, 0)
            for state in (PROTECTED, FAILED)
        }
        counts[UNPROTECTED] = total - sum(counts.values())
        classes[NO_CLASS if label is None else str(label)] = counts
    return dict(sorted(classes.items()))


def _named(counts: Mapping[Any, int]) -> dict[str, int]:
    named = {k: v for k, v in counts.items() if k is not None and k != _ELSEWHERE}
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))


def _stepped(counts: Mapping[Any, int]) -> dict[int, int]:
    return {
        int(step): count
        for step, count in counts.items()
        if step is not None and math.isfinite(step)
    }


def _up_to_one(steps: dict[int, int]) -> dict[int, int]:
    """A score of 1 counts in the bin below it, which then ends at 1."""
    counts: dict[int, int] = {}
    for step, count in steps.items():
        index = min(step, STEPS - 1)
        counts[index] = counts.get(index, 0) + count
    return counts
