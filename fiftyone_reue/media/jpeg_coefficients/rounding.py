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

PARTS = 64
"""Of a coefficient times its step, what is wanted is in."""

_PIXEL_BITS = 14
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
        wanted: (..., 8, 8) int32, coefficients times steps, in parts of 64, at most
            ±2048 whole ones.
        quantisation: (8, 8), the steps.
        limit: by how much a pixel may change, before a decoder rounds; for each block,
            (...), or for all.

    Returns:
        (..., 8, 8) int16.

    Raises:
        ValueError: something wanted is far too large.
    """
    most = _MOST_WANTED * PARTS
    if wanted.max(initial=0) > most or wanted.min(initial=0) < -most:
        raise ValueError("the wanted change is far too large")
    bounds = np.broadcast_to(np.asarray(limit, np.float64), wanted.shape[:-2])
    limits = np.floor(np.minimum(bounds, _MOST_LIMIT) * (1 << _PIXEL_BITS))
    steps = quantisation.reshape(64).astype(np.int32)
    offsets = library.fit(wanted.reshape(-1, 64), steps, _BASIS, limits.reshape(-1))
    return offsets.reshape(wanted.shape)


def strength(
    wanted: list[np.ndarray | None],
    offsets: list[np.ndarray],
    coefficients: Coefficients,
) -> float:
    """How much of a wanted change is there: 1 for all of it, 0 for nothing.

    It is the projection on what was wanted, over all components. Noise beside it
    doesn't count.
    """
    got = whole = 0
    for target, offset, one in zip(
        wanted, offsets, coefficients.components, strict=True
    ):
        if target is not None:
            more, most = library.projection(target, offset, one.quantisation)
            got += more
            whole += most
    return PARTS * got / whole if whole else 0.0
