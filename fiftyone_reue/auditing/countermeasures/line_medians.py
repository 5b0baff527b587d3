"""Take each row's and column's median off, but for its smooth trend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter, in_planes

if TYPE_CHECKING:
    import torch

WINDOW = 16
"""The trend is a mean over two sixteenths of the side, taken twice."""


class LineMedians(Filter):
    """For a thief who sees stripes: the filter of five lines that takes them off.

    The median of a row or column is what all its pixels have in common; what of it
    changes from one line to the next is taken off. No paper: it is what the eye
    proposes, and it brings everything back that stripes hid. The trained model is asked
    filtered images too.
    """

    info = CountermeasureInfo(
        "line_medians",
        "Rows' and columns' medians removed",
        "",
        "filter",
        {"window": WINDOW},
    )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        return in_planes(images, without_lines)

    def at_test(self, images: np.ndarray, seed: int) -> np.ndarray:
        """Filtered as well; see the base class."""
        return self.filtered(images)


def without_lines(planes: torch.Tensor) -> torch.Tensor:
    """``(N, 3, S, S)`` float32 gray levels to the same, without stripes."""
    half = planes.shape[-1] // WINDOW
    for along, across in ((3, 2), (2, 3)):
        line = planes.median(along, keepdim=True).values
        trend = _mean(_mean(line, half, across), half, across)
        planes = planes - (line - trend)
    return planes


def _mean(line: torch.Tensor, half: int, axis: int) -> torch.Tensor:
    """Over so many pixels to both sides, edges mirrored."""
    from torch.nn import functional

    frame = (0, 0, half, half) if axis == 2 else (half, half, 0, 0)
    window = (2 * half + 1, 1) if axis == 2 else (1, 2 * half + 1)
    return functional.avg_pool2d(functional.pad(line, frame, mode="reflect"), window, 1)
