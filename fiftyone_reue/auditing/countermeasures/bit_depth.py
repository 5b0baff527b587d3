"""Bit depth reduction: few levels a channel."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter


class BitDepth(Filter):
    """Each sample is rounded to the nearest of ``2 ** bits`` even levels, 0 to 255.

    Liu, Zhao and Larson, "Image Shortcut Squeezing: Countering Perturbative
    Availability Poisons with Compression", ICML 2023, arXiv:2301.13838, with 2 bits.
    As there, the trained model is asked images of full depth. APBench (Qin et al.,
    TMLR 2024, arXiv:2308.03258) drops the low bits instead, which also darkens.
    """

    def __init__(self, bits: int) -> None:
        """Args: bits: kept a channel, 1 to 7."""
        self.steps = 2**bits - 1
        self.info = CountermeasureInfo(
            f"bit_depth_{bits}",
            f"Bit depth {bits}",
            "Liu et al., ICML 2023, arXiv:2301.13838",
            "filter",
            {"bits": bits},
        )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        levels = np.arange(256)
        table = np.rint(np.rint(levels * self.steps / 255) * 255 / self.steps)
        return table.astype(np.uint8)[images]


BIT_DEPTH = BitDepth(2)
