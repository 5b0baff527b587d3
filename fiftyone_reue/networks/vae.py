"""A variational autoencoder with a second decoder for what a class has in common.

Yu et al., "Purify Unlearnable Examples via Rate-Constrained Variational
Autoencoders", ICML 2024, arXiv:2405.01460 (D-VAE). The latent is a map at half of the
image's resolution.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.networks.small_resnet import Block


class DisentangledVae(nn.Module):
    """From ``(N, 3, S, S)`` in [0, 1] and labels to four tensors; see ``forward``.

    Args:
        classes: how many there are.
        size: S, in pixels; odd ones are padded inside.
        width: channels at full resolution, a multiple of 8, twice as many at half.
        latent: channels of the latent map.
        depth: residual blocks of the encoder at full resolution.
    """

    def __init__(
        self, classes: int, size: int, width: int, latent: int, depth: int
    ) -> None:
        super().__init__()
        self.size, self.side = size, (size + 1) // 2
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            *(Block(width, width, 1) for _ in range(depth)),
            Block(width, 2 * width, 2),
        )
        self.mean = nn.Conv2d(2 * width, latent, 1)
        self.log_variance = nn.Conv2d(2 * width, latent, 1)
        self.expand = nn.Conv2d(latent, 2 * width, 1)
        self.image_decoder = _decoder(width)
        self.perturbation_decoder = _decoder(width)
        self.of_class = nn.Embedding(classes, 2 * width * self.side**2)

    def forward(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        noise: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode, and decode twice.

        Args:
            images: ``(N, 3, S, S)`` in [0, 1].
            labels: ``(N,)`` int64.
            noise: what :meth:`latent_shape` says, of unit variance, to sample the
                latent with; None takes its mean.

        Returns:
            The reconstruction, ``(N, 3, S, S)`` in (0, 1); the perturbation,
            ``(N, 3, S, S)``; the latent's mean and log variance.
        """
        odd = 2 * self.side - self.size
        padded = functional.pad(images, (0, odd, 0, odd), mode="replicate")
        features = self.encoder((padded - 0.5) * 4)
        mean = self.mean(features)
        # Bounded, so that no step of training can overflow the exponential.
        log_variance = self.log_variance(features).clamp(-20, 10)
        latent = mean
        if noise is not None:
            latent = mean + (0.5 * log_variance).exp() * noise
        map_ = self.expand(latent)
        common = self.of_class(labels).view(len(map_), -1, self.side, self.side)
        image = self.image_decoder(map_).sigmoid()
        perturbation = self.perturbation_decoder(map_ + common)
        crop = (..., slice(self.size), slice(self.size))
        return image[crop], perturbation[crop], mean, log_variance

    def latent_shape(self, count: int) -> tuple[int, int, int, int]:
        """The shape of the latent of so many images."""
        return count, self.mean.out_channels, self.side, self.side


def rate(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """What the latent tells of the image, at most, in nats per position of its map.

    Args:
        mean: ``(N, latent, H, W)``.
        log_variance: the same shape.

    Returns:
        The divergence from the standard normal distribution, summed over the
        channels and averaged over the rest; a scalar, >= 0.
    """
    divergence = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * divergence.sum(dim=1).mean()


def small_vae(classes: int, size: int, *, seed: int) -> DisentangledVae:
    """The one that a processor core can train: 16 channels, a latent of 64."""
    return _seeded(classes, size, 16, 64, 1, seed)


def full_vae(classes: int, size: int, *, seed: int) -> DisentangledVae:
    """The paper's: 64 channels, a latent of 256."""
    return _seeded(classes, size, 64, 256, 2, seed)


def _seeded(
    classes: int, size: int, width: int, latent: int, depth: int, seed: int
) -> DisentangledVae:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        return DisentangledVae(classes, size, width, latent, depth)


def _decoder(width: int) -> nn.Sequential:
    half = max(8, width // 2)
    return nn.Sequential(
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
        nn.Conv2d(width, width, 3, padding=1),
        nn.InstanceNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, half, 3, padding=1),
        nn.InstanceNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, 3, 3, padding=1),
    )
