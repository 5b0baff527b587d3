"""The Haar wavelet transform on whole numbers, exactly invertible.

The S-transform (Said and Pearlman, "An Image Multiresolution Representation for
Lossless and Progressive Compression", IEEE TIP 1996): of two neighbours it keeps the
mean, rounded down, and the difference. Adding a whole number to a mean adds it to both
neighbours.
"""

from __future__ import annotations

import torch

from fiftyone_reue.invertible.exact import floored


def haar(values: torch.Tensor) -> torch.Tensor:
    """One step of analysis.

    Args:
        values: ``(N, C, H, W)`` whole numbers, H and W even.

    Returns:
        ``(N, 4 C, H / 2, W / 2)`` whole numbers: the C channels of means (LL), then
        those of horizontal, vertical and diagonal differences (HL, LH, HH).
    """
    low, high = _split(values[..., 0::2], values[..., 1::2])
    means, vertical = _split(low[..., 0::2, :], low[..., 1::2, :])
    horizontal, diagonal = _split(high[..., 0::2, :], high[..., 1::2, :])
    return torch.cat([means, horizontal, vertical, diagonal], dim=1)


def inverse_haar(bands: torch.Tensor) -> torch.Tensor:
    """Undo :func:`haar`.

    Args:
        bands: ``(N, 4 C, h, w)`` whole numbers.

    Returns:
        ``(N, C, 2 h, 2 w)`` whole numbers.
    """
    means, horizontal, vertical, diagonal = bands.chunk(4, dim=1)
    low = _interleaved(*_merge(means, vertical), dim=-2)
    high = _interleaved(*_merge(horizontal, diagonal), dim=-2)
    return _interleaved(*_merge(low, high), dim=-1)


def _split(
    first: torch.Tensor, second: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    difference = first - second
    return second + floored(difference / 2), difference


def _merge(
    mean: torch.Tensor, difference: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    second = mean - floored(difference / 2)
    return second + difference, second


def _interleaved(first: torch.Tensor, second: torch.Tensor, dim: int) -> torch.Tensor:
    stacked = torch.stack([first, second], dim=dim)
    if dim == -1:
        return stacked.flatten(-2)
    return stacked.flatten(-3, -2)
