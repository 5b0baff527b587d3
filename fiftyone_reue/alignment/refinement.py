"""Move a map until the suspect fits its original to a small part of a pixel.

A watermark's finest waves are some five pixels long, so that half a pixel loses it.
Features tell where a suspect lies to about that; the picture itself tells it to a
hundredth: enhanced correlation (Evangelidis and Psarakis, PAMI 2008), from coarse to
fine. It is the original that is compared, never a mark.
"""

from __future__ import annotations

import numpy as np

from fiftyone_reue.alignment import maps

MOST_PIXELS = 400_000
"""Larger originals are reduced: a mark's waves are longer there."""

_STEPS = 25
_ENOUGH = 1e-5
_SMOOTHING = 3
_LEAST_SIDE = 24


def refined(
    matrix: np.ndarray,
    suspect: np.ndarray,
    original: np.ndarray,
    *,
    seen: np.ndarray | None = None,
    coarser: int = 0,
) -> np.ndarray | None:
    """A better map.

    Args:
        matrix: the map from the original to the suspect, a few pixels off at most.
        suspect: ``(h, w)`` float32 luma.
        original: ``(H, W)`` float32 luma.
        seen: ``(H, W)`` bool, what the suspect shows of the original and nobody drew
            over; None where that isn't known.
        coarser: from how many halvings of the original to start; each doubles what
            the map may be off.

    Returns:
        The map; None if there is none nearby by which the two fit.
    """
    import cv2

    bent = bool(np.abs(matrix[2, :2]).max() > 0)
    for step in range(coarser, -1, -1):
        shrink = 0.5**step * min(1.0, (MOST_PIXELS / original.size) ** 0.5)
        size = tuple(max(1, round(side * shrink)) for side in original.shape)
        if min(size) < _LEAST_SIDE and step:
            continue
        # Both are compared at the original's size, reduced, so that neither aliases.
        like, theirs, ours_to, theirs_to = _reduced(matrix, suspect, original, size)
        small = theirs_to @ matrix @ np.linalg.inv(ours_to)
        mask: np.ndarray = np.ones(theirs.shape, np.uint8)
        if seen is not None:
            there = cv2.resize(seen.astype(np.uint8), size[::-1], interpolation=0)
            lying = cv2.warpPerspective(
                there, small, theirs.shape[::-1], flags=cv2.INTER_NEAREST
            )
            mask = np.asarray(lying)
            if not mask.any():
                return None
        mode = cv2.MOTION_HOMOGRAPHY if bent else cv2.MOTION_AFFINE
        start = small / small[2, 2] if bent else small[:2]
        try:
            _, found = cv2.findTransformECC(
                like,
                theirs,
                start.astype(np.float32),
                mode,
                (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _STEPS, _ENOUGH),
                mask,
                _SMOOTHING if min(size) >= 2 * _LEAST_SIDE else 1,
            )
        except cv2.error:  # it didn't converge, or nothing overlaps
            return None
        whole = found.astype(np.float64)
        if not bent:
            whole = np.vstack([whole, [0, 0, 1.0]])
        matrix = np.linalg.inv(theirs_to) @ whole @ ours_to
        matrix = matrix / matrix[2, 2]
        if not maps.is_plausible(matrix, *original.shape):
            return None
    return matrix


def _reduced(
    matrix: np.ndarray,
    suspect: np.ndarray,
    original: np.ndarray,
    size: tuple[int, ...],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Both images at about the size that the original is compared at.

    Returns:
        The original and the suspect, and the maps from each to its smaller self.
    """
    import cv2

    like, ours_to = original, np.eye(3)
    if size != original.shape:
        like = cv2.resize(original, size[::-1], interpolation=cv2.INTER_AREA)
        ours_to = maps.stretched(original.shape, size)
    middle = np.array([[(original.shape[1] - 1) / 2, (original.shape[0] - 1) / 2]])
    scale = abs(float(maps.scales(matrix, middle)[0])) * original.shape[0] / size[0]
    if scale <= 1.5:
        return like, suspect, ours_to, np.eye(3)
    less = tuple(max(1, round(side / scale)) for side in suspect.shape)
    theirs = cv2.resize(suspect, less[::-1], interpolation=cv2.INTER_AREA)
    theirs_to = maps.stretched(suspect.shape, less)
    return like, theirs, ours_to, theirs_to
