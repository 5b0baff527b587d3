"""Bring a suspect onto its original's pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from fiftyone_reue.alignment import maps

_SHARP = 1.15
"""A suspect that is larger by more is reduced first, or it would alias."""

EDGE = 2
"""What is nearer to a suspect's edge, in pixels, is part invention."""


def resampled(
    suspect: np.ndarray, matrix: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """A suspect's luma where its original's pixels are.

    Args:
        suspect: ``(h, w)`` float32.
        matrix: the map from the original to the suspect.
        height: of the original.
        width: of the original.

    Returns:
        ``(height, width)`` float32 luma, and ``(height, width)`` bool: what of it the
        suspect shows. What it doesn't show is 0.
    """
    import cv2

    matrix = np.asarray(matrix, np.float64)
    middle = np.array([[(width - 1) / 2, (height - 1) / 2]])
    scale = abs(float(maps.scales(matrix, middle)[0]))
    if scale > _SHARP:
        size = (
            max(1, round(suspect.shape[1] / scale)),
            max(1, round(suspect.shape[0] / scale)),
        )
        small = Image.fromarray(suspect).resize(size, Image.Resampling.LANCZOS)
        matrix = maps.stretched(suspect.shape, (size[1], size[0])) @ matrix
        suspect = np.asarray(small)
    how = cv2.WARP_INVERSE_MAP
    luma = cv2.warpPerspective(
        suspect,
        matrix,
        (width, height),
        flags=cv2.INTER_LANCZOS4 | how,
        borderMode=cv2.BORDER_REPLICATE,
    )
    inside = np.zeros(suspect.shape, np.uint8)
    margin = min(EDGE, (min(suspect.shape) - 1) // 2)
    if _keeps_all(matrix, suspect.shape, height, width):
        margin = 0
    inside[margin : suspect.shape[0] - margin, margin : suspect.shape[1] - margin] = 1
    shown = cv2.warpPerspective(
        inside, matrix, (width, height), flags=cv2.INTER_NEAREST | how
    )
    covered = shown > 0
    luma[~covered] = 0
    return luma.clip(0, 255), covered


def _keeps_all(
    matrix: np.ndarray, shape: tuple[int, ...], height: int, width: int
) -> bool:
    """Whether a suspect ends where its original does, to a fraction of a pixel."""
    ends = maps.applied(matrix, maps.corners(height, width))
    return bool(np.abs(ends - maps.corners(shape[0], shape[1])).max() < 0.75)
