"""Cutout: a square of each image is masked; also the masks that CutMix cuts with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)

if TYPE_CHECKING:
    import torch

SHARE = 0.5
"""The square's side, as a share of the image's: 16 px at 32."""


class Cutout(Countermeasure):
    """A square of half of the side, around a random pixel, after shifts and flips.

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout", 2017, arXiv:1708.04552. The square may reach beyond the image. It gets
    the batch's mean colour, as there, where normalised images are masked with zero.
    """

    info = CountermeasureInfo(
        "cutout",
        "Cutout",
        "DeVries and Taylor, 2017, arXiv:1708.04552",
        "augmentation",
        {"side_at_32_px": 16},
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        import torch

        images, targets = super().augment(images, targets, generator)
        count, size = len(images), images.shape[-1]
        sides = torch.full((count,), round(SHARE * size))
        mask = draw_squares(sides, size, generator).to(images.device)
        mean = images.mean(dim=(0, 2, 3), keepdim=True)
        return torch.where(mask, mean, images), targets


def draw_squares(
    sides: torch.Tensor, size: int, generator: torch.Generator
) -> torch.Tensor:
    """Squares around uniformly drawn pixels, cut off at the image's edges.

    Args:
        sides: ``(N,)`` int64, the squares' sides in pixels.
        size: the images' side in pixels, S.
        generator: for the draws, on the CPU.

    Returns:
        ``(N, 1, S, S)`` bool, True inside.
    """
    import torch

    starts = torch.randint(0, size, (2, len(sides)), generator=generator) - sides // 2
    along = torch.arange(size)
    inside = (along >= starts[..., None]) & (along < (starts + sides)[..., None])
    return (inside[0, :, :, None] & inside[1, :, None, :])[:, None]
