"""Brings [0, 1] images to the range that networks are initialised for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Normalise(nn.Module):
    """``(N, 3, S, S)`` in [0, 1] to about zero mean and unit variance.

    The default, ``(x - 0.5) * 4``, fits natural images roughly and needs no
    statistics of a dataset.

    Args:
        mean: of each channel.
        deviation: the standard deviation of each channel.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        deviation: Sequence[float] = (0.25, 0.25, 0.25),
    ) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("deviation", deviation)):
            column = torch.tensor(values)[:, None, None]
            self.register_buffer(name, column, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return (x - self.mean) / self.deviation
