"""SimCLR and the linear probe for :mod:`.self_supervised`, for any victim network."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.auditing.holdings import TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.device import autocast, few_threads
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.training import Augment, to_pixels, train

OUTPUTS = 128
"""How wide the projection head's output is."""


def last_linear(network: nn.Module) -> str:
    """The dotted name of the network's last linear layer, which makes the logits.

    Raises:
        InputError: it has none.
    """
    names = [n for n, m in network.named_modules() if isinstance(m, nn.Linear)]
    if not names:
        raise InputError(
            "Choose another network for self_supervised: this one has no linear layer"
        )
    return names[-1]


@contextmanager
def without_head(network: nn.Module, name: str) -> Iterator[None]:
    """Make the network return what its last linear layer gets, while inside."""
    parent_name, _, own_name = name.rpartition(".")
    parent = network.get_submodule(parent_name)
    head = network.get_submodule(name)
    setattr(parent, own_name, nn.Identity())
    try:
        yield
    finally:
        setattr(parent, own_name, head)


def two_views(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Augment every image twice, as SimCLR does for CIFAR-10 (without blur).

    Args:
        images: ``(N, 3, S, S)`` float32 in [0, 1].
        generator: for the draws, on the CPU.

    Returns:
        ``(2 * N, 3, S, S)`` float32 in [0, 1]; rows n and N + n show image n.
    """
    doubled = torch.cat([images, images])
    return jitter_colours(random_resized_crop(doubled, generator), generator)


def random_resized_crop(
    images: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Cut out 8 to 100 % of the area, 3:4 to 4:3, flip half, resize back.

    Args:
        images: ``(N, 3, S, S)``.
        generator: for the draws, on the CPU.

    Returns:
        The same shape, every image with draws of its own; bilinear.
    """
    count = len(images)
    area, ratio, right, down, flip = torch.rand(5, count, generator=generator)
    root = (0.08 + 0.92 * area).sqrt()
    stretch = ((2 * ratio - 1) * math.log(4 / 3) / 2).exp()
    width, height = (root * stretch).clamp(max=1), (root / stretch).clamp(max=1)
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0] = torch.where(flip < 0.5, -width, width)
    affine[:, 1, 1] = height
    affine[:, 0, 2] = (2 * right - 1) * (1 - width)
    affine[:, 1, 2] = (2 * down - 1) * (1 - height)
    grid = functional.affine_grid(
        affine.to(images.device), list(images.shape), align_corners=False
    )
    return functional.grid_sample(
        images, grid, padding_mode="border", align_corners=False
    )


