"""The diffusion model of :mod:`.diffusion`.

Ho et al., "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv:2006.11239;
sampled as in Song et al., "Denoising Diffusion Implicit Models", ICLR 2021,
arXiv:2010.02502. Images are float32 in [-1, 1] here.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator

import numpy as np
import torch
from torch import nn

from fiftyone_reue.auditing.countermeasures.purifier_model import (
    FULL_BATCH,
    SMALL_BATCH,
    draw_rows,
    minimise,
    place_network,
    transform,
)
from fiftyone_reue.networks.augment import shift_and_flip
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.device import autocast, few_threads
from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.networks.unet import full_unet, small_unet
from fiftyone_reue.progress import mapped

TIMES = 1000
"""Steps from an image to nothing but noise."""


def kept_shares(times: int = TIMES) -> torch.Tensor:
    """The share of an image's variance that is left at each time (alpha bar).

    Ho et al.'s linear schedule, the one that the purification papers count t* on.

    Args:
        times: T.

    Returns:
        ``(T + 1,)`` float64, falling from 1, the image itself, to about 0.
    """
    betas = torch.linspace(1e-4, 0.02, times, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)])


def diffuse(
    images: torch.Tensor, kept: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """Mix images with noise.

    Args:
        images: ``(N, 3, S, S)`` float32.
        kept: ``(N,)``, the share of variance to keep of each.
        noise: ``(N, 3, S, S)`` float32 of unit variance.
    """
    kept = kept.to(images.dtype)[:, None, None, None]
    return kept.sqrt() * images + (1 - kept).sqrt() * noise


def purify(
    images: np.ndarray,
    clean_images: np.ndarray,
    *,
    start: int,
    strides: int,
    steps: int,
    small: bool,
    context: TrainingContext,
) -> Generator[float, None, np.ndarray]:
    """Learn clean images, drown others in noise up to a time and bring them back.

    The network is trained for the times up to ``start`` alone: purification asks it
    for no other, and all of its capacity serves those.

    Args:
        images: ``(N, S, S, 3)`` uint8, to be purified.
        clean_images: ``(M, S, S, 3)`` uint8, at least one.
        start: t*, the time to go to, 1 to 1000.
        strides: in how many steps to come back.
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
    build = small_unet if small else full_unet
    network = place_network(build(seed=context.seed, timed=True), device)
    shares = kept_shares().to(torch.float32)

    def loss(_done: float) -> torch.Tensor:
        clean = pixels[draw_rows(len(pixels), batch, generator, device)].float()
        clean = shift_and_flip(clean / 127.5 - 1, generator, size // 8)
        times = torch.randint(1, start + 1, (batch,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        mixed = diffuse(clean, shares[times].to(device), noise)
        found = find_noise(network, mixed, times.to(device), device)
        return (found - noise).square().mean()

    def bring_back(batch: torch.Tensor, _row: int) -> torch.Tensor:
        noise = torch.randn(batch.shape, generator=generator).to(device)
        kept = shares[start].to(device).expand(len(batch))
        mixed = diffuse(batch / 127.5 - 1, kept, noise)
        return (denoise(network, mixed, shares, start, strides, device) + 1) * 127.5

    with few_threads():
        training = minimise(
            network, loss, steps=steps, learning_rate=2e-3 if small else 5e-4
        )
        yield from mapped(training, lambda done: 0.7 * done)
        applying = transform(images, bring_back, device)
        return (yield from mapped(applying, lambda done: 0.7 + 0.3 * done))


def find_noise(
    network: nn.Module, mixed: torch.Tensor, times: torch.Tensor, device: torch.device
) -> torch.Tensor:
    """The noise, of unit variance, that the network sees in each image.

    Args:
        network: a U-Net with a time.
        mixed: ``(N, 3, S, S)`` float32.
        times: ``(N,)`` int64.
        device: where to compute.

    Returns:
        ``(N, 3, S, S)`` float32.
    """
    inputs = mixed.contiguous(memory_format=torch.channels_last)
    with autocast(device):
        return network(inputs, times).float()


def denoise(
    network: nn.Module,
    mixed: torch.Tensor,
    shares: torch.Tensor,
    start: int,
    strides: int,
    device: torch.device,
) -> torch.Tensor:
    """From a time back to 0 in equal strides, without fresh noise.

    Args:
        network: a U-Net with a time.
        mixed: ``(N, 3, S, S)`` float32, the images at time ``start``.
        shares: what :func:`kept_shares` returns, float32.
        start: the time, 1 to 1000.
        strides: how many.
        device: where to compute.

    Returns:
        ``(N, 3, S, S)`` float32 in [-1, 1].
    """
    times = torch.linspace(start, 0, strides + 1).round().int().tolist()
    for now, then in itertools.pairwise(times):
        asked = torch.full((len(mixed),), now, device=device)
        noise = find_noise(network, mixed, asked, device)
        kept = shares[now]
        clean = (mixed - (1 - kept).sqrt() * noise) / kept.sqrt()
        clean = clean.clamp(-1, 1)
        mixed = diffuse(clean, shares[then].to(device).expand(len(mixed)), noise)
    return mixed
