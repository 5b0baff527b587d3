"""The usual training augmentation, on whole batches."""

from __future__ import annotations

import torch
from torch.nn import functional


def crop_and_flip(
    images: torch.Tensor, generator: torch.Generator, pad: int
) -> torch.Tensor:
    """Shift a batch by up to ``pad`` pixels (reflected) and flip half of it.

    Args:
        images: ``(N, C, S, S)``, differentiable.
        generator: for the draws, on the CPU.
        pad: largest shift in pixels; S/8 is the usual recipe.

    Returns:
        ``(N, C, S, S)``. The shift is drawn a batch, the flip a half of it: a batch
        of one call is cheap, and batches are many.
    """
    size = images.shape[-1]
    top, left = torch.randint(0, 2 * pad + 1, (2,), generator=generator).tolist()
    padded = functional.pad(images, (pad, pad, pad, pad), mode="reflect")
    shifted = padded[..., top : top + size, left : left + size]
    half = shifted.shape[0] // 2
    return torch.cat([shifted[:half].flip(-1), shifted[half:]])
