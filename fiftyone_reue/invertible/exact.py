"""Convolutions whose result is the same integer on every machine.

Weights and activations are whole numbers of fixed units, so that every product and
every partial sum is a whole number too, and far below 2^53: float64 holds all of them
exactly, in whatever order they are added. Fast algorithms (Winograd, FFT) that divide
on the way are off by far less than one half, and the result is rounded. While a
network is trained, the same layers compute in float32, with rounding passed over by
the gradient.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

ACTIVATION_BITS = 8
"""Activations are multiples of 2^-8 ..."""
ACTIVATION_LIMIT = 2.0**9
"""... within 512 either way, ..."""
WEIGHT_BITS = 12
"""... weights multiples of 2^-12 ..."""
WEIGHT_LIMIT = 2.0**3
"""... within 8: a sum over 9 x 128 products stays below 2^43."""
SLOPE_BITS = 3
"""The activation's slope below 0 is 2^-3."""

_UNIT = 2.0**ACTIVATION_BITS
_WEIGHT_UNIT = 2.0**WEIGHT_BITS


def whole(values: torch.Tensor) -> torch.Tensor:
    """The nearest whole numbers, halves upwards; the gradient passes straight through.

    Args:
        values: any shape, floating point.
    """
    return values + (torch.floor(values + 0.5) - values).detach()


def floored(values: torch.Tensor) -> torch.Tensor:
    """The next whole numbers below; the gradient passes straight through."""
    return values + (torch.floor(values) - values).detach()


def is_exact(values: torch.Tensor) -> bool:
    """Whether a tensor is computed with exactly: float64 is; float32 is to train."""
    return values.dtype == torch.float64


class ExactConv(nn.Conv2d):
    """A convolution without padding loss, exact on float64.

    On float32 it is an ordinary convolution. On float64 inputs, activations and
    weights are rounded to their units and the sum is exact, then rounded to the
    activations' unit. Sides stay as they are (zero padding).

    Args:
        inputs: channels.
        outputs: channels.
        size: the kernel's side, odd.
    """

    def __init__(self, inputs: int, outputs: int, size: int = 3) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2)
        self._kept: tuple[object, tuple[torch.Tensor, torch.Tensor]] | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(N, inputs, h, w)`` to ``(N, outputs, h, w)``, multiples of 2^-8."""
        if not is_exact(values):
            return super().forward(values)
        limited = values.clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        inputs = torch.floor(limited * _UNIT + 0.5)
        weight, bias = self._whole_weights(values.device)
        summed = functional.conv2d(inputs, weight, padding=self.padding)
        units = torch.round(summed) + bias
        return torch.floor(units / _WEIGHT_UNIT + 0.5) / _UNIT

    def _whole_weights(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights and bias in whole units: of 2^-12, and of 2^-20.

        Those of a frozen layer are kept until they are others: to round them takes a
        tenth of the time of a small image.
        """
        assert self.bias is not None
        both = self.weight, self.bias
        which = device, tuple((one.data_ptr(), one._version) for one in both)
        kept = self._kept
        if kept is not None and kept[0] == which:
            return kept[1]
        found = self._rounded_weights(device)
        if not any(one.requires_grad for one in both):
            self._kept = which, found
        return found

    def _rounded_weights(
        self, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        assert self.bias is not None
        weight = self.weight.detach().double().clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
        bias = self.bias.detach().double() * _WEIGHT_UNIT * _UNIT
        return (
            torch.floor(weight * _WEIGHT_UNIT + 0.5).to(device),
            torch.floor(bias + 0.5)[:, None, None].to(device),
        )


class ExactActivation(nn.Module):
    """Leaky ReLU with slope 1/8, on multiples of 2^-8 where it must be exact."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Any shape to the same."""
        if not is_exact(values):
            return functional.leaky_relu(values, 2.0**-SLOPE_BITS)
        below = torch.floor(values * _UNIT / 2**SLOPE_BITS + 0.5) / _UNIT
        return torch.where(values >= 0, values, below)


class Subnetwork(nn.Sequential):
    """Three convolutions, the last one zero at first, so that blocks begin as nothing.

    Args:
        inputs: channels.
        outputs: channels.
        width: channels between.
    """

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        last = ExactConv(width, outputs)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        super().__init__(
            ExactConv(inputs, width),
            ExactActivation(),
            ExactConv(width, width),
            ExactActivation(),
            last,
        )
