"""Reading a suspect unaided, without its original.

What is smooth around a pixel tells most of what the original was there: the rest is
texture, noise and the mark. How much of it is taken for noise follows from how much
there is (Lee, IEEE TPAMI 1980, the local form of Wiener's filter), so that strong edges
and texture, of which nothing is known, count for little. What remains is read as it is
beside an original, with each frequency weighted by the noise around it.
"""

from __future__ import annotations

import math

import numpy as np

from fiftyone_reue.watermark.read import Carried

_AROUND = 5
"""The side of what is smoothed over, pixels."""

_POWER = 9.0
"""What a mark, and rounding, are taken to have at most, squared gray levels."""


def remains(luma: np.ndarray) -> np.ndarray:
    """What is left of a suspect without what its surroundings tell.

    Args:
        luma: ``(H, W)`` float32, of the size at which the original would be compared.

    Returns:
        ``(H, W)`` float32 in gray levels.
    """
    import cv2  # takes a while, and only tracing needs it

    size = (_AROUND, _AROUND)
    mean = cv2.blur(luma, size, borderType=cv2.BORDER_REFLECT)
    square = cv2.blur(luma * luma, size, borderType=cv2.BORDER_REFLECT)
    power = np.maximum(square - mean * mean, np.float32(_POWER))
    left: np.ndarray = (luma - mean) * (np.float32(_POWER) / power)
    return left


def log_chance(carried: Carried) -> float:
    """How likely as much is found by chance in the places of a mark, at most.

    To a file that has nothing to do with an image its carrier's signs are fair coins.
    Sums with such signs aren't larger than normal ones in any moment, so that the sum
    of their squares is bound as that of as many normal ones (Chernoff's bound). No code
    is looked at.

    Args:
        carried: what was found.

    Returns:
        The natural logarithm of the bound, at most 0.
    """
    there = carried.variances > 0
    count = int(there.sum())
    if not count:
        return 0.0
    total = float(np.sum(carried.soft[there] ** 2 / carried.variances[there]))
    if total <= count:
        return 0.0
    return count / 2 * math.log(total / count) - (total - count) / 2
