"""Projected gradient descent on the perturbation of a batch of images.

Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR
2018 (arXiv:1706.06083): steps along the gradient's sign, each followed by a
projection onto the allowed changes. Here the loss is always made smaller: methods
that want it larger negate it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from fiftyone_reue.media.square import to_square
from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.perturb.base import for_colours

Loss = Callable[[torch.Tensor], torch.Tensor]
"""``(N, 3, S, S)`` float32 images in [0, 1] to one number, differentiable."""


@dataclass(frozen=True)
class SignSteps:
    """How far noise goes: steps along the gradient's sign, within a bound.

    Attributes:
        amplitude: the largest change in gray levels (1/255 of the range).
        step: a step's length in gray levels.
        count: how many steps.
    """

    amplitude: int
    step: float
    count: int

    @classmethod
    def scaled(cls, amplitude: int, step: float, count: int) -> SignSteps:
        """Steps of a length that is given for an amplitude of 8 gray levels."""
        return cls(amplitude, step * amplitude / 8, count)


def descend(
    loss: Loss, images: torch.Tensor, start: torch.Tensor, steps: SignSteps
) -> torch.Tensor:
    """Change images within the bounds so that a loss falls.

    Nothing is drawn: the same arguments give the same result.

    Args:
        loss: of the changed images. Its network should be frozen, in evaluation mode
            (:func:`fiftyone_reue.perturb.surrogate.frozen`).
        images: ``(N, 3, S, S)`` float32 in [0, 1].
        start: ``(N, 3, S, S)`` float32, the change to begin with, within the bounds.
        steps: how many, how long, and within what.

    Returns:
        ``(N, 3, S, S)`` float32, the change: within ``amplitude`` / 255, and the
        images plus it within [0, 1].
    """
    limit = steps.amplitude / 255
    delta = start
    for _ in range(steps.count):
        delta = delta.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(images + delta), delta)
        stepped = delta.detach() - steps.step / 255 * gradient.sign()
        delta = (images + stepped.clamp(-limit, limit)).clamp(0, 1) - images
    return delta.detach()


def image_batch(pixels: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Some of the images, as networks take them.

    Args:
        pixels: ``(N, 3, S, S)`` uint8.
        chosen: ``(n,)`` int64 on the same device.

    Returns:
        ``(n, 3, S, S)`` float32 in [0, 1], channels_last in memory.
    """
    batch = pixels[chosen].float() / 255
    return batch.contiguous(memory_format=torch.channels_last)


def gray_levels(delta: torch.Tensor) -> np.ndarray:
    """Changes in whole gray levels.

    Args:
        delta: ``(N, 3, S, S)`` float32, parts of the range, within 127/255.

    Returns:
        ``(N, S, S, 3)`` int8 gray levels, rounded. Added to the uint8 images that
        ``delta`` was made for, they stay within 0..255 as ``delta`` does.
    """
    whole = (delta * 255).round().to(torch.int8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(whole.cpu().numpy())


def image_pattern(
    loss: Loss,
    image: np.ndarray,
    size: int,
    device: torch.device,
    steps: SignSteps,
) -> np.ndarray:
    """One image's pattern by gradient descent at the working size.

    Args:
        loss: as in :func:`descend`, for a batch of one image.
        image: ``(H, W, colours)`` uint8 or uint16, colours 1 or 3, any size.
        size: S, the working size in pixels.
        device: where the loss's network is.
        steps: as in :func:`descend`.

    Returns:
        ``(S, S, colours)`` int8 in gray levels.
    """
    colours = image.shape[2]
    square = to_square(image, colours, size).copy()  # resized ones are read-only
    pixels = to_pixels(square[None], device)
    batch = image_batch(pixels, torch.zeros(1, dtype=torch.int64, device=device))
    delta = descend(loss, batch, torch.zeros_like(batch), steps)
    return for_colours(gray_levels(delta)[0], colours)
