"""Projective maps: from an original's pixels to a suspect's.

A map is a ``(3, 3)`` float64 matrix on ``(x, y, 1)``; a pixel's middle has whole
coordinates. Similarities and affine maps are maps whose last row is ``0, 0, 1``.
"""

from __future__ import annotations

import numpy as np

LARGEST_SCALE = 40.0
"""No suspect is enlarged or reduced by more than this."""

_STEEPEST = 0.35
"""How much the scale may change from one end of an original to another (a share)."""

_LONGEST = 4.0
"""How much more an original may be stretched one way than the other."""


def stretched(original: tuple[int, ...], suspect: tuple[int, ...]) -> np.ndarray:
    """The map of a suspect that shows all of its original, resized.

    Args:
        original: its height and width.
        suspect: the same of the suspect.
    """
    down, across = suspect[0] / original[0], suspect[1] / original[1]
    return np.array(
        [[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1.0]]
    )


def window(
    original: tuple[int, ...],
    suspect: tuple[int, ...],
    place: tuple[float, float, float],
) -> np.ndarray:
    """The map of a suspect that shows a part of its original, resized.

    Args:
        original: its height and width.
        suspect: the same of the suspect.
        place: top, left and side of the part, as shares of the original's height,
            width, and both.
    """
    top, left, side = place
    down = suspect[0] / (side * original[0])
    across = suspect[1] / (side * original[1])
    return np.array(
        [
            [across, 0, (0.5 - left * original[1]) * across - 0.5],
            [0, down, (0.5 - top * original[0]) * down - 0.5],
            [0, 0, 1.0],
        ]
    )


def applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where ``(n, 2)`` points go; float64."""
    ends = np.c_[points, np.ones(len(points))] @ matrix.T
    return ends[:, :2] / ends[:, 2:]


def corners(height: int, width: int) -> np.ndarray:
    """``(4, 2)`` float64: the outermost pixels' middles, clockwise."""
    right, bottom = width - 1.0, height - 1.0
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]])


def scales(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """By how much a map enlarges lengths at points; negative where it mirrors.

    Args:
        matrix: the map.
        points: ``(n, 2)``.
    """
    depth = np.c_[points, np.ones(len(points))] @ matrix[2]
    area = np.linalg.det(matrix) / depth**3
    return np.sign(area) * np.sqrt(np.abs(area))


def is_plausible(matrix: np.ndarray, height: int, width: int) -> bool:
    """Whether a suspect may lie on an original like this: not mirrored, folded, or
    stretched beyond recognition.

    Args:
        matrix: the map.
        height: of the original.
        width: of the original.
    """
    if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-9:
        return False
    ends = corners(height, width)
    depth = np.c_[ends, np.ones(4)] @ matrix[2]
    if depth.min() <= 0:
        return False
    found = scales(matrix, ends)
    if found.min() < 1 / LARGEST_SCALE or found.max() > LARGEST_SCALE:
        return False
    if found.max() > (1 + _STEEPEST) ** 2 * found.min():
        return False
    longest, shortest = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    return bool(longest <= _LONGEST * shortest)
