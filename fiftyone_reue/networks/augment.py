"""The usual training augmentation: random shifts and flips."""

from __future__ import annotations

import torch
from torch.nn import functional


def shift_and_flip(
    images: torch.Tensor, generator: torch.Generator, pad: int
) -> torch.Tensor:
    """Shift each image by up to ``pad`` pixels (reflected) and flip it or not.

    Args:
        images: ``(N, C, S, S)``.
        generator: for the draws, on the CPU.
        pad: largest shift in pixels; S/8 is the usual recipe.

    Returns:
        ``(N, C, S, S)``, every image with draws of its own.
    """
    count, _, size, _ = images.shape
    device = images.device
    down, right = torch.randint(0, 2 * pad + 1, (2, count, 1), generator=generator)
    flipped = torch.rand(count, 1, generator=generator) < 0.5
    along = torch.arange(size)
    rows = (down + along).to(device)
    columns = (right + torch.where(flipped, size - 1 - along, along)).to(device)
    padded = functional.pad(images, (pad, pad, pad, pad), mode="reflect")
    nhwc = padded.permute(0, 2, 3, 1)
    chosen = torch.arange(count, device=device)[:, None, None]
    return nhwc[chosen, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def crop_and_flip(
    images: torch.Tensor, generator: torch.Generator, pad: int
) -> torch.Tensor:
    """Shift a whole batch by up to ``pad`` pixels (reflected) and flip half of it.

    Args:
        images: ``(N, C, S, S)``, differentiable.
        generator: for the draws, on the CPU.
        pad: largest shift in pixels; S/8 is the usual recipe.

    Returns:
        ``(N, C, S, S)``. One shift a batch: gradients through it are cheap, and
        fitting a perturbation takes many batches.
    """
    size = images.shape[-1]
    top, left = torch.randint(0, 2 * pad + 1, (2,), generator=generator).tolist()
    padded = functional.pad(images, (pad, pad, pad, pad), mode="reflect")
    shifted = padded[..., top : top + size, left : left + size]
    half = shifted.shape[0] // 2
    return torch.cat([shifted[:half].flip(-1), shifted[half:]])
