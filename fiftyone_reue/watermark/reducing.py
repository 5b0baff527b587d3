"""The size at which a suspect and its original are compared.

A mark's waves are counted over the whole picture, so that the finest are the longer the
larger it is: 13 pixels where the shorter side has 1,024. Means over so many pixels as
leave that side hold all of a mark, and a photograph of 50 megapixels takes as little
memory and time as one of two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fiftyone_reue.watermark import read

ORIGINALS = 1024
"""An original's shorter side isn't made smaller than this ..."""

SUSPECTS = 2048
"""... nor a suspect's than this: it may show several originals, or one in a frame."""

_MOST_PIXELS = 4
"""So many squares of these sides at most are compared of a long picture ..."""

_LEAST = 3 / 8
"""... as long as its shorter side isn't made smaller than this share of them."""

_ROWS = 256


def reduced_size(height: int, width: int, shortest: int) -> tuple[int, int]:
    """The size at which a picture is compared.

    Args:
        height: pixels.
        width: pixels.
        shortest: what its shorter side isn't made smaller than, ORIGINALS or SUSPECTS.

    Returns:
        Height and width, a whole number of times smaller, rounded; the picture's own
        if its shorter side is less than two times that.
    """
    shorter = min(height, width)
    by = max(1, shorter // shortest)
    most = max(by, int(shorter / (_LEAST * shortest)))
    while by < most and height * width > _MOST_PIXELS * (shortest * by) ** 2:
        by += 1
    return max(1, round(height / by)), max(1, round(width / by))


def reduced_luma(
    samples: np.ndarray, colours: int, peak: int | None, size: tuple[int, int]
) -> np.ndarray:
    """The luma of a picture, alpha dropped, as means over areas.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        colours: how many leading channels are colour.
        peak: the largest value of the data's range; None: the samples' type's.
        size: of what is made, at most H and W; see :func:`reduced_size`.

    Returns:
        ``size`` float32, in gray levels of 1/255; where that is the picture's own, as
        :func:`fiftyone_reue.watermark.read.luma` has it.
    """
    return reduced(samples, size, lambda some: read.luma(some, colours, peak))


def reduced(
    samples: np.ndarray,
    size: tuple[int, int],
    look: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """What is seen of a picture, as means over areas.

    Args:
        samples: ``(H, W, C)``.
        size: of what is made, at most H and W.
        look: gives of some rows, ``(h, W, C)``, what is seen, ``(h, W)`` float32.

    Returns:
        ``size`` float32.
    """
    if size == samples.shape[:2]:
        return look(samples)
    # A few rows at a time, for all of them take more memory than the samples.
    narrow = np.empty((len(samples), size[1]), np.float32)
    for start in range(0, len(samples), _ROWS):
        rows = look(samples[start : start + _ROWS])
        narrow[start : start + _ROWS] = averaged(rows, (len(rows), size[1]))
    return averaged(narrow, size)


def averaged(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Means over areas of ``(H, W)`` float32 values; ``size`` is at most H and W."""
    import cv2  # takes a while, and only tracing needs it

    if size == values.shape:
        return values
    return cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA)
