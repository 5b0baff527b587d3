"""The fitting loop of :mod:`fiftyone_reue.perturb.rue.method`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.augment import crop_and_flip
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.perturb.pgd import SignSteps, descend
from fiftyone_reue.perturb.rue.information import class_information, class_spread
from fiftyone_reue.perturb.surrogate import (
    class_loss,
    create_optimiser,
    create_surrogate,
    features_of,
    frozen,
    logits_of,
)
from fiftyone_reue.perturb.transformations import transformation

if TYPE_CHECKING:
    from fiftyone_reue.networks.context import TrainingContext
    from fiftyone_reue.perturb.base import FitData
    from fiftyone_reue.perturb.rue.config import RueConfig

SHARED_ROLLS = 8
"""Rolls and flips drawn for a batch: each is a copy of all tables."""
ADVERSARIAL_STEPS = 3

Information = Callable[
    [nn.Module, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor
]
"""Of a network, images, the logits that it gives them, and their classes."""


def fit_tables(
    data: FitData,
    start: np.ndarray,
    config: RueConfig,
    amplitude: int,
    context: TrainingContext,
) -> Generator[float, None, tuple[np.ndarray, dict[str, Any]]]:
    """Alternate surrogate and table steps, yielding the fraction done.

    Args:
        data: what to fit on.
        start: ``(K, V, h, w, C)`` int8, the tables to begin with.
        config: how.
        amplitude: gray levels that the tables keep within.
        context: of the surrogates, and of everything random.

    Returns:
        The tables in the start's shape, every cell at one of the bounds, and figures
        of the last round.

    Raises:
        InputError: the configuration names what doesn't exist.
    """
    device, generator = context.torch_device(), context.generator()
    batches = _Batches(data, config, generator, device)
    kinds, variants, height, width, colours = start.shape
    tables = torch.from_numpy(start.astype(np.float32)).to(device)
    tables = tables.reshape(kinds * variants, height, width, colours)
    tables = tables.permute(0, 3, 1, 2).contiguous()
    learners = _Learners(config, kinds, batches.size, context.seed, device)
    information = _information(config.objective)
    agreed, lost = 0.0, 0.0
    for round_index in range(config.rounds):
        if (
            config.reinitialise
            and round_index
            and not round_index % config.reinitialise
        ):
            learners.begin_anew(round_index)
        for _ in range(config.surrogate_steps):
            images, targets = batches.draw(tables, config.surrogate_batch)
            learners.learn(images, targets)
        for _ in range(config.table_steps):
            leaf = tables.requires_grad_(True)
            images, targets = batches.draw(leaf, config.table_batch)
            with frozen(learners.current) as network:
                logits = logits_of(network, images)
                objective = functional.cross_entropy(logits, targets)
                kept = information(network, images, logits, targets)
                objective = objective + config.information * kept
                (gradient,) = torch.autograd.grad(objective, leaf)
            moved = tables.detach() - config.step * gradient.sign()
            tables = moved.clamp(-amplitude, amplitude)
            agreed = (logits.argmax(1) == targets).float().mean().item()
            lost = kept.item()
        yield (round_index + 1) / config.rounds
    # Cells that the fit left between the bounds are brought to the nearer one: the
    # shortcut is learned faster the more of the budget it has.
    signs = torch.where(tables >= 0, amplitude, -amplitude).to(torch.int8)
    whole = signs.permute(0, 2, 3, 1).reshape(start.shape).cpu().numpy()
    figures = {"surrogate_accuracy": round(agreed, 4), "information": round(lost, 4)}
    return np.ascontiguousarray(whole), figures


class _Batches:
    """Perturbed and transformed batches; the same seed gives the same ones."""

    def __init__(
        self,
        data: FitData,
        config: RueConfig,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self._pixels = to_pixels(data.images, device)
        self._labels = torch.from_numpy(data.labels).to(device)
        self._config = config
        self._generator = generator
        self._transformations = [transformation(n) for n in config.transformations]
        self.size = data.images.shape[1]

    def draw(
        self, tables: torch.Tensor, batch: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Images ``(n, 3, S, S)`` in [0, 1] with their tables on, and their classes.

        A batch of more than half of the images would only repeat itself.
        """
        count, device = len(self._labels), self._labels.device
        batch = min(batch, max(16, count // 2))
        chosen = torch.randint(count, (batch,), generator=self._generator).to(device)
        labels = self._labels[chosen]
        variant = torch.randint(
            self._config.variants, (batch,), generator=self._generator
        )
        rows = labels * self._config.variants + variant.to(device)
        parts = [self._varied(tables, some) for some in rows.chunk(SHARED_ROLLS)]
        offset = torch.cat(parts).repeat_interleave(self._config.cell, 2)
        offset = offset.repeat_interleave(self._config.cell, 3)
        offset = functional.pad(
            offset, (0, self.size - offset.shape[3], 0, self.size - offset.shape[2])
        )
        mixed = (self._pixels[chosen].float() + offset).clamp(0, 255) / 255
        mixed = self._transformed(mixed)
        mixed = mixed.contiguous(memory_format=torch.channels_last)
        return crop_and_flip(mixed, self._generator, self.size // 8), labels

    def _varied(self, tables: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Rolled and flipped as :func:`fiftyone_reue.perturb.rue.variety.vary` does."""
        reach, sides = self._config.reach, tables.shape[2:]
        bounds = [(0, side) if reach is None else (-reach, reach + 1) for side in sides]
        rolls = tuple(
            int(torch.randint(low, high, (), generator=self._generator))
            for low, high in bounds
        )
        flipped = torch.rand((), generator=self._generator) < 0.5
        rolled = torch.roll(tables, rolls, dims=(2, 3))[rows]
        return rolled.flip(-1) if self._config.flips and flipped else rolled

    def _transformed(self, images: torch.Tensor) -> torch.Tensor:
        draws = torch.rand(2, generator=self._generator)
        if not self._transformations or draws[0] >= self._config.transformed:
            return images
        chosen = int(draws[1] * len(self._transformations))
        return self._transformations[chosen](images, self._generator)


class _Learners:
    """The surrogates, each with its optimiser, taken in turn."""

    def __init__(
        self,
        config: RueConfig,
        classes: int,
        size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._config, self._classes, self._size = config, classes, size
        self._seed, self._device = seed, device
        self._turn = 0
        self.begin_anew(0)

    def begin_anew(self, salt: int) -> None:
        """New weights."""
        self._networks = [
            self._create(name, self._seed + salt + 7919 * index)
            for index, name in enumerate(self._config.surrogates)
        ]
        self._optimisers = [
            create_optimiser(network, name, weight_decay=5e-4)
            for network, name in zip(
                self._networks, self._config.surrogates, strict=True
            )
        ]

    def _create(self, name: str, seed: int) -> nn.Module:
        seed %= 2**63
        if name != "small_resnet":
            return create_surrogate(name, self._classes, self._size, seed, self._device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SmallResNet(self._classes, self._config.width, self._size)
        return network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def current(self) -> nn.Module:
        """The surrogate that learned last."""
        return self._networks[(self._turn - 1) % len(self._networks)]

    def learn(self, images: torch.Tensor, targets: torch.Tensor) -> None:
        """A cross-entropy step of the one whose turn it is."""
        index = self._turn % len(self._networks)
        self._turn += 1
        network, optimiser = self._networks[index], self._optimisers[index]
        images = images.detach()
        if self._config.adversarial:
            images = self._attacked(network, images, targets)
        network.train()
        loss = functional.cross_entropy(logits_of(network, images), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    def _attacked(
        self, network: nn.Module, images: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        radius = self._config.adversarial
        with frozen(network):
            change = descend(
                lambda changed: -class_loss(network, targets, changed),
                images,
                torch.zeros_like(images),
                SignSteps(radius, 2 * radius / ADVERSARIAL_STEPS, ADVERSARIAL_STEPS),
            )
        return images + change


def _information(objective: str) -> Information:
    if objective == "softmax":
        return lambda network, images, logits, labels: class_information(
            logits.softmax(1), labels
        )
    if objective == "collinear":
        return lambda network, images, logits, labels: class_spread(
            features_of(network, images), labels
        )
    raise InputError(
        f"There is no objective {objective!r}; choose softmax or collinear"
    )
