"""Random rotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)

if TYPE_CHECKING:
    import torch

LARGEST_ANGLE = 15.0
"""In degrees, either way."""


class Rotation(Countermeasure):
    """Each image turned about its centre by a uniform angle, after shifts and flips.

    Bilinear; what turns in at the corners is the image mirrored at its edges.
    """

    info = CountermeasureInfo(
        "rotation",
        "Rotation",
        "",
        "augmentation",
        {"largest_angle_in_degrees": LARGEST_ANGLE},
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        import torch

        images, targets = super().augment(images, targets, generator)
        degrees = (2 * torch.rand(len(images), generator=generator) - 1) * LARGEST_ANGLE
        return rotate(images, degrees.to(images.device)), targets


def rotate(images: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """Turn images anticlockwise.

    Args:
        images: ``(N, C, S, S)`` float32.
        degrees: ``(N,)`` float32.

    Returns:
        ``(N, C, S, S)`` float32.
    """
    import torch
    from torch.nn import functional

    angles = torch.deg2rad(degrees)
    cosine, sine = angles.cos(), angles.sin()
    nothing = torch.zeros_like(cosine)
    across = torch.stack([cosine, -sine, nothing], dim=1)
    down = torch.stack([sine, cosine, nothing], dim=1)
    grid = functional.affine_grid(
        torch.stack([across, down], dim=1), list(images.shape), align_corners=False
    )
    return functional.grid_sample(
        images, grid, padding_mode="reflection", align_corners=False
    )
