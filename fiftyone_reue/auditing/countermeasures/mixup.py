"""MixUp: images and targets are averaged in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)

if TYPE_CHECKING:
    import torch


class MixUp(Countermeasure):
    """Weighted means with a shuffled batch, after shifts and flips.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018,
    arXiv:1710.09412, on every batch. The weights follow Beta(1, 1), which is uniform,
    and are each image's own.
    """

    info = CountermeasureInfo(
        "mixup",
        "MixUp",
        "Zhang et al., ICLR 2018, arXiv:1710.09412",
        "augmentation",
        {"alpha": 1, "probability": 1},
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        import torch

        images, targets = super().augment(images, targets, generator)
        other = torch.randperm(len(images), generator=generator).to(images.device)
        share = torch.rand(len(images), 1, generator=generator).to(images.device)
        mixed = images.lerp(images[other], share[..., None, None])
        return mixed, targets.lerp(targets[other], share)
