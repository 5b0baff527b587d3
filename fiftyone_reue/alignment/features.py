"""Local features: corners and blobs that are found again in a part, turned or scaled.

SIFT (Lowe, IJCV 2004) with the square root taken of its descriptors (Arandjelovic and
Zisserman, CVPR 2012), after which their dot product says how alike they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 1200
"""Features of one image, the strongest ones."""

LONGEST_SIDE = 1024
"""Larger images are reduced before features are looked for."""

RATIO = 0.85
"""A match is one if the second best is farther by this (Lowe's ratio)."""

_LEAST_CONTRAST = 0.008
"""SIFT's own is 0.04: too much for fog, sky and out-of-focus photographs."""

_SMALLEST_SIDE = 8

_TO_THE_RIGHT = 0.25
"""OpenCV doubles an image before it looks, by which its points lie a quarter of a pixel
too far to the right and down."""

_TURNED_OVER = (
    np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8) % 8].reshape(-1)
)
"""Where a descriptor's numbers are in a mirror image: of places across a feature's
direction the other side, and of directions the opposite turn."""


@dataclass(frozen=True)
class Features:
    """What stands out in an image.

    Attributes:
        points: ``(n, 2)`` float32, x and y in pixels; a pixel's middle is whole.
        sizes: ``(n,)`` float32, the diameter of what is described, pixels.
        angles: ``(n,)`` float32, its direction in degrees, 0 to 360.
        descriptors: ``(n, 128)`` float32 of length 1, none of them negative.
    """

    points: np.ndarray
    sizes: np.ndarray
    angles: np.ndarray
    descriptors: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    def where(self, chosen: np.ndarray) -> Features:
        """Those that are chosen by ``(n,)`` bool."""
        parts = (self.points, self.sizes, self.angles, self.descriptors)
        return Features(*(part[chosen] for part in parts))


def find(luma: np.ndarray, most: int = MOST) -> Features:
    """The features of an image.

    Args:
        luma: ``(H, W)`` float32 in [0, 255].
        most: how many at most.

    Returns:
        The strongest ones; none of an image that is flat or a few pixels small.
    """
    import cv2  # takes a while, and only tracing needs it

    height, width = luma.shape
    if min(height, width) < _SMALLEST_SIDE:
        return _none()
    shrink = min(1.0, LONGEST_SIDE / max(height, width))
    gray = np.rint(luma).clip(0, 255).astype(np.uint8)
    if shrink < 1:
        gray = cv2.resize(
            gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
        )
    sift = cv2.SIFT.create(nfeatures=most, contrastThreshold=_LEAST_CONTRAST)
    found, raw = sift.detectAndCompute(gray, None)
    if not found:
        return _none()
    # Pixels' middles lie half a pixel from their corners, which scale.
    factor = np.array([gray.shape[1] / width, gray.shape[0] / height], np.float32)
    there = np.array([one.pt for one in found], np.float32) - _TO_THE_RIGHT
    points = (there + 0.5) / factor - 0.5
    sizes = np.array([one.size for one in found], np.float32) / shrink
    angles = np.array([one.angle for one in found], np.float32)
    sums = np.maximum(raw.sum(axis=1, keepdims=True), 1)
    return Features(points, sizes, angles, np.sqrt(raw / sums))


def mirrored(found: Features, width: int) -> Features:
    """The features of a mirror image, left and right exchanged.

    Args:
        found: the image's.
        width: its width, pixels.
    """
    points = found.points.copy()
    points[:, 0] = width - 1 - points[:, 0]
    return Features(
        points,
        found.sizes,
        (180 - found.angles) % 360,
        found.descriptors[:, _TURNED_OVER],
    )


def matches(ours: Features, theirs: Features) -> np.ndarray:
    """Which features of two images are the same thing.

    Args:
        ours: of one image.
        theirs: of the other.

    Returns:
        ``(k, 2)`` int64: the place of each in ours and in theirs. Each of theirs
        belongs to one of ours at most.
    """
    if not len(ours) or len(theirs) < 2:
        return np.zeros((0, 2), np.int64)
    alike = ours.descriptors @ theirs.descriptors.T
    best = alike.argmax(axis=1)
    rows = np.arange(len(ours))
    first = alike[rows, best]
    back = alike.argmax(axis=0)
    alike[rows, best] = -1
    second = alike.max(axis=1)
    # Distances of vectors of length 1.
    clear = 1 - first < RATIO**2 * (1 - second)
    kept = clear & (back[best] == rows)
    return np.stack([rows[kept], best[kept]], axis=1)


def _none() -> Features:
    empty = np.zeros(0, np.float32)
    return Features(
        np.zeros((0, 2), np.float32), empty, empty, np.zeros((0, 128), np.float32)
    )
