"""The network and the made-up perturbations of :mod:`.denoising`."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures.purifier_model import (
    FULL_BATCH,
    SMALL_BATCH,
    draw_rows,
    fit_residual,
    place_network,
    subtract_residual,
)
from fiftyone_reue.networks.augment import shift_and_flip
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.device import few_threads
from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.networks.unet import full_unet, small_unet
from fiftyone_reue.progress import mapped

CELLS = (1, 2, 4, 8)
"""Sides of the cells of block patterns, in pixels."""

SMOOTHNESS = (4, 8)
"""Pixels from one free value of low-pass noise to the next."""

KINDS = 1 + len(CELLS) + len(SMOOTHNESS)


def denoise(
    images: np.ndarray,
    clean_images: np.ndarray,
    *,
    amplitude: float,
    steps: int,
    small: bool,
    context: TrainingContext,
) -> Generator[float, None, np.ndarray]:
    """Learn on clean images what perturbations look like, and take them off others.

    Args:
        images: ``(N, S, S, 3)`` uint8, to be purified.
        clean_images: ``(M, S, S, 3)`` uint8, at least one.
        amplitude: of the made-up perturbations, in gray levels.
        steps: of training.
        small: whether to use the small network and batch.
        context: where to train, and of every draw.

    Yields:
        The fraction done.

    Returns:
        ``(N, S, S, 3)`` uint8.
    """
    device, generator = context.torch_device(), context.generator()
    pixels = to_pixels(clean_images, device)
    size, batch = clean_images.shape[1], SMALL_BATCH if small else FULL_BATCH
    network = place_network(
        (small_unet if small else full_unet)(seed=context.seed), device
    )

    def pairs() -> tuple[torch.Tensor, torch.Tensor]:
        clean = pixels[draw_rows(len(pixels), batch, generator, device)].float()
        clean = shift_and_flip(clean, generator, size // 8)
        noise = structured_noise(batch, size, amplitude, generator).to(device)
        return (clean + noise).clamp(0, 255), clean

    with few_threads():
        training = fit_residual(
            network,
            pairs,
            steps=steps,
            learning_rate=3e-3 if small else 1e-3,
            device=device,
        )
        yield from mapped(training, lambda done: 0.9 * done)
        applying = subtract_residual(network, images, device)
        return (yield from mapped(applying, lambda done: 0.9 + 0.1 * done))


def structured_noise(
    count: int, size: int, amplitude: float, generator: torch.Generator
) -> torch.Tensor:
    """Perturbations of the kinds that protect images, one kind drawn per image.

    Uniform noise; patterns of square cells, each at plus or minus the amplitude;
    low-pass noise. Half of them are the same in every channel.

    Args:
        count: N.
        size: S, in pixels.
        amplitude: greatest absolute value, in gray levels.
        generator: of the draws, on the CPU.

    Returns:
        ``(N, 3, S, S)`` float32 on the CPU.
    """
    kinds = torch.randint(0, KINDS, (count,), generator=generator)
    noise = torch.empty(count, 3, size, size)
    for kind in range(KINDS):
        chosen = kinds == kind
        shape = (int(chosen.sum()), 3)
        if not shape[0]:
            continue
        if kind == 0:
            made = _uniform((*shape, size, size), generator)
        elif kind <= len(CELLS):
            made = _blocks(shape, size, CELLS[kind - 1], generator)
        else:
            made = _smooth(shape, size, SMOOTHNESS[kind - 1 - len(CELLS)], generator)
        noise[chosen] = made
    gray = torch.rand(count, generator=generator) < 0.5
    noise[gray] = noise[gray, :1].expand(-1, 3, -1, -1)
    return noise * amplitude


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=generator) * 2 - 1


def _blocks(
    shape: tuple[int, int], size: int, cell: int, generator: torch.Generator
) -> torch.Tensor:
    # One cell more than fits: where the grid begins is drawn as well.
    cells = -(-size // cell) + 1
    signs = _uniform((*shape, cells, cells), generator).sign()
    whole = signs.repeat_interleave(cell, 2).repeat_interleave(cell, 3)
    top, left = torch.randint(0, cell, (2,), generator=generator).tolist()
    return whole[..., top : top + size, left : left + size]


def _smooth(
    shape: tuple[int, int], size: int, distance: int, generator: torch.Generator
) -> torch.Tensor:
    side = -(-size // distance) + 1
    coarse = torch.randn((*shape, side, side), generator=generator)
    fine = functional.interpolate(coarse, (size, size), mode="bicubic")
    return fine / fine.abs().amax(dim=(2, 3), keepdim=True)
