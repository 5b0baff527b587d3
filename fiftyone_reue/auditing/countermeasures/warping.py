"""Random warping, pixel by pixel (COIN)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.countermeasures.filter import REFERENCE_SIDE

if TYPE_CHECKING:
    import torch

REACH = 2.0
"""Largest displacement along each axis, in pixels of a 32-pixel image."""


class Warping(Countermeasure):
    """Every pixel is fetched from a random place near it, by bilinear interpolation.

    Li et al., "Detecting and Corrupting Convolution-based Unlearnable Examples", AAAI
    2025, arXiv:2311.18403: displacements uniform in ±2 px a pixel and axis, the same
    for all channels, the image continued periodically. As in the authors' training,
    it comes after shifts and flips and is drawn anew whenever an image is used; the
    trained model is asked images that were not warped. The reach grows with the side.
    """

    info = CountermeasureInfo(
        "warping",
        "Random warping (COIN)",
        "Li et al., AAAI 2025, arXiv:2311.18403",
        "filter",
        {"reach_at_32_px": REACH},
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        import torch

        images, targets = super().augment(images, targets, generator)
        count, _, size, _ = images.shape
        reach = REACH * size / REFERENCE_SIDE
        draws = torch.rand(2, count, size, size, generator=generator)
        down, right = ((2 * draws - 1) * reach).to(images.device)
        return displace(images, down, right), targets


def displace(
    images: torch.Tensor, down: torch.Tensor, right: torch.Tensor
) -> torch.Tensor:
    """Fetch each pixel from elsewhere, bilinearly, the image continued periodically.

    Args:
        images: ``(N, C, S, S)`` float32.
        down: ``(N, S, S)`` float32, how many pixels lower each pixel is fetched.
        right: ``(N, S, S)`` likewise, to the right.

    Returns:
        ``(N, C, S, S)`` float32.
    """
    import torch

    count, _, size, _ = images.shape
    along = torch.arange(size, device=images.device)
    rows, columns = along[:, None] + down, along + right
    top, left = rows.floor(), columns.floor()
    lower, righter = (rows - top)[..., None], (columns - left)[..., None]
    nhwc = images.permute(0, 2, 3, 1)
    chosen = torch.arange(count, device=images.device)[:, None, None]
    top, left = top.long(), left.long()

    def fetch(row: int, column: int) -> torch.Tensor:
        return nhwc[chosen, (top + row) % size, (left + column) % size]

    upper_row = fetch(0, 0).lerp(fetch(0, 1), righter)
    lower_row = fetch(1, 0).lerp(fetch(1, 1), righter)
    return upper_row.lerp(lower_row, lower).permute(0, 3, 1, 2)
