"""Many victims at once: a whole training on the device, without waiting for Python.

The recipe is :mod:`fiftyone_reue.networks.training`'s (SGD with Nesterov momentum, one
cycle, shifts and flips, bfloat16), with every draw made beforehand. On a GPU a
few steps are captured as one CUDA graph and replayed; several victims train side by
side on streams of their own, since one of these narrow networks leaves a GPU idle.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from photograph_thieves import Draws
from torch.nn import functional

from fiftyone_reue.networks.device import uses_bfloat16
from fiftyone_reue.networks.registry import create_network

UNROLL = 4
"""Steps in one graph."""
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
ADVERSARIAL_RADIUS, ADVERSARIAL_STEP, ADVERSARIAL_STEPS = 4 / 255, 2 / 255, 3
WARM_UP = 0.3
"""Share of the steps after which the learning rate is highest."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a victim trains.

    Attributes:
        victim: a network's registry name.
        epochs: passes over the images.
        batch: images a step.
        rate: the one-cycle schedule's peak.
    """

    victim: str = "small_resnet"
    epochs: int = 60
    batch: int = 64
    rate: float = 0.05

    def steps(self, count: int) -> int:
        """Of a training on so many images; whole graphs of them."""
        wanted = self.epochs * (count // self.batch)
        return UNROLL * math.ceil(wanted / UNROLL)


def one_cycle(steps: int, rate: float) -> np.ndarray:
    """``(steps,)`` what torch's OneCycleLR gives with ``pct_start`` 0.3."""
    place = np.arange(steps)
    top = WARM_UP * steps - 1
    rising = rate / 25 + (rate - rate / 25) * (1 - np.cos(np.pi * place / top)) / 2
    share = (place - top) / (steps - 1 - top)
    least = rate / 25 / 1e4
    falling = least + (rate - least) * (1 + np.cos(np.pi * share)) / 2
    return np.where(place <= top, rising, falling)


@dataclass(frozen=True)
class Training:
    """One victim's work.

    Attributes:
        images: ``(N, S, S, 3)`` uint8, on the device.
        labels: ``(N,)`` int64, on the device.
        draws: on the device.
        seed: of the weights.
        tests: sets of ``(T, S, S, 3)`` uint8 that the victim is asked.
    """

    images: torch.Tensor
    labels: torch.Tensor
    draws: Draws
    seed: int
    tests: Sequence[torch.Tensor]


