"""Grayscale: all colour is dropped."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of red, green and blue."""


class Grayscale(Filter):
    """Three equal channels of ITU-R BT.601 luma.

    Liu, Zhao and Larson, "Image Shortcut Squeezing: Countering Perturbative
    Availability Poisons with Compression", ICML 2023, arXiv:2301.13838. As there, the
    trained model is asked gray images too.
    """

    info = CountermeasureInfo(
        "grayscale", "Grayscale", "Liu et al., ICML 2023, arXiv:2301.13838", "filter"
    )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        luma = np.rint(images @ np.array(LUMA)).astype(np.uint8)
        return np.repeat(luma[..., None], 3, axis=-1)

    def at_test(self, images: np.ndarray, seed: int) -> np.ndarray:
        """Gray as well; see the base class."""
        return self.apply(images)
