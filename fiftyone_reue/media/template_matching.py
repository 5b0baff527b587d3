"""Where in an image a part of it was cut out, by normalised cross-correlation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_PLAIN = 1e-3
"""Below this variance, in squared gray levels, rounding decides what correlates."""


class Match(NamedTuple):
    """Where a part fits best.

    Attributes:
        top: the row of the whole that the part's first row lies on.
        left: the column likewise.
        correlation: -1 to 1; 0 where either is one plain gray.
    """

    top: int
    left: int
    correlation: float


def find(part: np.ndarray, whole: np.ndarray) -> Match:
    """Find a part that wasn't scaled, turned or mirrored.

    Args:
        part: ``(h, w)`` gray levels.
        whole: ``(H, W)`` gray levels, H at least h and W at least w.

    Returns:
        The position of the largest correlation.
    """
    height, width = part.shape
    shape = whole.shape
    # Without their means, sums of squares are small and lose nothing.
    whole = whole.astype(np.float64) - whole.mean(dtype=np.float64)
    part = part.astype(np.float64) - part.mean(dtype=np.float64)
    spectrum = np.fft.rfft2(whole) * np.fft.rfft2(part, shape).conj()
    products = np.fft.irfft2(spectrum, shape)
    # Round the ends there is no whole window; the transform wraps around.
    products = products[: shape[0] - height + 1, : shape[1] - width + 1]
    sums = _windows(whole, height, width)
    spread = _windows(whole * whole, height, width) - sums * sums / part.size
    energy = float((part * part).sum())
    least = _PLAIN * part.size
    found = np.zeros_like(products)
    if energy > least:
        textured = spread > least
        found[textured] = products[textured] / np.sqrt(spread[textured] * energy)
    top, left = np.unravel_index(int(found.argmax()), found.shape)
    return Match(int(top), int(left), float(found[top, left].clip(-1, 1)))


def _windows(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """The sum of every window of a size."""
    total = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    below, above = total[height:], total[:-height]
    return below[:, width:] - below[:, :-width] - above[:, width:] + above[:, :-width]
