"""A denoiser of a thief who has the package: trained on pairs made with other keys.

A network of four scales that also sees the whole picture's mean features, so that it
can find out which texture an image has before it takes it away. It learns from images
and what the package makes of them with keys and classes that the thief draws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (40, 80, 160, 240)
STEPS, BATCH, RATE = 2500, 16, 1e-3
WARM_UP = 100
CHUNK = 100


def _two(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, 1, 1),
        nn.ReLU(inplace=True),
    )


class Denoiser(nn.Module):
    """``(N, 3, S, S)`` gray levels to the same; S is a multiple of 8."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        inputs = (3, *widths[:-1])
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(
            _two(*one) for one in zip(inputs, widths, strict=True)
        )
        self.middle = _two(widths[-1], widths[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs)
        self.join = nn.ModuleList(_two(2 * a, a) for a, _ in pairs)
        self.last = nn.Conv2d(widths[0], 3, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, kept = (x - 128) / 64, []
        for place, layer in enumerate(self.down):
            y = layer(functional.max_pool2d(y, 2) if place else y)
            kept.append(y)
        y = self.middle(y + y.mean((2, 3), keepdim=True))
        for place in reversed(range(len(self.up))):
            y = self.join[place](torch.cat([self.up[place](y), kept[place]], 1))
        return x - 8 * self.last(y)


def trained(
    clean: torch.Tensor,
    copies: torch.Tensor,
    steps: int = STEPS,
    seed: int = 0,
    widths: Sequence[int] = WIDTHS,
) -> Denoiser:
    """A denoiser for these pairs, their mirror images and transposes.

    Args:
        clean: ``(N, S, S, 3)`` uint8.
        copies: ``(C, N, S, S, 3)`` uint8, what the package made of them.
        steps: of its training.
        seed: of its weights and batches.
        widths: of its scales.
    """
    torch.manual_seed(seed)
    place = clean.device
    network = Denoiser(widths).to(place).to(memory_format=torch.channels_last)
    cuda = place.type == "cuda"
    rate = torch.tensor(RATE, device=place)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=rate if cuda else RATE, capturable=cuda
    )
    count, whole = len(clean), len(copies) * len(clean)
    given = copies.reshape(whole, *clean.shape[1:])

    def step() -> None:
        at = torch.randint(whole, (BATCH,), device=place)
        pair = torch.cat([clean[at % count], given[at]], 3).permute(0, 3, 1, 2).float()
        for turned in (pair.flip(3), pair.flip(2), pair.transpose(2, 3)):
            pair = torch.where(_coin(place), pair, turned)
        x, y = (
            one.contiguous(memory_format=torch.channels_last)
            for one in pair.split(3, 1)
        )
        with torch.autocast(place.type, torch.bfloat16, cuda, cache_enabled=False):
            found = network(y)
        loss = (found.float() - x).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    if not cuda:
        for number in range(steps):
            optimiser.param_groups[0]["lr"] = _rate(number, steps)
            step()
        return network
    graph = _captured(step, place)
    for number in range(steps):
        rate.fill_(_rate(number, steps))
        graph.replay()
    torch.cuda.synchronize(place)
    return network


def _coin(place: torch.device) -> torch.Tensor:
    return torch.rand(BATCH, 1, 1, 1, device=place) < 0.5


def _rate(number: int, steps: int) -> float:
    rising = min(1.0, (number + 1) / WARM_UP)
    return RATE * rising * (1 + math.cos(math.pi * number / steps)) / 2


def _captured(step, place: torch.device) -> torch.cuda.CUDAGraph:
    stream = torch.cuda.Stream(place)
    stream.wait_stream(torch.cuda.current_stream(place))
    with torch.cuda.stream(stream):
        for _ in range(5):
            step()
    torch.cuda.current_stream(place).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


@torch.no_grad()
def denoised(network: Denoiser, images: torch.Tensor) -> torch.Tensor:
    """``(N, S, S, 3)`` uint8 to the same."""
    made = torch.empty_like(images)
    kind = images.device.type
    for start in range(0, len(images), CHUNK):
        x = images[start : start + CHUNK].permute(0, 3, 1, 2).float()
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(kind, torch.bfloat16, kind == "cuda"):
            after = network(x).float()
        after = after.round().clamp(0, 255).to(torch.uint8)
        made[start : start + CHUNK] = after.permute(0, 2, 3, 1)
    return made
