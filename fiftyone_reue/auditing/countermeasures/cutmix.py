"""CutMix: a square of each image comes from another image, and so does the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.countermeasures.cutout import draw_squares

if TYPE_CHECKING:
    import torch


class CutMix(Countermeasure):
    """Squares from a shuffled batch, after shifts and flips.

    Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features", ICCV 2019, arXiv:1905.04899, on every batch. The square's
    share of the area follows Beta(1, 1), which is uniform, before it is cut off at the
    edges; targets are mixed by the areas that are left. The draws are each image's
    own.
    """

    info = CountermeasureInfo(
        "cutmix",
        "CutMix",
        "Yun et al., ICCV 2019, arXiv:1905.04899",
        "augmentation",
        {"alpha": 1, "probability": 1},
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        import torch

        images, targets = super().augment(images, targets, generator)
        count, size = len(images), images.shape[-1]
        other = torch.randperm(count, generator=generator).to(images.device)
        area = torch.rand(count, generator=generator)
        sides = (area.sqrt() * size).round().long()
        mask = draw_squares(sides, size, generator).to(images.device)
        share = mask.float().mean(dim=(1, 2, 3))[:, None]
        mixed = torch.where(mask, images[other], images)
        return mixed, targets.lerp(targets[other], share)
