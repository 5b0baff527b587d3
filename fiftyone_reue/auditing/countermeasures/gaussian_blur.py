"""Gaussian blur."""

from __future__ import annotations

import math

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import REFERENCE_SIDE, Filter

SIGMA = 1.0
"""In pixels of a 32-pixel image."""


class GaussianBlur(Filter):
    """A Gaussian of sigma 1 px at a side of 32, wider in proportion for larger sides.

    The "Gaussian" of APBench (Qin et al., TMLR 2024, arXiv:2308.03258) is a 3x3
    kernel of sigma 0.1, whose centre weight is 1 to within rounding: it changes no
    image, and its published numbers are those without a countermeasure. The trained
    model is asked images that were not blurred.
    """

    info = CountermeasureInfo(
        "gaussian_blur", "Gaussian blur", "", "filter", {"sigma_at_32_px": SIGMA}
    )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        return blurred(images, SIGMA * images.shape[1] / REFERENCE_SIDE)


class FixedBlur(Filter):
    """A Gaussian of so many pixels, whatever the side, as image programs have it.

    On photographs it takes what is fine and leaves what they show, which
    :class:`GaussianBlur` takes as well. The trained model is asked blurred images too.
    """

    def __init__(self, sigma: int) -> None:
        """Args: sigma: of the Gaussian, pixels, at least 1."""
        self.sigma = sigma
        self.info = CountermeasureInfo(
            f"blur_{sigma}", f"Blur of {sigma} px", "", "filter", {"sigma": sigma}
        )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        return blurred(images, self.sigma)

    def at_test(self, images: np.ndarray, seed: int) -> np.ndarray:
        """Blurred as well; see the base class."""
        return self.filtered(images)


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """``(N, S, S, 3)`` uint8 images under a Gaussian of so many pixels."""
    weights = blur_matrix(images.shape[1], sigma)
    planes = images.transpose(0, 3, 1, 2).astype(np.float32)
    made = np.rint(weights @ planes @ weights.T).astype(np.uint8)
    return np.ascontiguousarray(made.transpose(0, 2, 3, 1))


def blur_matrix(size: int, sigma: float) -> np.ndarray:
    """What a column of pixels is multiplied by to blur it, edges mirrored.

    Args:
        size: how many pixels.
        sigma: of the Gaussian in pixels; it is cut at three sigmas, or at the column's
            length where that is shorter.

    Returns:
        ``(size, size)`` float32, rows summing to 1.
    """
    radius = min(math.ceil(3 * sigma), size - 1)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    mirrored = np.pad(np.eye(size), ((radius, radius), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, len(kernel), axis=0)
    return (windows @ kernel).astype(np.float32)
