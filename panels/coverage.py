"""How far a dataset is protected, counted by the database in two looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
    groups = _groups(dataset, label_path)
    values = _values(dataset)
    states = _sums((one.state, one.images) for one in groups)
    total = sum(states.values())
    known = {state: states.get(state, 0) for state in (PROTECTED, FAILED)}
    return Coverage(
        total=total,
        states={**known, UNPROTECTED: total - sum(known.values())},
        classes={} if label_path is None else _classes(groups),
        recipients=_named(
            (name, one.images) for one in groups for name in one.recipients
        ),
        methods=_named(
            (one.method, one.images) for one in groups if one.state == PROTECTED
        ),
        psnr=_stepped((psnr, images) for psnr, _, images in values),
        unlearnability=_up_to_one(
            _stepped((score, images) for _, score, images in values)
        ),
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


@dataclass(frozen=True)
class _Group:
    """Images that have all of this in common."""

    state: str | None
    label: Any
    method: str | None
    recipients: tuple[str, ...]
    images: int


def _groups(dataset: fo.Dataset, label_path: str | None) -> list[_Group]:
    """All images, by what few of them differ in.

    One look for all, since a look at every sample is what takes long: FiftyOne's own
    aggregations take one each.
    """
    common = {"state": STATE, "method": METHOD, "recipients": RECIPIENTS}
    if label_path is not None and dataset.has_field(label_path):
        common["label"] = label_path
    found = _grouped(dataset, {name: f"${path}" for name, path in common.items()})
    return [
        _Group(
            key.get("state"),
            key.get("label"),
            key.get("method"),
            tuple(key.get("recipients") or ()),
            images,
        )
        for key, images in found
    ]


def _values(dataset: fo.Dataset) -> list[tuple[Any, Any, int]]:
    """PSNR and score of the images, in steps of 1/STEPS, and how many have both."""
    steps = {"psnr": _step(PSNR), "score": _step(UNLEARNABILITY)}
    found = _grouped(dataset, steps)
    return [(key.get("psnr"), key.get("score"), images) for key, images in found]


def _grouped(
    dataset: fo.Dataset, key: dict[str, Any]
) -> list[tuple[dict[str, Any], int]]:
    group = {"$group": {"_id": key, "images": {"$sum": 1}}}
    found = dataset._aggregate(pipeline=[group])
    return [(one["_id"], int(one["images"])) for one in found]


def _step(path: str) -> dict[str, Any]:
    return {"$floor": {"$multiply": [f"${path}", STEPS]}}


def _sums(pairs: Iterable[tuple[Any, int]]) -> dict[Any, int]:
    sums: dict[Any, int] = {}
    for name, images in pairs:
        sums[name] = sums.get(name, 0) + images
    return sums


def _classes(groups: list[_Group]) -> dict[str, dict[str, int]]:
    classes: dict[str, dict[str, int]] = {}
    for one in groups:
        name = NO_CLASS if one.label is None else str(one.label)
        counts = classes.setdefault(name, dict.fromkeys(STATES, 0))
        known = one.state in (PROTECTED, FAILED)
        counts[str(one.state) if known else UNPROTECTED] += one.images
    return dict(sorted(classes.items()))


def _named(pairs: Iterable[tuple[Any, int]]) -> dict[str, int]:
    named = {k: v for k, v in _sums(pairs).items() if k is not None}
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))


def _stepped(pairs: Iterable[tuple[Any, int]]) -> dict[int, int]:
    return {
        int(step): count
        for step, count in _sums(pairs).items()
        if step is not None and math.isfinite(step)
    }


def _up_to_one(steps: dict[int, int]) -> dict[int, int]:
    """A score of 1 counts in the bin below it, which then ends at 1."""
    counts: dict[int, int] = {}
    for step, count in steps.items():
        index = min(step, STEPS - 1)
        counts[index] = counts.get(index, 0) + count
    return counts
