"""A U-Net from images to images of the same size.

Ronneberger et al., "U-Net", MICCAI 2015, arXiv:1505.04597, with the residual blocks
and the time embedding of Ho et al., "Denoising Diffusion Probabilistic Models",
NeurIPS 2020, arXiv:2006.11239, and without their attention.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

GROUPS = 8
"""Groups of the normalisation; channels are multiples of it."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with group normalisation and a shortcut.

    Args:
        inputs: channels of the input, a multiple of 8.
        outputs: channels of the output, a multiple of 8.
        embedding: length of the vector that scales and shifts the block's middle;
            0 for none.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int = 0) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * outputs) if embedding else None
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(
        self, x: torch.Tensor, embedding: torch.Tensor | None = None
    ) -> torch.Tensor:
        """``(N, inputs, H, W)``, and ``(N, embedding)``, to ``(N, outputs, H, W)``."""
        y = self.conv1(functional.silu(self.norm1(x)))
        y = self.norm2(y)
        if self.modulate is not None and embedding is not None:
            scale, shift = self.modulate(embedding)[:, :, None, None].chunk(2, dim=1)
            y = y * (1 + scale) + shift
        return self.conv2(functional.silu(y)) + self.shortcut(x)


class UNet(nn.Module):
    """From ``(N, 3, S, S)`` to ``(N, 3, S, S)``, any S; at first every output is 0.

    Args:
        width: channels at full resolution, a multiple of 8; every halving of the
            resolution doubles them.
        halvings: how often the resolution is halved.
        blocks: residual blocks a resolution, on the way down and on the way up.
        timed: whether :meth:`forward` takes a time as well.
    """

    def __init__(
        self, width: int, halvings: int, blocks: int, *, timed: bool = False
    ) -> None:
        super().__init__()
        self.width, self.halvings, self.blocks = width, halvings, blocks
        embedding = 4 * width if timed else 0
        self.time = nn.Identity() if not timed else _time_layers(width, embedding)
        self.head = nn.Conv2d(3, width, 3, padding=1)
        widths = [width * 2**level for level in range(halvings + 1)]
        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        self.up = nn.ModuleList()
        self.grow = nn.ModuleList()
        for level, channels in enumerate(widths):
            self.down.extend(
                ResidualBlock(channels, channels, embedding) for _ in range(blocks)
            )
            if level < halvings:
                self.shrink.append(nn.Conv2d(channels, 2 * channels, 3, 2, 1))
        for channels in reversed(widths[:-1]):
            self.grow.append(nn.Conv2d(2 * channels, channels, 3, padding=1))
            self.up.append(ResidualBlock(2 * channels, channels, embedding))
            self.up.extend(
                ResidualBlock(channels, channels, embedding) for _ in range(blocks - 1)
            )
        self.norm = nn.GroupNorm(GROUPS, width)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        for weight in self.tail.parameters():
            nn.init.zeros_(weight)

    def forward(
        self, x: torch.Tensor, times: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See the class.

        Args:
            x: ``(N, 3, S, S)`` float32.
            times: ``(N,)`` int64 or float32, 0 to about 1000, where it is timed.
        """
        embedding = None
        if times is not None:
            embedding = self.time(sinusoids(times, self.width))
        height, width = x.shape[-2:]
        step = 2**self.halvings
        # Edges are repeated, not mirrored: that works for images of any small size.
        padding = (0, -width % step, 0, -height % step)
        y = self.head(functional.pad(x, padding, mode="replicate"))
        skipped = []
        for level in range(self.halvings + 1):
            for block in self._of_level(self.down, level):
                y = block(y, embedding)
            if level < self.halvings:
                skipped.append(y)
                y = self.shrink[level](y)
        for level in range(self.halvings):
            y = self.grow[level](functional.interpolate(y, scale_factor=2.0))
            y = torch.cat([y, skipped.pop()], dim=1)
            for block in self._of_level(self.up, level):
                y = block(y, embedding)
        y = self.tail(functional.silu(self.norm(y)))
        return y[..., :height, :width]

    def _of_level(self, modules: nn.ModuleList, level: int) -> list[nn.Module]:
        return list(modules[level * self.blocks : (level + 1) * self.blocks])


def sinusoids(times: torch.Tensor, length: int) -> torch.Tensor:
    """Sines and cosines of the times at falling frequencies.

    Args:
        times: ``(N,)``.
        length: how many of them, even.

    Returns:
        ``(N, length)`` float32.
    """
    half = length // 2
    along = torch.arange(half, device=times.device)
    angles = times[:, None].float() * torch.exp(-math.log(10_000) / half * along)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def small_unet(*, seed: int, timed: bool = False) -> UNet:
    """The one that a processor core can train: 16 channels, two halvings."""
    return _seeded(16, 2, 1, timed, seed)


def full_unet(*, seed: int, timed: bool = False) -> UNet:
    """The one for a GPU: 64 channels, two halvings, two blocks a resolution."""
    return _seeded(64, 2, 2, timed, seed)


def _seeded(width: int, halvings: int, blocks: int, timed: bool, seed: int) -> UNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        return UNet(width, halvings, blocks, timed=timed)


def _time_layers(width: int, embedding: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(width, embedding),
        nn.SiLU(),
        nn.Linear(embedding, embedding),
        nn.SiLU(),
    )
