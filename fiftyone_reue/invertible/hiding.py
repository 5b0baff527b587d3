"""HiNet: one image hidden in another in the wavelet domain, and revealed again.

Jing et al., "HiNet: Deep Image Hiding by Invertible Network", ICCV 2021, which Deep
Hiding (Meng et al., IEEE TIFS 2024, arXiv:2406.17349) builds upon. A cover's and a
secret's Haar bands go through coupling blocks: what is computed from the secret is
added to the cover, then the secret is scaled and shifted by what is computed from the
cover. The cover's half is the result; the secret's half, which training brings near 0,
is thrown away, and the same blocks backwards with 0 in its place reveal the secret.

Two things are not HiNet's. The cover's half stays whole numbers throughout, so that
the result is the same on every machine. And cover and secret have one channel, the mean
of the colours: a change of colours alone would not outlive grayscale, and fades in
JPEG's coarser colours.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

import torch
from torch import nn

from fiftyone_reue.invertible.exact import Subnetwork, is_exact, whole
from fiftyone_reue.invertible.haar import haar, inverse_haar

BANDS = 4
"""Haar bands of one channel."""
_RANGE = 32.0
"""Gray levels in one unit of a band, as subnetworks see it; a power of two."""
_MIDDLE = 128.0
_SCALE_STEPS = 256
"""Steps of a scale's logarithm in 1."""
_SCALE_UNIT = 2.0**12


@dataclass(frozen=True)
class HidingConfig:
    """How large the network is.

    Attributes:
        blocks: coupling blocks; 16 in HiNet.
        width: channels within a subnetwork.
    """

    blocks: int = 3
    width: int = 24

    def to_dict(self) -> dict[str, int]:
        """As it is kept beside the weights."""
        return asdict(self)


class Coupling(nn.Module):
    """One block, forwards and backwards."""

    def __init__(self, config: HidingConfig) -> None:
        super().__init__()
        self.to_cover = Subnetwork(BANDS, BANDS, config.width)
        self.scale = Subnetwork(BANDS, BANDS, config.width)
        self.shift = Subnetwork(BANDS, BANDS, config.width)

    def forward(
        self,
        cover: torch.Tensor,
        secret: torch.Tensor,
        amplitude: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        change = self.to_cover(secret)
        cover = cover + whole(change * amplitude)
        seen = _units(cover)
        secret = _times_exp(secret, self.scale(seen)) + self.shift(seen)
        return cover, secret

    def backward_pass(
        self,
        cover: torch.Tensor,
        secret: torch.Tensor,
        amplitude: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        seen = _units(cover)
        secret = _times_exp(secret - self.shift(seen), -self.scale(seen))
        change = self.to_cover(secret)
        return cover - whole(change * amplitude), secret


class HidingNetwork(nn.Module):
    """The coupling blocks; a new network hides nothing.

    Images are ``(N, 1, H, W)`` whole numbers 0..255 with even H and W: float64 for
    results that are the same everywhere, float32 while training.

    Args:
        config: how large.
    """

    def __init__(self, config: HidingConfig | None = None) -> None:
        super().__init__()
        self.config = config or HidingConfig()
        self.blocks = nn.ModuleList(
            Coupling(self.config) for _ in range(self.config.blocks)
        )

    def hide(
        self,
        cover: torch.Tensor,
        secret: torch.Tensor,
        amplitude: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Hide.

        Args:
            cover: the images.
            secret: the images to hide in them.
            amplitude: ``(N or 1, 1, 1, 1)``, gray levels that a subnetwork's 1 adds.

        Returns:
            The changed images, whole numbers not cut off to any range, and what is
            left of the secret, ``(N, 4, H / 2, W / 2)``, near 0.
        """
        bands = haar(cover)
        left = _units(haar(secret))
        for block in self.blocks:
            bands, left = block(bands, left, amplitude)
        return inverse_haar(bands), left

    def reveal(
        self, image: torch.Tensor, amplitude: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find what was hidden, and what it was hidden in, from the image alone.

        Args:
            image: changed images, possibly cut off, compressed and so on.
            amplitude: as it was when hiding.

        Returns:
            The secret and the cover as guessed, ``(N, 1, H, W)`` in gray levels, the
            secret not in whole numbers.
        """
        bands = haar(image)
        secret = torch.zeros_like(bands)
        for block in reversed(self.blocks):
            assert isinstance(block, Coupling)
            bands, secret = block.backward_pass(bands, secret, amplitude)
        return _image_of(secret), inverse_haar(bands)


def _units(bands: torch.Tensor) -> torch.Tensor:
    """Bands in gray levels as subnetworks see them, means around 0."""
    middle = torch.zeros(BANDS, 1, 1, dtype=bands.dtype, device=bands.device)
    middle[0] = _MIDDLE
    return (bands - middle) / _RANGE


def _image_of(units: torch.Tensor) -> torch.Tensor:
    """Undo :func:`_units` and the transform, without rounding: for looking at."""
    means, horizontal, vertical, diagonal = (units * _RANGE).chunk(4, dim=1)
    quarters = [
        means + _MIDDLE + (a * horizontal + b * vertical) / 2 + a * b * diagonal / 4
        for b in (1, -1)
        for a in (1, -1)
    ]
    return torch.pixel_shuffle(torch.stack(quarters, dim=2).flatten(1, 2), 2)


def _times_exp(values: torch.Tensor, logarithm: torch.Tensor) -> torch.Tensor:
    """``values`` times e to the ``logarithm``, which is held within -1..1."""
    held = logarithm.clamp(-1, 1)
    if not is_exact(values):
        return values * held.exp()
    index = torch.floor(held * _SCALE_STEPS + 0.5).long() + _SCALE_STEPS
    units = torch.floor(values * 256 + 0.5)  # exact.ACTIVATION_BITS
    factors = _factors_on(values.device)[index]
    return torch.floor(units * factors / _SCALE_UNIT + 0.5) / 256


@cache
def _factors_on(device: torch.device) -> torch.Tensor:
    return torch.tensor(scale_table(), dtype=torch.float64, device=device)


@cache
def scale_table() -> tuple[int, ...]:
    """e^-1 .. e^1 in steps of 1/256, in units of 2^-12, the same on every machine."""
    steps = (Decimal(n) / _SCALE_STEPS for n in range(-_SCALE_STEPS, _SCALE_STEPS + 1))
    return tuple(
        int((step.exp() * int(_SCALE_UNIT)).to_integral_value(ROUND_HALF_EVEN))
        for step in steps
    )
