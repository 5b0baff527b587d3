"""Several suspects of one original, joined into one reading of it.

Soft bits are log-likelihoods but for a factor, so those of suspects whose noise is
independent are summed. Two crops of different places have such noise; two saves of one
file haven't, and a copy of a file says nothing new. So the original is divided into
cells, and what is said of a cell counts once: suspects that show it share it, by how
much each says there. Nothing here looks at a code.

What is summed may be mush, where suspects are from several recipients, or where
somebody put one with the mark turned round beside an honest one. So each suspect's own
reading is kept beside the joined one, and each recipient may be weighed on that of them
which suits them, for a price (:mod:`fiftyone_reue.watermark.evidence`). However many
suspects there are, an original counts for at most 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.watermark.readings import CELLS, Reading, version
from fiftyone_reue.watermark.weights import ratio, weighted

_MOST = 32.0
"""A suspect's say against others of its original is below this, in ``x`` of
:func:`fiftyone_reue.watermark.weights.ratio`: a quiet file without noise could say
a thousand times what a saved copy does."""


@dataclass(frozen=True, eq=False)
class Joined:
    """What the suspects of one original say.

    Attributes:
        image_id: the original.
        bits: ``(bits,)`` float64, of length below 1: of all suspects together.
        alone: the same of each by itself; empty where there is one.
        places: which of the readings that were joined ``alone`` are, or the only one.
    """

    image_id: str
    bits: np.ndarray
    alone: tuple[np.ndarray, ...]
    places: tuple[int, ...]

    @property
    def ways(self) -> list[np.ndarray]:
        """All that the original may be weighed on: joined, or a suspect by itself."""
        return [self.bits, *self.alone]


def joined(readings: Sequence[Reading]) -> list[Joined]:
    """Join the readings of each original.

    Args:
        readings: any number; what has the same :func:`version` counts once.

    Returns:
        One for each original, in the order in which they are met.
    """
    found: dict[str, dict[str, int]] = {}
    for place, one in enumerate(readings):
        found.setdefault(one.image_id, {}).setdefault(version(one), place)
    return [
        _joined(image_id, [readings[place] for place in own.values()], [*own.values()])
        for image_id, own in found.items()
    ]


def _joined(image_id: str, own: Sequence[Reading], places: Sequence[int]) -> Joined:
    alone = [weighted(one.soft) for one in own]
    if len(own) == 1:
        return Joined(image_id, alone[0], (), tuple(places))
    return Joined(image_id, _sum(own), tuple(alone), tuple(places))


def _sum(own: Sequence[Reading]) -> np.ndarray:
    """What several suspects say together, of the length that this deserves."""
    said = np.array([ratio(one.soft) for one in own])
    spread = np.stack([_spread(one.seen) for one in own])
    together = float((said[:, None] * spread).max(axis=0).sum())
    if together <= 0:
        return np.zeros(len(own[0].soft))
    trusted = said / (1 + said / _MOST)
    by_cell = trusted[:, None] * spread
    shares = by_cell / np.maximum(by_cell.sum(axis=0), np.finfo(float).tiny)
    own_part = (shares * spread).sum(axis=1)
    factors = np.divide(
        own_part * trusted, said, out=np.zeros(len(said)), where=said > 0
    )
    total = factors @ np.stack([one.soft for one in own])
    size = math.sqrt(float(total @ total))
    agreed = _size_if_agreed(factors, said, len(total))
    if size <= 0:
        return np.zeros(len(total))
    length = math.sqrt(together / (1 + together)) * min(1.0, size / agreed)
    return np.asarray(total * (length / size))


def _size_if_agreed(factors: np.ndarray, said: np.ndarray, bits: int) -> float:
    """The length of a weighted sum of soft bits that say the same, about.

    Those that say something else make it shorter, and then it counts for less.
    """
    signal, noise = float(factors @ said), float(np.square(factors) @ said)
    return math.sqrt(bits * (signal * signal + noise))


def _spread(seen: np.ndarray | None) -> np.ndarray:
    """Which share of what a suspect says is said of each cell: ``(CELLS ** 2,)``."""
    cells = np.ones(CELLS * CELLS) if seen is None else seen.ravel()
    total = float(cells.sum())
    return cells / total if total > 0 else np.full(CELLS * CELLS, 1 / CELLS**2)
