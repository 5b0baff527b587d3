"""The alternation of :mod:`fiftyone_reue.perturb.em.method`."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.perturb.pgd import Loss, SignSteps, descend, image_batch
from fiftyone_reue.perturb.surrogate import (
    Alternated,
    batches,
    class_loss,
    create_optimiser,
    create_surrogate,
    frozen,
    logits_of,
)

if TYPE_CHECKING:
    from fiftyone_reue.networks.context import TrainingContext
    from fiftyone_reue.perturb.base import FitData
    from fiftyone_reue.perturb.em.config import EmConfig


def alternate(
    data: FitData,
    config: EmConfig,
    amplitude: int,
    context: TrainingContext,
    *,
    class_wise: bool,
) -> Generator[float, None, Alternated]:
    """Alternate steps of the surrogate and of the noise, yielding the fraction done.

    Args:
        data: the images.
        config: how.
        amplitude: the largest change in gray levels.
        context: of the surrogate and of every draw.
        class_wise: whether the images of a class share their noise.
    """
    device, generator = context.torch_device(), context.generator()
    count, size = data.images.shape[:2]
    kinds = len(data.classes)
    pixels = to_pixels(data.images, device)
    labels = torch.from_numpy(data.labels).to(device)
    noise = torch.zeros(kinds if class_wise else count, 3, size, size)
    if class_wise:
        noise = (torch.rand(noise.shape, generator=generator) * 2 - 1) * amplitude / 255
    noise = noise.to(device)
    rows = labels if class_wise else torch.arange(count, device=device)
    network = create_surrogate(config.surrogate, kinds, size, context.seed, device)
    optimiser = create_optimiser(network, config.surrogate, 5e-4)
    steps = SignSteps.scaled(amplitude, config.step, config.noise_steps)
    error = 1.0
    rounds = 0
    while rounds < config.rounds:
        network.train()
        for _ in range(config.surrogate_steps):
            chosen = next(batches(count, config.batch, generator, device))
            images = _added(pixels, noise, chosen, rows)
            loss = functional.cross_entropy(logits_of(network, images), labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            # Early steps on changing noise would otherwise run away.
            nn.utils.clip_grad_norm_(network.parameters(), 5)
            optimiser.step()
        rounds += 1
        seen = 0
        with frozen(network):
            error = _error(network, pixels, noise, rows, labels, config.batch)
            if error < config.stop_error:
                break
            for chosen in batches(count, config.batch, generator, device):
                images = image_batch(pixels, chosen)
                loss_of = partial(class_loss, network, labels[chosen])
                if class_wise:
                    noise = _stepped_tables(
                        loss_of,
                        images,
                        noise,
                        rows[chosen],
                        steps,
                    )
                else:
                    noise[chosen] = descend(
                        loss_of,
                        images,
                        noise[chosen],
                        steps,
                    )
                seen += len(chosen)
                yield (rounds - 1 + seen / count) / config.rounds
    figures = {
        "surrogate": config.surrogate,
        "size": size,
        "amplitude": amplitude,
        "images": count,
        "rounds": rounds,
        "surrogate_accuracy": round(1 - error, 4),
    }
    yield 1.0
    return Alternated(network.eval(), noise, figures)


def _added(
    pixels: torch.Tensor, noise: torch.Tensor, chosen: torch.Tensor, rows: torch.Tensor
) -> torch.Tensor:
    """The chosen images with the noise that is theirs."""
    return (image_batch(pixels, chosen) + noise[rows[chosen]]).clamp(0, 1)


@torch.no_grad()
def _error(
    network: nn.Module,
    pixels: torch.Tensor,
    noise: torch.Tensor,
    rows: torch.Tensor,
    labels: torch.Tensor,
    batch: int,
) -> float:
    """The share of perturbed images that the network names wrongly."""
    wrong = 0
    for chosen in torch.arange(len(labels), device=labels.device).split(batch):
        logits = logits_of(network, _added(pixels, noise, chosen, rows))
        wrong += int((logits.argmax(1) != labels[chosen]).sum())
    return wrong / len(labels)


def _stepped_tables(
    loss: Loss,
    images: torch.Tensor,
    tables: torch.Tensor,
    labels: torch.Tensor,
    steps: SignSteps,
) -> torch.Tensor:
    """Class tables after steps on the mean gradient of a batch's images."""
    limit = steps.amplitude / 255
    for _ in range(steps.count):
        tables = tables.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(
            loss((images + tables[labels]).clamp(0, 1)), tables
        )
        tables = (tables.detach() - steps.step / 255 * gradient.sign()).clamp(
            -limit, limit
        )
    return tables.detach()
