"""Scaling whole numbers up and down in pairs, exactly invertible.

Multiplying one number by K and its partner by 1/K is four shears (Daubechies and
Sweldens, "Factoring Wavelet Transforms into Lifting Steps", 1998), and a shear by a
rounded product is undone by subtracting the same product. With K = 1 nothing changes.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

import torch

from fiftyone_reue.invertible.exact import is_exact, whole

STEPS = 1024
"""Steps of log K in 1: values of 255 then land within 0.13 of where they belong."""
LIMIT = 0.5
"""log K stays within this, either way."""
_UNIT = 2.0**14


def scale_pairs(
    first: torch.Tensor, second: torch.Tensor, logarithm: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """``first`` times K and ``second`` divided by K, in whole numbers.

    Args:
        first: any shape, whole numbers.
        second: as ``first``.
        logarithm: as ``first``: log K, held within ``LIMIT``.
    """
    up, across, down, back = _shears(logarithm)
    second = second + whole(up * first)
    first = first + whole(across * second)
    second = second + whole(down * first)
    first = first + whole(back * second)
    return first, second


def unscale_pairs(
    first: torch.Tensor, second: torch.Tensor, logarithm: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Undo :func:`scale_pairs`, given the same logarithm."""
    up, across, down, back = _shears(logarithm)
    first = first - whole(back * second)
    second = second - whole(down * first)
    first = first - whole(across * second)
    second = second - whole(up * first)
    return first, second


def _shears(logarithm: torch.Tensor) -> tuple[torch.Tensor, ...]:
    held = logarithm.clamp(-LIMIT, LIMIT)
    if is_exact(held):
        index = torch.floor(held * STEPS + 0.5).long() + int(LIMIT * STEPS)
        return tuple(_shears_on(held.device)[:, index].unbind(0))
    factor = held.exp()
    one = torch.ones_like(factor)
    return one, factor - 1, -1 / factor, factor - factor.square()


@cache
def _shears_on(device: torch.device) -> torch.Tensor:
    """The table, ``(4, steps)`` float64: making it takes longer than a small image."""
    table = torch.tensor(shear_table(), dtype=torch.float64, device=device)
    return (table / _UNIT).T.contiguous()


@cache
def shear_table() -> tuple[tuple[int, int, int, int], ...]:
    """The four shears for every step of log K, in units of 2^-14.

    Worked out in decimal arithmetic, so that they are the same on every machine.
    """
    reach = int(LIMIT * STEPS)
    return tuple(
        (_units(Decimal(1)), _units(k - 1), _units(-1 / k), _units(k - k * k))
        for k in ((Decimal(step) / STEPS).exp() for step in range(-reach, reach + 1))
    )


def _units(shear: Decimal) -> int:
    return int((shear * int(_UNIT)).to_integral_value(ROUND_HALF_EVEN))
