"""From the coefficients that a change would need to whole offsets.

A change is rounded to the file's steps, and limited. Rounding alone does badly: where
steps are larger than twice what is wanted nothing is left, and of a pattern that is at
its limit everywhere the rounded one exceeds it nearly everywhere. So for each block
several ways are tried, and the one is taken of which most of what was wanted is left:
to the nearest step, in full or a share of it; whole steps, and one more of those that
are nearest to it; the single coefficient that gives most. Each is limited by taking
steps away, of what adds most to the worst pixel, or most for what it is worth.

All of it is integers: whoever has the wanted change has the same offsets.
"""

from __future__ import annotations

import numpy as np

from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.transform import BASIS, SCALE_BITS

MOST_AC = 1023
LEAST_DC, MOST_DC = -1024, 1023

_PARTS, _PIXEL_BITS = 64, 14
_MOST_WANTED = 2048
_MOST_LIMIT = 512
_BASIS = np.rint(BASIS / (1 << SCALE_BITS - _PIXEL_BITS)).astype(np.int32)


def fitted(
    wanted: np.ndarray, quantisation: np.ndarray, limit: float | np.ndarray
) -> np.ndarray:
    """Offsets with as much of a wanted change as there can be within a limit.

    How much there is, is the projection on what was wanted, by which a watermark is
    read and a pattern is learned; never is it more than was wanted.

    Args:
        wanted: (..., 8, 8) float64, coefficients times steps, within ±2048.
        quantisation: (8, 8), the steps.
        limit: by how much a pixel may change, before a decoder rounds; for each block,
            (...), or for all.

    Returns:
        (..., 8, 8) int16.

    Raises:
        ValueError: something wanted is far too large.
    """
    if wanted.size and np.abs(wanted).max() > _MOST_WANTED:
        raise ValueError("the wanted change is far too large")
    parts = np.rint(wanted * _PARTS).astype(np.int32).reshape(-1, 64)
    bounds = np.broadcast_to(np.asarray(limit, np.float64), wanted.shape[:-2])
    limits = np.floor(np.minimum(bounds, _MOST_LIMIT) * (1 << _PIXEL_BITS))
    steps = quantisation.reshape(64).astype(np.int32)
    offsets = library.fit(parts, steps, _BASIS, limits.reshape(-1))
    return offsets.reshape(wanted.shape)


def within_range(
    coefficients: Coefficients, offsets: list[np.ndarray]
) -> list[np.ndarray]:
    """Offsets that leave each coefficient in what the standard's codes can say.

    A coefficient that is out of it already doesn't change.

    Args:
        coefficients: of the file.
        offsets: of each component (rows, columns, 8, 8) int16.
    """
    least, most = np.full((8, 8), -MOST_AC), np.full((8, 8), MOST_AC)
    least[0, 0], most[0, 0] = LEAST_DC, MOST_DC
    kept = []
    for one, offset in zip(coefficients.components, offsets, strict=True):
        before = one.blocks.astype(np.int32)
        after = np.clip(before + offset, least, most)
        strange = (before < least) | (before > most)
        kept.append(np.where(strange, 0, after - before).astype(np.int16))
    return kept


def strength(
    wanted: list[np.ndarray | None],
    offsets: list[np.ndarray],
    coefficients: Coefficients,
) -> float:
    """How much of a wanted change is there: 1 for all of it, 0 for nothing.

    It is the projection on what was wanted, over all components. Noise beside it
    doesn't count.
    """
    got = whole = 0.0
    for target, offset, one in zip(
        wanted, offsets, coefficients.components, strict=True
    ):
        if target is not None:
            got += float((target * offset * one.quantisation).sum())
            whole += float((target * target).sum())
    return got / whole if whole else 0.0
