"""Gaussian noise on every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)

if TYPE_CHECKING:
    import torch

SIGMA = 16
"""Standard deviation, of 255: twice the largest perturbation of the usual budget."""


class GaussianNoise(Countermeasure):
    """Independent noise for every sample, drawn anew for each batch.

    It comes after shifts and flips; the sum is cut to the range. The trained model is
    asked images without noise.
    """

    info = CountermeasureInfo(
        "gaussian_noise", "Gaussian noise", "", "filter", {"sigma_of_255": SIGMA}
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        import torch

        images, targets = super().augment(images, targets, generator)
        noise = torch.randn(images.shape, generator=generator).to(images.device)
        return (images + noise * (SIGMA / 255)).clamp(0, 1), targets
