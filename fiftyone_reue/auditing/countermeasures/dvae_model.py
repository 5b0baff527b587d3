"""The two passes of :mod:`.dvae`."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures.purifier_model import (
    FULL_BATCH,
    SMALL_BATCH,
    draw_rows,
    minimise,
    place_network,
    transform,
)
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.device import autocast, few_threads
from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.networks.vae import DisentangledVae, full_vae, rate, small_vae
from fiftyone_reue.progress import mapped

RATE_WEIGHT = 0.01
LEARNING_RATE = 5e-3
CLIP = 5.0
LATE = 1 / 6
"""From this share of the training on, the perturbation has to be small, ..."""

LEAST_ENERGY = 0.002
"""... but a mean square below this (11 gray levels) costs no less."""


def purify(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    rates: tuple[float, ...],
    reconstruct: bool,
    steps: int,
    small: bool,
    context: TrainingContext,
) -> Generator[float, None, np.ndarray]:
    """Learn what a class has in common beyond the rough image, and subtract it.

    Args:
        images: ``(N, S, S, 3)`` uint8, protected.
        labels: ``(N,)`` int64 in 0..classes-1.
        classes: how many classes.
        rates: a pass for each: the rate, in nats per position of the latent map,
            below which the latent costs nothing.
        reconstruct: whether to return the last network's reconstruction of the
            purified images rather than those.
        steps: of training, a pass.
        small: whether to use the small network and batch.
        context: where to train, and of every draw.

    Yields:
        The fraction done.

    Returns:
        ``(N, S, S, 3)`` uint8.
    """
    device, generator = context.torch_device(), context.generator()
    targets = torch.from_numpy(labels).to(device)
    build = small_vae if small else full_vae
    with few_threads():
        for index, target in enumerate(rates):
            network = build(classes, images.shape[1], seed=context.seed + index)
            place_network(network, device)
            share, before = 1 / len(rates), index / len(rates)
            training = _fit(
                network, images, targets, target, steps, small, generator, device
            )
            yield from mapped(training, _part(before, 0.95 * share))
            last = index == len(rates) - 1
            applying = _apply(network, images, targets, reconstruct and last, device)
            images = yield from mapped(
                applying, _part(before + 0.95 * share, 0.05 * share)
            )
    return images


def _part(before: float, share: float) -> Callable[[float], float]:
    return lambda done: min(1.0, before + share * done)


def _fit(
    network: DisentangledVae,
    images: np.ndarray,
    labels: torch.Tensor,
    target: float,
    steps: int,
    small: bool,
    generator: torch.Generator,
    device: torch.device,
) -> Generator[float, None, None]:
    pixels = to_pixels(images, device)
    batch = SMALL_BATCH if small else FULL_BATCH

    def loss(done: float) -> torch.Tensor:
        rows = draw_rows(len(pixels), batch, generator, device)
        inputs = pixels[rows].float() / 255
        noise = torch.randn(network.latent_shape(batch), generator=generator)
        made = _decode(network, inputs, labels[rows], noise.to(device), device)
        return dvae_loss(inputs, *made, target=target, late=done >= LATE)

    return minimise(network, loss, steps=steps, learning_rate=LEARNING_RATE, clip=CLIP)


def dvae_loss(
    images: torch.Tensor,
    reconstruction: torch.Tensor,
    perturbation: torch.Tensor,
    mean: torch.Tensor,
    log_variance: torch.Tensor,
    *,
    target: float,
    late: bool,
) -> torch.Tensor:
    """The loss of the paper's released code.

    Args:
        images: ``(N, 3, S, S)`` in [0, 1].
        reconstruction: the same shape and range.
        perturbation: the same shape.
        mean: of the latent.
        log_variance: of the latent.
        target: the rate, in nats per position, below which it costs nothing.
        late: whether the perturbation has to be small already.
    """
    both = (reconstruction + perturbation).clamp(0, 1)
    value = functional.mse_loss(reconstruction, images)
    value = value + functional.mse_loss(both, images)
    value = value + RATE_WEIGHT * rate(mean, log_variance).clamp(min=target)
    if late:
        value = value + perturbation.square().mean().clamp(min=LEAST_ENERGY)
    return value


def _apply(
    network: DisentangledVae,
    images: np.ndarray,
    labels: torch.Tensor,
    reconstruct: bool,
    device: torch.device,
) -> Generator[float, None, np.ndarray]:
    def change(batch: torch.Tensor, start: int) -> torch.Tensor:
        # The latent's mean: a sample, as in the released code, adds noise.
        own = labels[start : start + len(batch)]
        _, perturbation, _, _ = _decode(network, batch / 255, own, None, device)
        pure = (batch / 255 - perturbation).clamp(0, 1)
        if reconstruct:
            pure, _, _, _ = _decode(network, pure, own, None, device)
        return pure * 255

    return transform(images, change, device)


def _decode(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    noise: torch.Tensor | None,
    device: torch.device,
) -> tuple[torch.Tensor, ...]:
    inputs = images.contiguous(memory_format=torch.channels_last)
    with autocast(device):
        made = network(inputs, labels, noise)
    return tuple(part.float() for part in made)
