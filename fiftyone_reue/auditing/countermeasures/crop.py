"""Random resized crops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)

if TYPE_CHECKING:
    import torch

LEAST_AREA = 0.25
LARGEST_RATIO = 4 / 3


class RandomResizedCrop(Countermeasure):
    """A box of an image, resized to the whole side bilinearly, after shifts and flips.

    Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, arXiv:1409.4842: for
    each image an area of 25 to 100 % (there 8 to 100 %, of larger images) and a ratio
    of the sides of 3/4 to 4/3, log-uniform.
    """

    info = CountermeasureInfo(
        "random_resized_crop",
        "Random resized crop",
        "Szegedy et al., CVPR 2015, arXiv:1409.4842",
        "augmentation",
        {"least_area": LEAST_AREA, "largest_area": 1.0, "largest_ratio": "4/3"},
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        images, targets = super().augment(images, targets, generator)
        boxes = draw_boxes(len(images), generator)
        return resized_crop(images, boxes.to(images.device)), targets


def draw_boxes(count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw boxes within the image.

    Returns:
        ``(count, 4)`` float32: left, top, width and height, all as shares of the side.
    """
    import torch

    draws = torch.rand(4, count, generator=generator)
    area = LEAST_AREA + (1 - LEAST_AREA) * draws[0]
    ratio = ((2 * draws[1] - 1) * math.log(LARGEST_RATIO)).exp()
    width = (area * ratio).sqrt().clamp(max=1)
    height = (area / ratio).sqrt().clamp(max=1)
    left, top = (1 - width) * draws[2], (1 - height) * draws[3]
    return torch.stack([left, top, width, height], dim=1)


def resized_crop(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Crop each image to its box and resize that to the image's size, bilinearly.

    Args:
        images: ``(N, C, S, S)`` float32.
        boxes: ``(N, 4)`` as :func:`draw_boxes` makes them.

    Returns:
        ``(N, C, S, S)`` float32.
    """
    import torch
    from torch.nn import functional

    left, top, width, height = boxes.unbind(1)
    # Coordinates from -1 to 1: a box's centre and half its sides, times two.
    nothing = torch.zeros_like(left)
    across = torch.stack([width, nothing, 2 * left + width - 1], dim=1)
    down = torch.stack([nothing, height, 2 * top + height - 1], dim=1)
    grid = functional.affine_grid(
        torch.stack([across, down], dim=1), list(images.shape), align_corners=False
    )
    return functional.grid_sample(
        images, grid, padding_mode="border", align_corners=False
    )
