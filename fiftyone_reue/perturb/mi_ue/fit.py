"""The losses and the alternation of :mod:`fiftyone_reue.perturb.mi_ue.method`."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.perturb.pgd import SignSteps, descend, image_batch
from fiftyone_reue.perturb.surrogate import (
    Alternated,
    batches,
    create_optimiser,
    create_surrogate,
    features_of,
    frozen,
    logits_of,
)

if TYPE_CHECKING:
    from fiftyone_reue.networks.context import TrainingContext
    from fiftyone_reue.perturb.base import FitData
    from fiftyone_reue.perturb.mi_ue.config import MiUeConfig


def nt_xent(
    features: torch.Tensor, labels: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Normalised temperature-scaled cross-entropy of classes.

    With ``S_jk = exp(cos(z_j, z_k) / temperature)`` over all pairs, each with itself
    included, the mean over j of ``-log(sum of S_jk within j's class / sum of S_jk)``.

    Args:
        features: ``(N, D)`` float32.
        labels: ``(N,)`` int64.
        temperature: above 0.
    """
    directions = functional.normalize(features, dim=1)
    scaled = directions @ directions.T / temperature
    same = labels[:, None] == labels[None, :]
    within = scaled.masked_fill(~same, -torch.inf).logsumexp(1)
    return (scaled.logsumexp(1) - within).mean()


def within_distance(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far apart a class's features are.

    Args:
        features: ``(N, D)`` float32.
        labels: ``(N,)`` int64.

    Returns:
        The mean over j of ``log(1 + sum of |z_j - z_k| over k of j's class / D)``.
    """
    # The way with a matrix product has no right gradient where features are equal.
    distances = torch.cdist(
        features, features, compute_mode="donot_use_mm_for_euclid_dist"
    )
    same = labels[:, None] == labels[None, :]
    return ((distances * same).sum(1) / features.shape[1]).log1p().mean()


def feature_loss(
    network: nn.Module, labels: torch.Tensor, config: MiUeConfig, images: torch.Tensor
) -> torch.Tensor:
    """What the noise makes small: both losses above of the images' features.

    Args:
        network: the surrogate.
        labels: ``(N,)`` int64.
        config: its temperature and distance count.
        images: ``(N, 3, S, S)`` float32 in [0, 1].
    """
    features = features_of(network, images)
    apart = within_distance(features, labels)
    return nt_xent(features, labels, config.temperature) + config.distance * apart


def mean_loss(
    network: nn.Module,
    means: np.ndarray,
    own: int,
    temperature: float,
    images: torch.Tensor,
) -> torch.Tensor:
    """The contrastive loss of images of one class against the classes' means.

    Args:
        network: the surrogate.
        means: ``(classes, D)`` float32 mean features.
        own: the images' class.
        temperature: as in :func:`nt_xent`.
        images: ``(N, 3, S, S)`` float32 in [0, 1].
    """
    directions = functional.normalize(features_of(network, images), dim=1)
    others = functional.normalize(torch.from_numpy(means).to(images.device), dim=1)
    scaled = directions @ others.T / temperature
    return (scaled.logsumexp(1) - scaled[:, own]).sum()


@torch.no_grad()
def mean_features(
    network: nn.Module, data: FitData, noise: torch.Tensor, batch: int
) -> np.ndarray:
    """The classes' mean features of the perturbed images.

    Args:
        network: the surrogate, in evaluation mode, on its device.
        data: the images.
        noise: ``(N, 3, S, S)`` float32 on that device.
        batch: images at a time.

    Returns:
        ``(classes, D)`` float32; zeros for a class without images.
    """
    device = noise.device
    pixels = to_pixels(data.images, device)
    features = torch.cat(
        [
            features_of(network, image_batch(pixels, chosen) + noise[chosen])
            for chosen in torch.arange(len(pixels), device=device).split(batch)
        ]
    )
    labels = torch.from_numpy(data.labels).to(device)
    sums = features.new_zeros(len(data.classes), features.shape[1])
    sums.index_add_(0, labels, features)
    counts = torch.bincount(labels, minlength=len(data.classes)).clamp(min=1)
    return (sums / counts[:, None]).cpu().numpy()


def alternate(
    data: FitData, config: MiUeConfig, amplitude: int, context: TrainingContext
) -> Generator[float, None, Alternated]:
    """Alternate a pass of the surrogate and one of the noise over all images.

    Both passes flip images at random before the noise is added, so that the noise of
    an image fits either side of it.

    Args:
        data: the images.
        config: how.
        amplitude: the largest change in gray levels.
        context: of the surrogate and of every draw.

    Yields:
        The fraction done.
    """
    device, generator = context.torch_device(), context.generator()
    count, size = data.images.shape[:2]
    pixels = to_pixels(data.images, device)
    labels = torch.from_numpy(data.labels).to(device)
    noise = torch.zeros(pixels.shape, device=device)
    network = create_surrogate(
        config.surrogate, len(data.classes), size, context.seed, device
    )
    optimiser = create_optimiser(network, config.surrogate, 1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, config.rounds, 1e-6
    )
    for round_index in range(config.rounds):
        network.train()
        for chosen in batches(count, config.batch, generator, device):
            images = _flipped(image_batch(pixels, chosen), generator) + noise[chosen]
            logits = logits_of(network, images.clamp(0, 1))
            loss = functional.cross_entropy(logits, labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        schedule.step()
        along = round_index / max(1, config.rounds - 1)
        step = (1 - along) * config.first_step + along * config.last_step
        steps = SignSteps.scaled(amplitude, step, config.noise_steps)
        seen = 0
        with frozen(network):
            for chosen in batches(count, config.noise_batch, generator, device):
                noise[chosen] = descend(
                    partial(feature_loss, network, labels[chosen], config),
                    _flipped(image_batch(pixels, chosen), generator),
                    noise[chosen],
                    steps,
                )
                seen += len(chosen)
                yield (round_index + seen / count) / config.rounds
    figures = {
        "surrogate": config.surrogate,
        "size": size,
        "amplitude": amplitude,
        "images": count,
    }
    return Alternated(network.eval(), noise, figures)


def _flipped(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image mirrored or not, channels_last in memory."""
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    flipped = torch.where(mirrored.to(images.device), images.flip(-1), images)
    return flipped.contiguous(memory_format=torch.channels_last)
