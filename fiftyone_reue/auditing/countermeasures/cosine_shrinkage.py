"""Leave small cosine coefficients out: the usual denoiser without training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter, in_planes

if TYPE_CHECKING:
    import torch

BLOCK = 8
SIGMA = 8.0
"""Gray levels that are taken for noise, as an epsilon of 8 has at most."""
MOST = 2.7
"""Standard deviations below which a coefficient is left out."""


class CosineShrinkage(Filter):
    """Every 8x8 block, overlapping, without its small cosine coefficients.

    Yu and Sapiro, "DCT Image Denoising: a Simple and Effective Image Denoising
    Algorithm", IPOL 2011. Blocks count the more the fewer coefficients they keep. The
    trained model is asked filtered images too.
    """

    info = CountermeasureInfo(
        "cosine_shrinkage",
        "Small cosine coefficients removed",
        "Yu and Sapiro, IPOL 2011",
        "filter",
        {"block": BLOCK, "sigma": SIGMA, "most": MOST},
    )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        return in_planes(images, shrunk)

    def at_test(self, images: np.ndarray, seed: int) -> np.ndarray:
        """Filtered as well; see the base class."""
        return self.filtered(images)


def shrunk(planes: torch.Tensor) -> torch.Tensor:
    """``(N, 3, S, S)`` float32 gray levels to the same, S at least 8."""
    import torch
    from torch.nn import functional

    place = torch.arange(BLOCK, device=planes.device, dtype=torch.float32)
    waves = torch.cos((2 * place + 1) * place[:, None] * math.pi / (2 * BLOCK))
    waves = waves * math.sqrt(2 / BLOCK)
    waves[0] *= math.sqrt(0.5)
    atoms = torch.einsum("ux,vy->uvxy", waves, waves).reshape(-1, 1, BLOCK, BLOCK)
    single = planes.reshape(-1, 1, *planes.shape[2:])
    padded = functional.pad(single, (BLOCK - 1,) * 4, mode="reflect")
    found = functional.conv2d(padded, atoms)
    kept = found.abs() > MOST * SIGMA
    kept[:, 0] = True
    weight = 1 / kept.sum(1, keepdim=True)
    total = functional.conv_transpose2d(found * kept * weight, atoms)
    ones = torch.ones(1, 1, BLOCK, BLOCK, device=planes.device)
    share = functional.conv_transpose2d(weight, ones)
    inner = slice(BLOCK - 1, 1 - BLOCK)
    return (total / share)[..., inner, inner].reshape(planes.shape)
