"""The size at which a network looks at an image, whatever the image's own.

An image's means over squares of 2 x 2, 4 x 4 ... pixels, each rounded down as in the
S-transform (:mod:`fiftyone_reue.invertible.haar`), move by exactly as much as all of
their pixels are moved by. So a network may change the means, its change is added to
the pixels square by square, and the changed means are there to be undone.
"""

from __future__ import annotations

import numpy as np


def levels_for(height: int, width: int, longest: int, least: int = 0) -> int:
    """How many times an image's sides are halved.

    Args:
        height: of the image.
        width: of the image.
        longest: halve until the shorter side is no longer than this.
        least: halve so many times at least.
    """
    levels = least
    while min(height, width) >> levels > longest:
        levels += 1
    return levels


def means(image: np.ndarray, levels: int, multiple: int = 2) -> np.ndarray:
    """Means over squares of ``2^levels`` pixels, rounded down at each halving.

    Args:
        image: ``(H, W, c)`` whole numbers.
        levels: halvings, 0 or more.
        multiple: of what the result's sides are to be.

    Returns:
        ``(h, w, c)`` int32, h and w multiples of ``multiple``; a strip narrower than
        ``multiple * 2^levels`` pixels at the right and the bottom is left out.
    """
    unit = multiple << levels
    height, width = (side - side % unit for side in image.shape[:2])
    small = image[:height, :width].astype(np.int32)
    for _ in range(levels):
        small = (small[:, 0::2] + small[:, 1::2]) >> 1
        small = (small[0::2] + small[1::2]) >> 1
    return small


def spread(change: np.ndarray, levels: int, height: int, width: int) -> np.ndarray:
    """A change of means as a change of pixels.

    Args:
        change: ``(h, w, c)`` whole numbers.
        levels: as for :func:`means`.
        height: rows of the image.
        width: columns of the image.

    Returns:
        ``(height, width, c)``, every cell ``2^levels`` pixels a side; 0 in the strip.
    """
    pixels = change.repeat(1 << levels, axis=0).repeat(1 << levels, axis=1)
    whole = np.zeros((height, width, change.shape[2]), change.dtype)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return whole
