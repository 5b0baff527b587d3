"""RAEG's network: an image to an image of the same size, and exactly back.

Chen et al., "Invertible Image Dataset Protection", ICME 2022 (arXiv:2112.14420): Haar
steps downwards and upwards with two-sided affine coupling blocks between them. Here
all of it works on whole numbers: the Haar steps are S-transforms, translations are
rounded, and scaling goes by pairs (:mod:`fiftyone_reue.invertible.lifting`), so that
the inverse is exact and the same on every machine. In the paper whoever has the weights
can go back; here it takes a code as well, which is made for each image.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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
    """

    blocks: tuple[int, ...] = (2, 2)
    width: int = 16

    @property
    def multiple(self) -> int:
        """What an image's sides must be multiples of."""
        return 1 << len(self.blocks)

    def to_dict(self) -> dict[str, Any]:
        """As it is kept beside the weights."""
        return asdict(self)


class _Coupling(nn.Module):
    def __init__(self, channels: int, config: AdversarialConfig) -> None:
        super().__init__()
        half = channels // 2
        self.of_first = Subnetwork(half, half + half // 2, config.width)
        self.of_second = Subnetwork(half, half + half // 2, config.width)

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        first, second = bands.chunk(2, dim=1)
        first = _moved(first, self.of_second(second / _RANGE))
        second = _moved(second, self.of_first(first / _RANGE))
        return torch.cat([first, second], dim=1)

    def inverse(self, bands: torch.Tensor) -> torch.Tensor:
        first, second = bands.chunk(2, dim=1)
        second = _moved_back(second, self.of_first(first / _RANGE))
        first = _moved_back(first, self.of_second(second / _RANGE))
        return torch.cat([first, second], dim=1)


class AdversarialNetwork(nn.Module):
    """Haar steps and coupling blocks; a new network changes nothing.

    Images are ``(N, 3, H, W)`` whole numbers, H and W multiples of
    ``config.multiple``: float64 for results that are the same everywhere, float32 while
    training.

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

    def forward(
        self,
        image: torch.Tensor,
        code: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Change images.

        Args:
            image: the images.
            code: ``(N, 3 or 1, H / 2, W / 2)`` whole numbers, added to the means of
                2 x 2 pixels as the outer blocks leave them; about what they add to the
                image as well.

        Returns:
            The changed images: whole numbers, not cut off to any range.
        """
        for depth, couplings in enumerate(self.downwards):
            image = haar(image)
            for coupling in couplings:  # type: ignore[attr-defined]
                image = coupling(image)
            if depth == 0 and code is not None:
                image = torch.cat([image[:, :3] + code, image[:, 3:]], dim=1)
        image = inverse_haar(image)
        for depth in reversed(range(len(self.upwards))):
            for coupling in self.upwards[depth]:  # type: ignore[attr-defined]
                image = coupling(image)
            image = inverse_haar(image)
        return image

    def inverse(
        self,
        image: torch.Tensor,
        code: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The images again, exactly if nothing was cut off; see :meth:`forward`."""
        for couplings in self.upwards:
            image = haar(image)
            for coupling in reversed(list(couplings)):  # type: ignore[call-overload]
                image = coupling.inverse(image)
        image = haar(image)
        for depth in reversed(range(len(self.downwards))):
            if depth == 0 and code is not None:
                image = torch.cat([image[:, :3] - code, image[:, 3:]], dim=1)
            for coupling in reversed(list(self.downwards[depth])):  # type: ignore[call-overload]
                image = coupling.inverse(image)
            image = inverse_haar(image)
        return image

    def _couplings(self, depth: int) -> nn.ModuleList:
        channels = 3 * 4 ** (depth + 1)
        count = self.config.blocks[depth]
        return nn.ModuleList(_Coupling(channels, self.config) for _ in range(count))


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
