"""What the purifiers have in common: a training loop, batches, and images out.

Images are ``(N, 3, S, S)`` float32 tensors in gray levels, 0 to 255, unless a
function says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import torch
from torch import nn

from fiftyone_reue.networks.device import autocast
from fiftyone_reue.networks.training import to_pixels

FULL_BATCH = 128
SMALL_BATCH = 16
"""Images a step; the small one is for networks that a processor core trains."""

CHUNK = 256
"""Images at once where nothing is learned."""


def minimise(
    network: nn.Module,
    loss: Callable[[float], torch.Tensor],
    *,
    steps: int,
    learning_rate: float,
    clip: float = 1.0,
) -> Generator[float, None, None]:
    """Train a network in place by AdamW, yielding the fraction done.

    Args:
        network: on its device; it is left there in evaluation mode.
        loss: the fraction of the steps done before this one, to the loss to go down.
        steps: how many.
        learning_rate: the one-cycle schedule's peak.
        clip: greatest norm of the gradient.
    """
    optimiser = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=0.1
    )
    network.train()
    for step in range(steps):
        value = loss(step / steps)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimiser.step()
        schedule.step()
        yield (step + 1) / steps
    network.eval()


def place_network(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on the device, its weights channels_last."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def draw_rows(
    count: int, batch: int, generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """``(batch,)`` int64 draws out of 0..count-1, with repetition, on the device."""
    return torch.randint(0, count, (batch,), generator=generator).to(device)


def fit_residual(
    network: nn.Module,
    pairs: Callable[[], tuple[torch.Tensor, torch.Tensor]],
    *,
    steps: int,
    learning_rate: float,
    device: torch.device,
) -> Generator[float, None, None]:
    """Teach a network, by the L1 loss, what a perturbed image has on top.

    Args:
        network: a U-Net on its device; trained in place.
        pairs: a batch of perturbed images and the same images unperturbed.
        steps: how many.
        learning_rate: the schedule's peak.
        device: where to compute.

    Yields:
        The fraction done.
    """

    def loss(_done: float) -> torch.Tensor:
        perturbed, clean = pairs()
        found = residual(network, perturbed, device)
        return (found - (perturbed - clean)).abs().mean()

    yield from minimise(network, loss, steps=steps, learning_rate=learning_rate)


def residual(
    network: nn.Module, images: torch.Tensor, device: torch.device
) -> torch.Tensor:
    """What the network takes for the perturbation, in gray levels."""
    inputs = (images / 127.5 - 1).contiguous(memory_format=torch.channels_last)
    with autocast(device):
        found = network(inputs)
    return found.float() * 8  # near 1 inside of the network


def transform(
    images: np.ndarray,
    change: Callable[[torch.Tensor, int], torch.Tensor],
    device: torch.device,
) -> Generator[float, None, np.ndarray]:
    """Pass images through a function, some at a time, yielding the fraction done.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        change: a chunk of images and the row of its first one, to such images; called
            without gradients.
        device: where to compute.

    Returns:
        ``(N, S, S, 3)`` uint8, rounded and clipped.
    """
    changed = np.empty_like(images)
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        with torch.no_grad():
            made = change(to_pixels(images[rows], device).float(), start)
        whole = made.round().clamp(0, 255).to(torch.uint8).cpu()
        changed[rows] = whole.permute(0, 2, 3, 1).numpy()
        yield min(1.0, (start + CHUNK) / len(images))
    return changed


def subtract_residual(
    network: nn.Module, images: np.ndarray, device: torch.device
) -> Generator[float, None, np.ndarray]:
    """Take away what :func:`fit_residual` taught the network to find.

    Args:
        network: the trained U-Net.
        images: ``(N, S, S, 3)`` uint8.
        device: where to compute.

    Yields:
        The fraction done.

    Returns:
        ``(N, S, S, 3)`` uint8.
    """

    def without(batch: torch.Tensor, _start: int) -> torch.Tensor:
        return batch - residual(network, batch, device)

    return (yield from transform(images, without, device))
