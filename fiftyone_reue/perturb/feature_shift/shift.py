"""Change one image so that pretrained networks see another class in it.

Projected gradient descent (Madry et al., ICLR 2018, arXiv:1706.06083) on a coarse
pattern, with momentum (Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR
2018, arXiv:1710.06081). What is made smaller is, for every network, the negative cosine
between the image's features and those of the class that it is moved to, both seen from
the middle of all classes. Each step looks as a thief's training may: at a random part
of the image, at a random size (Xie et al., "Improving Transferability of Adversarial
Examples with Input Diversity", CVPR 2019, arXiv:1803.06978), every second one through
JPEG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from fiftyone_reue.networks.extractors import Extractor, resized
from fiftyone_reue.perturb.feature_shift.config import FeatureShiftConfig
from fiftyone_reue.perturb.transformations import compress

QUALITIES = (50, 95)
"""JPEG's."""
LEAST_SHARE = 0.7
"""Of the largest square in an image, the smallest part that a step looks at."""
LENGTH = 1 / 3
"""A step's, in amplitudes."""


@dataclass(frozen=True)
class Aim:
    """Where one network's features are to go.

    Attributes:
        network: which.
        middle: ``(F,)`` float32, features between all classes.
        direction: ``(F,)`` float32, from there to the class that is wanted.
    """

    network: Extractor
    middle: torch.Tensor
    direction: torch.Tensor

    def loss(self, images: torch.Tensor) -> torch.Tensor:
        """The negative cosine, summed over ``(N, 3, S, S)`` images in [0, 1]."""
        features = self.network(images) - self.middle
        along = functional.cosine_similarity(features, self.direction[None], dim=1)
        return -along.sum()


def shifted(
    image: torch.Tensor,
    aims: Sequence[Aim],
    grid: tuple[int, int],
    colours: int,
    amplitude: int,
    config: FeatureShiftConfig,
    numbers: torch.Generator,
) -> torch.Tensor:
    """The pattern that moves one image's features.

    In the end every cell is changed by the whole amplitude or not at all: that moves
    features as well as what was found, in half of the bytes.

    Args:
        image: ``(1, 3, h, w)`` float32 in [0, 1].
        aims: one a network.
        grid: rows and columns of the pattern, at most the image's.
        colours: 1 or 3; with 1 all channels are changed by the same.
        amplitude: the largest change, gray levels.
        config: how.
        numbers: draws what each step looks at.

    Returns:
        ``(colours, rows, columns)`` float32: 0, or the amplitude with either sign.
    """
    pattern = image.new_zeros(1, colours, *grid)
    direction = torch.zeros_like(pattern)
    for step in range(config.steps):
        pattern = pattern.detach().requires_grad_(True)
        seen = _changed(image, pattern)
        if config.compressed and step % 2:
            low, high = QUALITIES
            seen = compress(seen, _drawn(low, high, numbers))
        # Two steps each, so that all are asked as it is and through JPEG.
        asked = [aims[step // 2 % len(aims)]] if config.alternate else aims
        looks = [_look(seen, aim.network, config.diverse, numbers) for aim in asked]
        losses = [aim.loss(look) for aim, look in zip(asked, looks, strict=True)]
        (gradient,) = torch.autograd.grad(torch.stack(losses).sum(), pattern)
        size = gradient.abs().mean().clamp_min(1e-12)
        direction = config.momentum * direction + gradient / size
        taken = LENGTH * amplitude * direction.sign()
        pattern = (pattern.detach() - taken).clamp(-amplitude, amplitude)
    return amplitude * (pattern.detach()[0] / amplitude).round()


def _changed(image: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
    """The image with the pattern on it, as whole cells."""
    stretched = functional.interpolate(pattern, image.shape[2:], mode="nearest")
    return (image + stretched / 255).clamp(0, 1)


def _look(
    images: torch.Tensor, network: Extractor, diverse: bool, numbers: torch.Generator
) -> torch.Tensor:
    """A square part of the images at a size that the network takes."""
    height, width = images.shape[2:]
    side = min(height, width)
    if diverse:
        drawn = float(torch.rand((), generator=numbers))
        side = max(1, round(side * (LEAST_SHARE + (1 - LEAST_SHARE) * drawn) ** 0.5))
        top, left = _drawn(0, height - side, numbers), _drawn(0, width - side, numbers)
        size = network.sides[_drawn(0, len(network.sides) - 1, numbers)]
        mirrored = bool(_drawn(0, 1, numbers))
    else:
        top, left = (height - side) // 2, (width - side) // 2
        size, mirrored = network.sides[-1], False
    part = images[..., top : top + side, left : left + side]
    return resized(part.flip(-1) if mirrored else part, size)


def _drawn(least: int, most: int, numbers: torch.Generator) -> int:
    return int(torch.randint(least, most + 1, (), generator=numbers))
