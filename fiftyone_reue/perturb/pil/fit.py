"""The linear classifier and sign steps of :mod:`fiftyone_reue.perturb.pil.method`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from fiftyone_reue.networks.context import TrainingContext
    from fiftyone_reue.perturb.base import FitData
    from fiftyone_reue.perturb.pil.config import PilConfig

MOST_WEIGHTS = 950_000
"""Of both layers together, so that a state stays below 4 MB."""

_REPORTS = 100


def fit_linear(
    data: FitData, config: PilConfig, context: TrainingContext
) -> Generator[float, None, tuple[np.ndarray, np.ndarray, float]]:
    """Train two linear layers without biases, yielding the fraction done.

    Returns:
        The layers' weights, ``(S * S * 3, hidden)`` and ``(hidden, K)`` float32, for
        images in [0, 1] as ``(S, S, 3)`` flattened; ``hidden`` is K, or less where
        that would be more than :data:`MOST_WEIGHTS`. And the training accuracy.
    """
    device, generator = context.torch_device(), context.generator()
    count, classes = len(data.images), len(data.classes)
    images = torch.from_numpy(data.images).reshape(count, -1).to(device)
    labels = torch.from_numpy(data.labels).to(device)
    inputs = images.shape[1]
    hidden = max(1, min(classes, MOST_WEIGHTS // (inputs + classes)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        first = nn.Linear(inputs, hidden, bias=False)
        second = nn.Linear(hidden, classes, bias=False)
    network = nn.Sequential(first, second).to(device)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=config.learning_rate, momentum=0.9
    )
    batch = min(config.batch, count)
    steps = max(config.least_steps, config.epochs * count // batch)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(count, generator=generator)
        chosen, order = order[:batch].to(device), order[batch:]
        logits = network(images[chosen].float() / 255)
        loss = functional.cross_entropy(logits, labels[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if (step + 1) % max(1, steps // _REPORTS) == 0:
            yield (step + 1) / steps
    with torch.no_grad():
        guesses = [network(part.float() / 255).argmax(1) for part in images.split(512)]
        right = (torch.cat(guesses) == labels).float().mean().item()
    return _weights(first), _weights(second), right


def make_noise(
    weights: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    starts: np.ndarray,
    config: PilConfig,
    *,
    amplitude: int,
    device: torch.device,
) -> np.ndarray:
    """Noise that a linear classifier takes for the images' classes.

    Args:
        weights: ``(S * S * 3, K)`` float32, as :func:`fit_linear` describes.
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64.
        starts: ``(N, S, S, C)`` float32 in -1..1, C 1 or 3; the noise of a single
            channel is added to all three.
        config: steps and weights.
        amplitude: largest absolute value, gray levels.
        device: where to compute.

    Returns:
        ``(N, S, S, C)`` int8, to be subtracted from the images.
    """
    matrix = torch.from_numpy(weights).to(device)
    pixels = torch.tensor(images, dtype=torch.float32, device=device)
    targets = torch.from_numpy(labels).to(device)
    noise = torch.from_numpy(starts).to(device) * amplitude
    for _ in range(config.noise_steps):
        noise.requires_grad_(True)
        full = noise.expand_as(pixels)
        alone = full.flatten(1) @ matrix / 255
        without = (pixels - full).flatten(1) @ matrix / 255
        # Sums, so that an image's noise doesn't depend on how many share a batch.
        certain = functional.cross_entropy(alone, targets, reduction="sum")
        objective = config.noise_weight * certain
        objective = objective + (1 - config.noise_weight) * _certainty(without)
        (gradient,) = torch.autograd.grad(objective, noise)
        step = amplitude / 10 * gradient.sign()
        noise = (noise.detach() - step).clamp(-amplitude, amplitude)
    return noise.round().to(torch.int8).cpu().numpy()


def _certainty(logits: torch.Tensor) -> torch.Tensor:
    """The divergence of the outputs from the uniform distribution, ``KL(u || p)``
    less a constant, summed over the images."""
    return -logits.log_softmax(1).mean(1).sum()


def _weights(layer: nn.Linear) -> np.ndarray:
    return np.ascontiguousarray(layer.weight.detach().cpu().numpy().T)
