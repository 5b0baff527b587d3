"""What training the invertible networks has in common."""

from __future__ import annotations

from collections.abc import Callable, Generator

import torch
from torch import nn

from fiftyone_reue.invertible.exact import floored

Losses = dict[str, torch.Tensor]
"""Single numbers by name; those named with ``_`` first are figures to report alone."""


def descend(
    network: nn.Module,
    steps: int,
    learning_rate: float,
    losses_at: Callable[[int], Losses],
) -> Generator[float, None, dict[str, float]]:
    """Train in place by Adam, its rate falling to 0 along a cosine.

    Args:
        network: what to train; left in evaluation mode.
        steps: gradient steps.
        learning_rate: at the beginning.
        losses_at: the losses of a step, counted from 0; their sum is to fall.

    Yields:
        The fraction done.

    Returns:
        Losses and figures of the last steps, averaged, by name.
    """
    optimiser = torch.optim.Adam(network.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    network.train()
    figures: dict[str, float] = {}
    for step in range(steps):
        losses = losses_at(step)
        summed = [value for name, value in losses.items() if not name.startswith("_")]
        optimiser.zero_grad(set_to_none=True)
        torch.stack(summed).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        for name, value in losses.items():
            latest = float(value.detach())
            figures[name] = 0.98 * figures.get(name, latest) + 0.02 * latest
        yield (step + 1) / steps
    network.eval()
    return figures


def halved(images: torch.Tensor, levels: int) -> torch.Tensor:
    """Means over squares of pixels, as :func:`fiftyone_reue.invertible.working.means`
    takes them, for gradients to pass through.

    Args:
        images: ``(N, C, H, W)`` whole numbers, H and W multiples of ``2^levels``.
        levels: halvings.
    """
    for _ in range(levels):
        images = floored((images[..., 0::2] + images[..., 1::2]) / 2)
        images = floored((images[..., 0::2, :] + images[..., 1::2, :]) / 2)
    return images
