"""Train a hiding network for Deep Hiding.

The losses are the paper's, as far as they are known: hiding (the change is small),
revealing (the secret comes back), low frequencies (the cover's means stay) and
concentration (changes that hide alike secrets are alike; Meng et al., IEEE TIFS 2024,
arXiv:2406.17349). Concentration is measured otherwise than there, where it is the
cosine between a pretrained network's features: the change is to correlate with the
secret itself, which also keeps different secrets apart. What is revealed has passed
through JPEG, blur and the like, so that the change outlives them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from fiftyone_reue.invertible.exact import floored, whole
from fiftyone_reue.invertible.haar import haar
from fiftyone_reue.invertible.hiding import HidingNetwork
from fiftyone_reue.perturb.invertible_fit import Losses, descend, halved
from fiftyone_reue.perturb.transformations import transformation

if TYPE_CHECKING:
    from fiftyone_reue.networks.context import TrainingContext


@dataclass(frozen=True)
class HidingTraining:
    """How a hiding network is trained.

    Attributes:
        steps: gradient steps.
        batch: covers a step.
        crop: pixels a side of covers, a multiple of ``2^(levels + 1)``.
        levels: halvings before the network sees them.
        learning_rate: Adam's, falling to 0 along a cosine.
        amplitudes: the largest changes to train for, gray levels; one a step.
        transformations: one a step, beside none, lies between hiding and revealing.
        hide: weight of the change's mean square, in units of the amplitude's.
        low: weight of the same of the means (LL) alone.
        concentration: weight of 1 - the change's correlation with the secret.
    """

    steps: int = 2400
    batch: int = 32
    crop: int = 32
    levels: int = 0
    learning_rate: float = 3e-3
    amplitudes: tuple[int, ...] = (5, 6, 7, 8, 10, 12, 16)
    transformations: tuple[str, ...] = ("jpeg", "blur", "resize", "noise")
    hide: float = 0.02
    low: float = 0.0
    concentration: float = 0.3

    @property
    def side(self) -> int:
        """Pixels a side as the network sees them."""
        return self.crop >> self.levels


def train(
    network: HidingNetwork,
    covers: np.ndarray,
    secrets: np.ndarray,
    config: HidingTraining,
    context: TrainingContext,
) -> Generator[float, None, dict[str, float]]:
    """Train in place; yields the fraction done.

    Args:
        network: on the context's device.
        covers: ``(N, S, S, 3)`` uint8 photographs.
        secrets: ``(M, 1, s, s)`` uint8, s as ``config.side``.
        config: how.
        context: of every draw.

    Returns:
        The losses of the last steps, averaged, by name.
    """
    device, numbers = context.torch_device(), context.generator()
    pool = torch.from_numpy(covers).permute(0, 3, 1, 2)
    hidden = torch.from_numpy(secrets)

    def losses_at(step: int) -> Losses:
        cover = _crops(pool, config.batch, config.crop, numbers).to(device)
        secret = _secrets(hidden, config, numbers).to(device)
        return _losses(network, cover, secret, config, numbers)

    return descend(network, config.steps, config.learning_rate, losses_at)


def changed(
    network: HidingNetwork,
    cover: torch.Tensor,
    secret: torch.Tensor,
    amplitude: torch.Tensor,
    levels: int,
) -> torch.Tensor:
    """The images that leave the house, within the amplitude and 0..255.

    Args:
        network: what hides.
        cover: ``(N, 3, H, W)`` float32 whole gray levels.
        secret: ``(N, 1, h, w)`` float32, h = H / 2^levels.
        amplitude: ``(1, 1, 1, 1)`` gray levels.
        levels: halvings before the network sees the covers.
    """
    shade = working(cover, levels)
    hidden, _ = network.hide(shade, secret, amplitude)
    change = torch.minimum(torch.maximum(hidden - shade, -amplitude), amplitude)
    change = functional.interpolate(change, scale_factor=2**levels)
    return (cover + change).clamp(0, 255)


def working(images: torch.Tensor, levels: int) -> torch.Tensor:
    """What the network sees of images: means over colours and squares of pixels.

    Args:
        images: ``(N, 3, H, W)`` whole gray levels, H and W multiples of ``2^levels``.
        levels: halvings.

    Returns:
        ``(N, 1, H / 2^levels, W / 2^levels)`` whole gray levels.
    """
    return halved(floored(images.mean(1, keepdim=True)), levels)


def _losses(
    network: HidingNetwork,
    cover: torch.Tensor,
    secret: torch.Tensor,
    config: HidingTraining,
    numbers: torch.Generator,
) -> Losses:
    amplitude = _draw(torch.tensor(config.amplitudes), numbers)
    amplitude = amplitude.float().reshape(1, 1, 1, 1).to(cover.device)
    protected = changed(network, cover, secret, amplitude, config.levels)
    change = (protected - cover) / amplitude
    shade, before = (working(i, config.levels) for i in (protected, cover))
    means = haar(shade)[:, :1] - haar(before)[:, :1]
    seen = _transformed(protected, config, numbers)
    revealed, _ = network.reveal(working(seen, config.levels), amplitude)
    return {
        "hide": config.hide * change.square().mean(),
        "low": config.low * (means / amplitude).square().mean(),
        "reveal": (revealed - secret).div(64).square().mean(),
        "concentration": config.concentration
        * (1 - _correlation(shade - before, secret)).mean(),
    }


def _transformed(
    images: torch.Tensor, config: HidingTraining, numbers: torch.Generator
) -> torch.Tensor:
    names = ("", *config.transformations)
    name = names[int(torch.randint(len(names), (), generator=numbers))]
    if not name:
        return images
    return whole(transformation(name)(images / 255, numbers) * 255)


def _correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Of each image with another, over all samples, -1 to 1; ``(N,)``."""
    flat = [
        image.flatten(1) - image.flatten(1).mean(1, True) for image in (first, second)
    ]
    return functional.cosine_similarity(flat[0], flat[1], eps=1e-3)


def _crops(
    pool: torch.Tensor, batch: int, crop: int, numbers: torch.Generator
) -> torch.Tensor:
    """``(batch, 3, crop, crop)`` float32 gray levels, mirrored at random."""
    room = pool.shape[-1] - crop + 1
    taken = []
    for index in torch.randint(len(pool), (batch,), generator=numbers).tolist():
        top, left, mirror = (
            int(torch.randint(n, (), generator=numbers)) for n in (room, room, 2)
        )
        image = pool[index, :, top : top + crop, left : left + crop]
        taken.append(image.flip(-1) if mirror else image)
    return torch.stack(taken).float()


def _secrets(
    hidden: torch.Tensor, config: HidingTraining, numbers: torch.Generator
) -> torch.Tensor:
    """``(batch, 1, side, side)`` float32 gray levels."""
    chosen = torch.randint(len(hidden), (config.batch,), generator=numbers)
    return hidden[chosen].float()


def _draw(choices: torch.Tensor, numbers: torch.Generator) -> torch.Tensor:
    return choices[torch.randint(len(choices), (), generator=numbers)]
