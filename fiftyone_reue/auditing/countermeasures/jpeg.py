"""JPEG compression, from hardly visible to coarse."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter


class Jpeg(Filter):
    """Pillow's JPEG of one quality, with its default 4:2:0 colour subsampling.

    Liu, Zhao and Larson, "Image Shortcut Squeezing: Countering Perturbative
    Availability Poisons with Compression", ICML 2023, arXiv:2301.13838, at quality 10.
    As there, the trained model is asked images that were not compressed.
    """

    def __init__(self, quality: int) -> None:
        """Args: quality: 1 (coarse) to 95 (fine), as Pillow counts."""
        self.quality = quality
        self.info = CountermeasureInfo(
            f"jpeg_{quality}",
            f"JPEG, quality {quality}",
            "Liu et al., ICML 2023, arXiv:2301.13838",
            "filter",
            {"quality": quality, "subsampling": "4:2:0"},
        )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        return np.stack([compress(image, self.quality) for image in images])


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """What is left of an ``(S, S, 3)`` uint8 image after JPEG compression."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as compressed:
        return np.asarray(compressed)


JPEG = tuple(Jpeg(quality) for quality in (10, 30, 50, 70, 90))
