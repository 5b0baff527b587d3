"""The surrogate and the attack of :mod:`fiftyone_reue.perturb.tap.method`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import create_network, network_info
from fiftyone_reue.networks.training import accuracy, to_pixels, train
from fiftyone_reue.perturb.pgd import SignSteps, descend, image_batch
from fiftyone_reue.perturb.surrogate import class_loss, frozen, logits_of

if TYPE_CHECKING:
    from fiftyone_reue.networks.context import TrainingContext
    from fiftyone_reue.perturb.base import FitData
    from fiftyone_reue.perturb.tap.config import TapConfig


@dataclass(frozen=True)
class Trained:
    """A surrogate trained on clean images.

    Attributes:
        network: in evaluation mode, on its device.
        accuracy: the share of the images it was trained on that it names rightly.
    """

    network: nn.Module
    accuracy: float


def train_surrogate(
    data: FitData, config: TapConfig, context: TrainingContext
) -> Generator[float, None, Trained]:
    """Train the surrogate on the clean images, yielding the fraction done."""
    classes = len(data.classes)
    network = create_network(
        config.surrogate, classes, data.images.shape[1], seed=context.seed
    )
    recipe = Recipe(epochs=config.epochs, least_steps=config.least_steps)
    yield from train(
        network,
        data.images,
        data.labels,
        classes,
        recipe=network_info(config.surrogate).adapted(recipe),
        context=context,
    )
    return Trained(network, accuracy(network, data.images, data.labels))


def move(
    network: nn.Module,
    images: np.ndarray,
    targets: np.ndarray,
    config: TapConfig,
    *,
    amplitude: int,
    seed: int,
) -> Generator[float, None, torch.Tensor]:
    """Change every image so that the network names it as its target.

    Args:
        network: trained, on its device.
        images: ``(N, S, S, 3)`` uint8.
        targets: ``(N,)`` int64.
        config: how.
        amplitude: the largest change in gray levels.
        seed: of the random beginnings.

    Yields:
        The fraction done.

    Returns:
        ``(N, 3, S, S)`` float32 changes, parts of the range.
    """
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    pixels = to_pixels(images, device)
    wanted = torch.from_numpy(targets).to(device)
    noise = torch.zeros(pixels.shape, device=device)
    with frozen(network):
        for chosen in torch.arange(len(images), device=device).split(config.batch):
            noise[chosen] = _best_of_restarts(
                network,
                image_batch(pixels, chosen),
                wanted[chosen],
                config,
                amplitude,
                generator,
            )
            yield (int(chosen[-1]) + 1) / len(images)
    return noise


def _best_of_restarts(
    network: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    config: TapConfig,
    amplitude: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Each image's change of least loss, over the random beginnings."""
    best = torch.zeros_like(images)
    least = torch.full(targets.shape, torch.inf, device=images.device)
    for _ in range(config.restarts):
        drawn = torch.rand(images.shape, generator=generator).to(images.device)
        start = (drawn * 2 - 1) * amplitude / 255
        delta = descend(
            partial(class_loss, network, targets),
            images,
            (images + start).clamp(0, 1) - images,
            SignSteps.scaled(amplitude, config.step, config.steps),
        )
        with torch.no_grad():
            logits = logits_of(network, images + delta)
            losses = functional.cross_entropy(logits, targets, reduction="none")
        better = losses < least
        best[better], least[better] = delta[better], losses[better]
    return best
