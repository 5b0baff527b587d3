"""One training recipe for every classifier that this project measures with.

SGD with Nesterov momentum (AdamW for transformers), a one-cycle learning rate,
random shifts and flips, bfloat16 and channels_last, the data on the device. The last
epoch counts, never the best one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.networks.augment import shift_and_flip
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.device import autocast, few_threads
from fiftyone_reue.networks.recipe import Recipe

Augment = Callable[
    [torch.Tensor, torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]
]
"""``(N, 3, S, S)`` float32 images in [0, 1] and ``(N, classes)`` float32 targets that
sum to 1 a row, with a CPU generator for every draw, to such images and targets."""

Attack = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
"""The network, a batch and its targets as above, to the batch to train on instead."""


def standard_augment(
    images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Shift by up to an eighth of the side, flip half; targets stay."""
    return shift_and_flip(images, generator, images.shape[-1] // 8), targets


def train(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    recipe: Recipe,
    context: TrainingContext,
    augment: Augment = standard_augment,
    attack: Attack | None = None,
) -> Generator[float, None, None]:
    """Train a network in place, yielding the fraction done after every step.

    Between two steps the caller may put the network into evaluation mode and ask it
    something; every step puts it into training mode again.

    Args:
        network: takes ``(N, 3, S, S)`` in [0, 1], returns ``(N, classes)`` logits.
            It is moved to the device, and left there in evaluation mode.
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64 in 0..classes-1.
        classes: how many classes.
        recipe: the schedule.
        context: where to train, and of every draw.
        augment: applied to every batch.
        attack: applied to every batch after that, as in adversarial training.
    """
    with few_threads():
        yield from _train(
            network,
            images,
            labels,
            classes,
            recipe,
            context,
            augment,
            attack,
        )


def _train(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    recipe: Recipe,
    context: TrainingContext,
    augment: Augment,
    attack: Attack | None,
) -> Generator[float, None, None]:
    device, generator = context.torch_device(), context.generator()
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    forward = torch.compile(network) if recipe.compile else network
    pixels = to_pixels(images, device)
    targets = functional.one_hot(torch.from_numpy(labels), classes).float().to(device)
    count = len(pixels)
    batch = min(recipe.batch, count)
    steps = max(recipe.least_steps, recipe.epochs * count // batch)
    optimiser = _optimiser(network, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=steps, pct_start=0.3
    )
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(count, generator=generator)
        chosen, order = order[:batch].to(device), order[batch:]
        network.train()
        inputs, wanted = augment(
            pixels[chosen].float() / 255, targets[chosen], generator
        )
        if attack is not None:
            inputs = attack(network, inputs, wanted)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with autocast(device):
            logits = forward(inputs)
        loss = functional.cross_entropy(logits.float(), wanted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        yield (step + 1) / steps
    network.eval()


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    learned = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(
            learned, recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    return torch.optim.SGD(
        learned,
        recipe.learning_rate,
        momentum=0.9,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )


@torch.no_grad()
def predict(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Class probabilities.

    Args:
        network: a network; it is put into evaluation mode.
        images: ``(N, S, S, 3)`` uint8.

    Returns:
        ``(N, classes)`` float32, rows summing to 1.
    """
    network.eval()
    device = next(network.parameters()).device
    outputs = []
    for start in range(0, len(images), 512):
        pixels = to_pixels(images[start : start + 512], device).float() / 255
        with autocast(device):
            logits = network(pixels).float()
        outputs.append(logits.softmax(1).cpu().numpy())
    return np.concatenate(outputs)


def accuracy(network: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of images, 0 to 1, that the network names rightly."""
    with few_threads():
        return float((predict(network, images).argmax(1) == labels).mean())


def to_pixels(images: np.ndarray, device: torch.device) -> torch.Tensor:
    """``(N, S, S, 3)`` uint8 to ``(N, 3, S, S)`` uint8, channels_last in memory."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return pixels.to(device)