class Victims:
    """Trains networks of one kind and size, up to ``slots`` at a time."""

    def __init__(
        self,
        schedule: Schedule,
        count: int,
        side: int,
        classes: int,
        place: torch.device,
        slots: int,
    ) -> None:
        if place.type == "cuda":
            torch.backends.cudnn.benchmark = True
        parts = (schedule, count, side, classes, place)
        self._slots = [_Slot(*parts) for _ in range(slots)]
        self._steps = schedule.steps(count)
        self._place = place

    def accuracies(
        self, work: Sequence[Training], wanted: torch.Tensor
    ) -> list[list[float]]:
        """For each training, the share named rightly of each of its test sets.

        Args:
            work: at most as many as there are slots.
            wanted: ``(T,)`` int64 labels of every test set.
        """
        slots = self._slots[: len(work)]
        for slot, one in zip(slots, work, strict=True):
            slot.begin(one)
        self._wait()
        for _ in range(self._steps // UNROLL):
            for slot in slots:
                slot.advance()
        self._wait()
        return [
            [slot.accuracy(test, wanted) for test in one.tests]
            for slot, one in zip(slots, work, strict=True)
        ]

    def _wait(self) -> None:
        if self._place.type == "cuda":
            torch.cuda.synchronize(self._place)


class _Slot:
    """A victim's place: its weights, its images and its graphs."""

    def __init__(
        self,
        schedule: Schedule,
        count: int,
        side: int,
        classes: int,
        place: torch.device,
    ) -> None:
        self._schedule, self._classes, self._side = schedule, classes, side
        self._place = place
        steps, batch = schedule.steps(count), schedule.batch
        self._images = torch.zeros(
            count, side, side, 3, dtype=torch.uint8, device=place
        )
        self._labels = torch.zeros(count, dtype=torch.int64, device=place)
        rates = one_cycle(steps, schedule.rate).astype(np.float32)
        self._rates = torch.from_numpy(rates).to(place)
        self._draws = _empty_draws(steps, batch, place)
        self._at = torch.zeros(1, dtype=torch.int64, device=place)
        self._network = create_network(schedule.victim, classes, side, seed=0).to(place)
        self._parameters = list(self._network.parameters())
        self._flat = torch.cat([p.detach().flatten() for p in self._parameters])
        start = 0
        for parameter in self._parameters:
            end = start + parameter.numel()
            parameter.data = self._flat[start:end].view_as(parameter)
            start = end
        self._momentum = torch.zeros_like(self._flat)
        self._mode = "plain"
        self._graphs: dict[str, torch.cuda.CUDAGraph] = {}
        self._stream = torch.cuda.Stream(place) if place.type == "cuda" else None

    def begin(self, work: Training) -> None:
        """Fresh weights, and these images and draws."""
        self._mode = "rich" if work.draws.rich is not None else "plain"
        if work.draws.adversarial:
            self._mode = "adversarial"
        if self._stream is not None and self._mode not in self._graphs:
            self._graphs[self._mode] = self._captured(self._mode)
        self._images.copy_(work.images)
        self._labels.copy_(work.labels)
        _copy_draws(self._draws, work.draws)
        fresh = create_network(
            self._schedule.victim, self._classes, self._side, seed=work.seed
        ).state_dict()
        with torch.no_grad():
            for name, value in self._network.state_dict().items():
                value.copy_(fresh[name])
        self._momentum.zero_()
        self._at.zero_()

    def advance(self) -> None:
        """:data:`UNROLL` steps; on a GPU they are only put in its queue."""
        if self._stream is None:
            for _ in range(UNROLL):
                self._step(self._mode)
            return
        with torch.cuda.stream(self._stream):
            self._graphs[self._mode].replay()

    @torch.no_grad()
    def accuracy(self, images: torch.Tensor, wanted: torch.Tensor) -> float:
        """The share named rightly."""
        self._network.eval()
        right = 0
        for part, labels in zip(images.split(300), wanted.split(300), strict=True):
            x = (part.float() / 255).permute(0, 3, 1, 2)
            with self._autocast():
                right += int((self._network(x).argmax(1) == labels).sum())
        return right / len(images)

    def _captured(self, mode: str) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        self._at.zero_()
        self._stream.wait_stream(torch.cuda.current_stream(self._place))
        with torch.cuda.stream(self._stream):
            for _ in range(3):
                self._step(mode)
        torch.cuda.current_stream(self._place).wait_stream(self._stream)
        torch.cuda.synchronize(self._place)
        self._at.zero_()
        with torch.cuda.graph(graph, stream=self._stream):
            for _ in range(UNROLL):
                self._step(mode)
        return graph

    def _autocast(self) -> contextlib.AbstractContextManager:
        # Casts aren't cached: a graph must hold them.
        return torch.autocast(
            self._place.type,
            dtype=torch.bfloat16,
            enabled=uses_bfloat16(self._place),
            cache_enabled=False,
        )

    def _step(self, mode: str) -> None:
        self._network.train()
        chosen = self._now(self._draws.order)
        images = self._shifted(chosen)
        if mode == "rich":
            images = self._enriched(images)
        images = images.contiguous(memory_format=torch.channels_last)
        labels = self._labels[chosen]
        if mode == "adversarial":
            images = self._moved(images, labels)
        loss = self._loss(images, labels)
        gradients = torch.autograd.grad(loss, self._parameters)
        with torch.no_grad():
            change = torch.cat([g.flatten() for g in gradients])
            change.add_(self._flat, alpha=WEIGHT_DECAY)
            self._momentum.mul_(MOMENTUM).add_(change)
            change.add_(self._momentum, alpha=MOMENTUM)
            self._flat.sub_(change * self._rates.index_select(0, self._at))
            self._at.add_(1)

    def _loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            logits = self._network(images)
        return functional.cross_entropy(logits.float(), labels)

    def _moved(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """To a higher loss, within a radius (Madry et al., ICLR 2018)."""
        moved = images
        for _ in range(ADVERSARIAL_STEPS):
            moved = moved.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self._loss(moved, labels), moved)
            moved = moved.detach() + ADVERSARIAL_STEP * slope.sign()
            change = (moved - images).clamp(-ADVERSARIAL_RADIUS, ADVERSARIAL_RADIUS)
            moved = (images + change).clamp(0, 1)
        return moved.detach()

    def _now(self, table: torch.Tensor) -> torch.Tensor:
        return table.index_select(0, self._at)[0]

    def _shifted(self, chosen: torch.Tensor) -> torch.Tensor:
        """``(batch, 3, S, S)`` float32 in [0, 1], reflected at the borders."""
        last = self._side - 1
        along = torch.arange(self._side, device=self._place)
        rows = _reflected(along + self._now(self._draws.down)[:, None], last)
        columns = _reflected(along + self._now(self._draws.right)[:, None], last)
        flip = self._now(self._draws.flip)[:, None]
        columns = torch.where(flip, columns.flip(1), columns)
        picked = self._images[
            chosen[:, None, None], rows[:, :, None], columns[:, None, :]
        ]
        return picked.permute(0, 3, 1, 2).float() / 255

    def _enriched(self, x: torch.Tensor) -> torch.Tensor:
        now = {name: self._now(t) for name, t in self._draws.rich.items()}
        return enriched(x, **now)


def enriched(
    x: torch.Tensor,
    affine: torch.Tensor,
    matrix: torch.Tensor,
    contrast: torch.Tensor,
    levels: torch.Tensor,
    threshold: torch.Tensor,
) -> torch.Tensor:
    """Images moved and recoloured, each as its draws say.

    Args:
        x: ``(N, 3, S, S)`` in [0, 1]; the rest is a step of :class:`Draws`.
    """
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    x = functional.grid_sample(
        x, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    x = torch.einsum("nij,njhw->nihw", matrix, x)
    middle = x.mean((1, 2, 3), keepdim=True)
    x = (contrast[:, None, None, None] * (x - middle) + middle).clamp(0, 1)
    x = torch.where(x >= threshold[:, None, None, None], 1 - x, x)
    steps = levels[:, None, None, None]
    return torch.where(steps < 255, (x * steps).floor() / steps, x)


def _reflected(place: torch.Tensor, last: int) -> torch.Tensor:
    return last - (last - place.abs()).abs()


def _empty_draws(steps: int, batch: int, place: torch.device) -> Draws:
    shape = (steps, batch)

    def zeros(*more: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(*shape, *more, dtype=dtype, device=place)

    rich = {
        "affine": zeros(2, 3),
        "matrix": zeros(3, 3),
        "contrast": zeros(),
        "levels": zeros(),
        "threshold": zeros(),
    }
    whole = [zeros(dtype=torch.int64) for _ in range(3)]
    return Draws(*whole, zeros(dtype=torch.bool), rich)


def _copy_draws(there: Draws, given: Draws) -> None:
    for name in ("order", "down", "right", "flip"):
        getattr(there, name).copy_(getattr(given, name))
    for name, table in (given.rich or {}).items():
        there.rich[name].copy_(table)
