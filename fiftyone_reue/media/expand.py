"""A small pattern, stretched over an image by whole cells."""

from __future__ import annotations

import numpy as np


def expand(pattern: np.ndarray, height: int, width: int) -> np.ndarray:
    """Stretch a small pattern over an image, by whole cells and integers only.

    Args:
        pattern: ``(h, w, c)`` int8 or int16.
        height: rows of the image, >= 1.
        width: columns of the image, >= 1.

    Returns:
        ``(height, width, c)`` of the pattern's type, every cell repeated; the pattern
        itself if it has that size.
    """
    if pattern.shape[:2] == (height, width):
        return pattern
    rows = np.arange(height) * pattern.shape[0] // height
    columns = np.arange(width) * pattern.shape[1] // width
    return pattern.take(rows, axis=0).take(columns, axis=1)