def jitter_colours(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change the colours of 80 % and make 20 % gray, at SimCLR's strength 0.5.

    Brightness, contrast and saturation each by a factor of 0.6 to 1.4, then the hue
    by up to a tenth of a turn, as a rotation of the colour plane around gray.

    Args:
        images: ``(N, 3, S, S)`` in [0, 1].
        generator: for the draws, on the CPU.

    Returns:
        The same shape in [0, 1], every image with draws of its own.
    """
    count, device = len(images), images.device
    drawn = torch.rand(6, count, 1, 1, 1, generator=generator).to(device)
    brightness, contrast, saturation = 0.6 + 0.8 * drawn[:3]
    turn = (2 * drawn[3] - 1) * 0.1 * 2 * math.pi
    changed = (images * brightness).clamp(0, 1)
    middle = _gray(changed).mean(dim=(2, 3), keepdim=True)
    changed = (middle + (changed - middle) * contrast).clamp(0, 1)
    gray = _gray(changed)
    colour = (changed - gray) * saturation
    sideways = torch.roll(colour, 1, 1) - torch.roll(colour, -1, 1)
    level = colour.mean(dim=1, keepdim=True)
    rotated = level + (colour - level) * turn.cos() + sideways * turn.sin() / 3**0.5
    changed = torch.where(drawn[4] < 0.8, (gray + rotated).clamp(0, 1), images)
    return torch.where(drawn[5] < 0.2, _gray(changed).expand_as(changed), changed)


def _gray(images: torch.Tensor) -> torch.Tensor:
    """``(N, 1, S, S)``, luminance of ITU-R BT.601."""
    weights = images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def nt_xent(outputs: torch.Tensor, temperature: float) -> torch.Tensor:
    """Normalised temperature-scaled cross-entropy (NT-Xent).

    Args:
        outputs: ``(2 * N, D)`` float32; rows n and N + n belong together.
        temperature: divides the cosine similarities.

    Returns:
        A scalar: how badly a row's partner is told from all other rows, in nats.
    """
    unit = functional.normalize(outputs)
    similarities = unit @ unit.T / temperature
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    partners = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return functional.cross_entropy(
        similarities.masked_fill(itself, -math.inf), partners
    )


def pretrain(
    network: nn.Module,
    images: np.ndarray,
    *,
    steps: int,
    batch: int,
    temperature: float,
    learning_rate: float,
    context: TrainingContext,
) -> Generator[float, None, None]:
    """Pretrain all but the network's last linear layer with SimCLR, in place.

    AdamW under a one-cycle rate, which suits every victim network, in the place of the
    paper's LARS, which is for batches of thousands. Whenever this yields, the network
    is whole.

    Args:
        network: takes ``(N, 3, S, S)`` in [0, 1]; moved to the device.
        images: ``(N, S, S, 3)`` uint8.
        steps: how many batches.
        batch: images a step; all of them where there are fewer.
        temperature: see :func:`nt_xent`.
        learning_rate: the schedule's peak.
        context: where to train, and of every draw.

    Yields:
        The fraction done.

    Raises:
        InputError: the network has no linear layer.
    """
    device = context.torch_device()
    name = last_linear(network)
    wide = int(network.get_submodule(name).in_features)  # type: ignore[arg-type]
    generator = context.generator()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        projection = nn.Sequential(
            nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, OUTPUTS)
        ).to(device)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with without_head(network, name):
        learned = [*network.parameters(), *projection.parameters()]
    optimiser = torch.optim.AdamW(learned, learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=0.1
    )
    pixels = to_pixels(images, device)
    batch = min(batch, len(pixels))
    order = torch.empty(0, dtype=torch.int64)
    with few_threads():
        for step in range(steps):
            if len(order) < batch:
                order = torch.randperm(len(pixels), generator=generator)
            chosen, order = order[:batch].to(device), order[batch:]
            network.train()
            views = two_views(pixels[chosen].float() / 255, generator)
            views = views.contiguous(memory_format=torch.channels_last)
            with autocast(device), without_head(network, name):
                outputs = projection(network(views))
            loss = nt_xent(outputs.float(), temperature)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            yield (step + 1) / steps
    optimiser.zero_grad(set_to_none=True)
    network.eval()


class _Probe(nn.Module):
    """A network that stays in evaluation mode while its last layer is trained."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> _Probe:
        self.training = mode
        self.network.eval()
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)


def train_probe(
    network: nn.Module,
    prepared: TrainingSet,
    classes: int,
    *,
    recipe: Recipe,
    context: TrainingContext,
    augment: Augment,
) -> Generator[float, None, None]:
    """Train the network's last linear layer only, in place.

    Everything before it is frozen and in evaluation mode, so that its batch
    statistics stay as well; afterwards its weights can be trained again.

    Args:
        network: takes ``(N, 3, S, S)`` in [0, 1], returns ``(N, classes)`` logits.
        prepared: what to train on.
        classes: how many classes.
        recipe: the schedule.
        context: where to train, and of every draw.
        augment: applied to every batch.

    Yields:
        The fraction done.
    """
    head = network.get_submodule(last_linear(network))
    before = {weights: weights.requires_grad for weights in network.parameters()}
    network.requires_grad_(False)
    head.requires_grad_(True)
    try:
        yield from train(
            _Probe(network),
            prepared.images,
            prepared.labels,
            classes,
            recipe=recipe,
            context=context,
            augment=augment,
        )
    finally:
        for weights, learned in before.items():
            weights.requires_grad_(learned)
        network.zero_grad(set_to_none=True)
