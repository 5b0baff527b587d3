"""One training recipe for every classifier that this project measures with.

SGD with Nesterov momentum, a one-cycle learning rate, random shifts and flips,
bfloat16 and channels_last. The last epoch counts, never the best one.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from fiftyone_reue.networks.augment import crop_and_flip
from fiftyone_reue.networks.device import autocast, choose_device, few_threads
from fiftyone_reue.networks.small_resnet import SmallResNet


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the images.
        least_steps: at least so many steps, however few images there are.
        batch: images a step.
        learning_rate: the one-cycle schedule's peak.
        weight_decay: of SGD.
        width: the network's width.
    """

    epochs: int = 12
    least_steps: int = 300
    batch: int = 128
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    width: int = 16


def train(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    recipe: Recipe,
    seed: int,
    device: str = "auto",
) -> Generator[float, None, SmallResNet]:
    """Train a classifier from scratch, yielding the fraction done.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64 in 0..classes-1.
        classes: how many classes.
        recipe: the schedule.
        seed: of the initial weights and of every draw.
        device: "auto", "cpu" or a torch device.

    Returns:
        The trained network in evaluation mode.
    """
    with few_threads():
        steps = _train(images, labels, classes, recipe, seed, choose_device(device))
        return (yield from steps)


def _train(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    recipe: Recipe,
    seed: int,
    place: torch.device,
) -> Generator[float, None, SmallResNet]:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SmallResNet(classes, recipe.width, images.shape[1]).to(place)
    network = network.to(memory_format=torch.channels_last)
    pixels, targets = to_tensors(images, labels, place)
    count = len(pixels)
    batch = min(recipe.batch, count)
    steps = max(recipe.least_steps, recipe.epochs * count // batch)
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=0.9,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=steps, pct_start=0.3
    )
    order = torch.empty(0, dtype=torch.int64)
    network.train()
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(count, generator=generator)
        chosen, order = order[:batch].to(place), order[batch:]
        inputs = crop_and_flip(
            pixels[chosen].float() / 255, generator, images.shape[1] // 8
        )
        with autocast(place):
            loss = functional.cross_entropy(network(inputs).float(), targets[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        yield (step + 1) / steps
    return network.eval()


@torch.no_grad()
def predict(network: SmallResNet, images: np.ndarray) -> np.ndarray:
    """Class probabilities.

    Args:
        network: a trained network.
        images: ``(N, S, S, 3)`` uint8.

    Returns:
        ``(N, classes)`` float32, rows summing to 1.
    """
    place = next(network.parameters()).device
    outputs = []
    for start in range(0, len(images), 512):
        part = images[start : start + 512]
        pixels, _ = to_tensors(part, np.zeros(len(part), np.int64), place)
        with autocast(place):
            logits = network(pixels.float() / 255).float()
        outputs.append(logits.softmax(1).cpu().numpy())
    return np.concatenate(outputs)


def to_tensors(
    images: np.ndarray, labels: np.ndarray, place: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """``(N, S, S, 3)`` uint8 to ``(N, 3, S, S)`` channels_last uint8, and labels."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return pixels.to(place), torch.from_numpy(labels).to(place)
