"""What a fit puts its batches through, so that tables outlive it: differentiable.

Copies of the transformations that a thief may use, close enough for gradients to be
worth following. JPEG's rounding is exact and has the gradient of
``round(x) + (x - round(x))^3`` (Shin and Song, "JPEG-resistant Adversarial Images",
NIPS 2017 workshop).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch.nn import functional

from fiftyone_reue.errors import InputError

Transformation = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
"""``(N, 3, S, S)`` float32 in [0, 1] to the same, with draws of a CPU generator."""

JPEG_QUALITIES = (10, 50)
BLUR_SIGMA = 1.0
"""Pixels at a side of 32, in proportion at others."""
NOISE = 8 / 255
BITS = 2

# ITU-T T.81, annex K: luminance and chrominance quantisation at quality 50.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def grayscale(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """ITU-R 601 luma in all three channels."""
    return _luma(images).expand(-1, 3, -1, -1)


def blur(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A Gaussian of :data:`BLUR_SIGMA`."""
    sigma = BLUR_SIGMA * images.shape[-1] / 32
    reach = min(math.ceil(3 * sigma), images.shape[-1] - 1)
    along = torch.arange(-reach, reach + 1, device=images.device)
    weights = torch.exp(-(along**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).repeat(3, 1)
    wide = functional.pad(images, (reach,) * 4, mode="reflect")
    wide = functional.conv2d(wide, weights[:, None, None, :], groups=3)
    return functional.conv2d(wide, weights[:, None, :, None], groups=3)


def resize(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """To half of the side and back, bilinear."""
    size = images.shape[-1]
    small = functional.interpolate(
        images, size=(size + 1) // 2, mode="bilinear", antialias=True
    )
    return functional.interpolate(small, size=size, mode="bilinear")


def noise(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise of standard deviation :data:`NOISE`."""
    drawn = torch.randn(images.shape, generator=generator).to(images.device)
    return (images + NOISE * drawn).clamp(0, 1)


def bit_depth(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """:data:`BITS` bits a channel; the gradient passes straight through."""
    levels = 2**BITS - 1
    return images + (torch.round(images * levels) / levels - images).detach()


def jpeg(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """JPEG with 4:2:0 chroma at one of :data:`JPEG_QUALITIES`, drawn for the batch."""
    drawn = int(torch.randint(len(JPEG_QUALITIES), (), generator=generator))
    return compress(images, JPEG_QUALITIES[drawn])


def compress(images: torch.Tensor, quality: int) -> torch.Tensor:
    """JPEG of one quality, after Shin and Song (2017).

    Args:
        images: ``(N, 3, H, W)`` float32 in [0, 1].
        quality: 1 to 100, as libjpeg counts.

    Returns:
        ``(N, 3, H, W)`` float32 in [0, 1].
    """
    height, width = images.shape[2:]
    room = (0, -width % 16, 0, -height % 16)
    padded = functional.pad(images * 255, room, mode="replicate")
    luma = _luma(padded)
    blue, red = 0.564 * (padded[:, 2:] - luma), 0.713 * (padded[:, :1] - luma)
    luma = _quantise(luma - 128, _LUMINANCE, quality) + 128
    blue, red = (
        functional.interpolate(
            _quantise(functional.avg_pool2d(chroma, 2), _CHROMINANCE, quality),
            scale_factor=2.0,
            mode="bilinear",
        )
        for chroma in (blue, red)
    )
    colours = (luma + 1.402 * red, luma - 0.344 * blue - 0.714 * red)
    rebuilt = torch.cat([*colours, luma + 1.772 * blue], dim=1)
    return (rebuilt[..., :height, :width] / 255).clamp(0, 1)


TRANSFORMATIONS: dict[str, Transformation] = {
    "grayscale": grayscale,
    "jpeg": jpeg,
    "blur": blur,
    "resize": resize,
    "noise": noise,
    "bit_depth": bit_depth,
}


def transformation(name: str) -> Transformation:
    """The transformation of that name.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    if name not in TRANSFORMATIONS:
        raise InputError(
            f"There is no transformation {name!r} to fit through; choose some of "
            f"{', '.join(TRANSFORMATIONS)}"
        )
    return TRANSFORMATIONS[name]


def _luma(images: torch.Tensor) -> torch.Tensor:
    weights = images.new_tensor((0.299, 0.587, 0.114))[:, None, None]
    return (images * weights).sum(dim=1, keepdim=True)


def _quantise(
    plane: torch.Tensor, table: tuple[tuple[int, ...], ...], quality: int
) -> torch.Tensor:
    """One ``(N, 1, H, W)`` plane in gray levels through 8 x 8 blocks and back."""
    count, _, height, width = plane.shape
    cosines = _cosines().to(plane)
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = ((plane.new_tensor(table) * percent + 50) / 100).floor().clamp(1, 255)
    blocks = plane.reshape(count, height // 8, 8, width // 8, 8).transpose(2, 3)
    scaled = (cosines @ blocks @ cosines.T) / steps
    whole = scaled.detach().round()
    slope = (scaled - whole) ** 3
    blocks = cosines.T @ ((whole + slope - slope.detach()) * steps) @ cosines
    return blocks.transpose(2, 3).reshape(count, 1, height, width)


@functools.cache
def _cosines() -> torch.Tensor:
    """The orthonormal 8-point DCT-II."""
    position, wave = torch.arange(8.0), torch.arange(8.0)[:, None]
    cosines = 0.5 * torch.cos((2 * position + 1) * wave * math.pi / 16)
    cosines[0] = math.sqrt(1 / 8)
    return cosines
