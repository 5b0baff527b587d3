"""RAEG's network: an image to an image of the same size, and exactly back.

Chen et al., "Invertible Image Dataset Protection", ICME 2022 (arXiv:2112.14420): Haar
steps downwards and upwards with two-sided affine coupling blocks between them. Here
all of it works on whole numbers: the Haar steps are S-transforms, translations are
rounded, and scaling goes by pairs (:mod:`fiftyone_reue.invertible.lifting`), so that
the inverse is exact and the same on every machine. In the paper whoever has the weights
can go back; here every subnetwork also sees planes of signs drawn from a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import nn

from fiftyone_reue.invertible.exact import Subnetwork, whole
from fiftyone_reue.invertible.haar import haar, inverse_haar
from fiftyone_reue.invertible.lifting import scale_pairs, unscale_pairs

_RANGE = 32.0
"""Gray levels in one unit of a band, as subnetworks see it; a power of two."""
_GAIN = 8.0
"""Gray levels that a subnetwork's 1 adds."""


@dataclass(frozen=True)
class AdversarialConfig:
    """How large the network is.

    Attributes:
        blocks: coupling blocks after each Haar step downwards; after each one upwards
            but the last there are as many again. ``(4, 4, 4)`` in the paper's kin.
        width: channels within a subnetwork.
        planes: keyed planes of signs that each subnetwork sees.
    """

    blocks: tuple[int, ...] = (2, 2)
    width: int = 24
    planes: int = 2

    @property
    def multiple(self) -> int:
        """What an image's sides must be multiples of."""
        return 1 << len(self.blocks)

    def to_dict(self) -> dict:
        """As it is kept beside the weights."""
        return asdict(self)


class _Coupling(nn.Module):
    def __init__(self, channels: int, config: AdversarialConfig) -> None:
        super().__init__()
        half = channels // 2
        seen = half + config.planes
        self.of_first = Subnetwork(seen, half + half // 2, config.width)
        self.of_second = Subnetwork(seen, half + half // 2, config.width)

    def forward(self, bands: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        first, second = bands.chunk(2, dim=1)
        first = _moved(first, self.of_second(_seen(second, planes)))
        second = _moved(second, self.of_first(_seen(first, planes)))
        return torch.cat([first, second], dim=1)

    def inverse(self, bands: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        first, second = bands.chunk(2, dim=1)
        second = _moved_back(second, self.of_first(_seen(first, planes)))
        first = _moved_back(first, self.of_second(_seen(second, planes)))
        return torch.cat([first, second], dim=1)


class AdversarialNetwork(nn.Module):
    """Haar steps and coupling blocks; a new network changes nothing.

    Images are ``(N, 3, H, W)`` whole numbers, H and W multiples of
    ``config.multiple``: float64 for results that are the same everywhere, float32 while
    training. Planes are ``(N or 1, planes, H / 2, W / 2)`` of -1 and 1, of the same
    dtype; deeper blocks see every second of them.

    Args:
        config: how large.
    """

    def __init__(self, config: AdversarialConfig | None = None) -> None:
        super().__init__()
        self.config = config or AdversarialConfig()
        self.downwards = nn.ModuleList(
            self._couplings(depth) for depth in range(len(self.config.blocks))
        )
        self.upwards = nn.ModuleList(
            self._couplings(depth) for depth in range(len(self.config.blocks) - 1)
        )

    def forward(self, image: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        """The changed image: whole numbers, not cut off to any range."""
        signs = self._signs(image, planes)
        for depth, couplings in enumerate(self.downwards):
            image = haar(image)
            for coupling in couplings:  # type: ignore[attr-defined]
                image = coupling(image, signs[depth])
        image = inverse_haar(image)
        for depth in reversed(range(len(self.upwards))):
            for coupling in self.upwards[depth]:  # type: ignore[attr-defined]
                image = coupling(image, signs[depth])
            image = inverse_haar(image)
        return image

    def inverse(self, image: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        """The image again: exactly, if nothing was cut off."""
        signs = self._signs(image, planes)
        for depth, couplings in enumerate(self.upwards):
            image = haar(image)
            for coupling in reversed(list(couplings)):  # type: ignore[call-overload]
                image = coupling.inverse(image, signs[depth])
        image = haar(image)
        for depth in reversed(range(len(self.downwards))):
            for coupling in reversed(list(self.downwards[depth])):  # type: ignore[call-overload]
                image = coupling.inverse(image, signs[depth])
            image = inverse_haar(image)
        return image

    def _couplings(self, depth: int) -> nn.ModuleList:
        channels = 3 * 4 ** (depth + 1)
        count = self.config.blocks[depth]
        return nn.ModuleList(_Coupling(channels, self.config) for _ in range(count))

    def _signs(self, image: torch.Tensor, planes: torch.Tensor) -> list[torch.Tensor]:
        planes = planes.expand(len(image), -1, -1, -1)
        return list(_halved(planes, len(self.config.blocks)))


def _halved(planes: torch.Tensor, count: int) -> Iterator[torch.Tensor]:
    for _ in range(count):
        yield planes
        planes = planes[..., ::2, ::2]


def _seen(bands: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
    return torch.cat([bands / _RANGE, planes], dim=1)


def _moved(bands: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """One half, scaled by pairs and then translated."""
    shift, logarithm = wanted.split([bands.shape[1], bands.shape[1] // 2], dim=1)
    ups, downs = bands.chunk(2, dim=1)
    scaled = torch.cat(scale_pairs(ups, downs, logarithm), dim=1)
    return scaled + whole(shift * _GAIN)


def _moved_back(bands: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    shift, logarithm = wanted.split([bands.shape[1], bands.shape[1] // 2], dim=1)
    ups, downs = (bands - whole(shift * _GAIN)).chunk(2, dim=1)
    return torch.cat(unscale_pairs(ups, downs, logarithm), dim=1)
