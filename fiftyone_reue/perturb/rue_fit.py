"""The fitting loop of :mod:`fiftyone_reue.perturb.rue`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from fiftyone_reue.networks.augment import crop_and_flip
from fiftyone_reue.networks.device import autocast, choose_device
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.perturb.variety import MAX_ROLL

if TYPE_CHECKING:
    from fiftyone_reue.perturb.base import FitData
    from fiftyone_reue.perturb.rue import RueConfig


def class_information(
    probabilities: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Mutual information of input and output within the classes, in nats.

    Args:
        probabilities: ``(N, K)`` softmax outputs.
        labels: ``(N,)`` int64 in 0..K-1.

    Returns:
        The mean over the images of ``KL(p || mean p of its class)``, which is
        ``H(E p) - E H(p)`` averaged over the classes by their shares; >= 0.
    """
    kinds = probabilities.shape[1]
    sums = probabilities.new_zeros(kinds, kinds).index_add(0, labels, probabilities)
    counts = torch.bincount(labels, minlength=kinds).clamp(min=1)
    means = (sums / counts[:, None])[labels]
    small = 1e-8
    ratio = (probabilities + small).log() - (means + small).log()
    return (probabilities * ratio).sum(dim=1).mean()


def fit_tables(
    data: FitData,
    config: RueConfig,
    *,
    amplitude: int,
    seed: int,
    device: str,
) -> Generator[float, None, tuple[np.ndarray, dict]]:
    """Alternate surrogate and table steps, yielding the fraction done.

    Returns:
        The tables, ``(K, V, S/cell, S/cell, 1)`` int8 within ``amplitude`` gray
        levels, and figures of the last round.
    """
    place = choose_device(device)
    generator = torch.Generator().manual_seed(seed)
    count, size = len(data.images), data.images.shape[1]
    classes = len(data.classes)
    images = (
        torch.from_numpy(data.images)
        .permute(0, 3, 1, 2)
        .contiguous(memory_format=torch.channels_last)
        .to(place)
    )
    labels = torch.from_numpy(data.labels).to(place)
    side = size // config.cell
    shape = (classes * config.variants, 1, side, side)
    tables = (torch.rand(shape, generator=generator) * 2 - 1) * amplitude
    tables = tables.to(place)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        surrogate = SmallResNet(classes, config.width, size).to(place)
    surrogate = surrogate.to(memory_format=torch.channels_last)
    # A batch of more than half of the images would only repeat itself.
    surrogate_batch = min(config.surrogate_batch, max(16, count // 2))
    table_batch = min(config.table_batch, max(16, count // 2))
    total = config.rounds * config.surrogate_steps
    optimiser = torch.optim.SGD(
        surrogate.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total, 0.01)

    def perturbed(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = torch.randint(0, count, (batch,), generator=generator).to(place)
        variant = torch.randint(0, config.variants, (batch,), generator=generator)
        rows = labels[chosen] * config.variants + variant.to(place)
        down, right = torch.randint(
            -MAX_ROLL, MAX_ROLL + 1, (2,), generator=generator
        ).tolist()
        offset = torch.roll(tables, (down, right), dims=(2, 3))[rows]
        if torch.rand((), generator=generator) < 0.5:
            offset = offset.flip(-1)
        offset = offset.repeat_interleave(config.cell, 2)
        offset = offset.repeat_interleave(config.cell, 3)
        mixed = (images[chosen].float() + offset).clamp(0, 255) / 255
        mixed = mixed.contiguous(memory_format=torch.channels_last)
        return crop_and_flip(mixed, generator, size // 8), labels[chosen]

    accuracy = 0.0
    information = 0.0
    for round_index in range(config.rounds):
        surrogate.train()
        tables.requires_grad_(False)
        for _ in range(config.surrogate_steps):
            batch, targets = perturbed(surrogate_batch)
            with autocast(place):
                loss = functional.cross_entropy(surrogate(batch).float(), targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
        surrogate.eval()
        for parameter in surrogate.parameters():
            parameter.requires_grad_(False)
        for _ in range(config.table_steps):
            tables.requires_grad_(True)
            batch, targets = perturbed(table_batch)
            with autocast(place):
                logits = surrogate(batch).float()
            loss = functional.cross_entropy(logits, targets)
            mi = class_information(logits.softmax(1), targets)
            objective = loss + config.mutual_information * mi
            (gradient,) = torch.autograd.grad(objective, tables)
            with torch.no_grad():
                tables = (tables - config.step * gradient.sign()).clamp(
                    -amplitude, amplitude
                )
            accuracy = (logits.argmax(1) == targets).float().mean().item()
            information = mi.item()
        for parameter in surrogate.parameters():
            parameter.requires_grad_(True)
        yield (round_index + 1) / config.rounds
    # Cells that the fit left between the bounds are brought to the nearer one: the
    # shortcut is learned faster the more of the budget it has.
    signs = torch.where(tables.detach() >= 0, amplitude, -amplitude)
    whole = signs.to(torch.int8).cpu().numpy()
    figures = {
        "surrogate_accuracy": round(accuracy, 4),
        "mutual_information": round(information, 4),
    }
    shaped = whole.reshape(classes, config.variants, side, side, 1)
    return np.ascontiguousarray(shaped), figures
