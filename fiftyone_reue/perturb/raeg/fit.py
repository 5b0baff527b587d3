"""Train RAEG's network against classifiers.

After Chen et al., "Invertible Image Dataset Protection", ICME 2022 (arXiv:2112.14420):
the protected image is to look like the original and be taken for something else, also
after JPEG, blur, resizing and cropping; what the network makes of such a copy,
backwards, is to look like the original and be recognised by another classifier; the
two classifiers change places at every step.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.invertible.adversarial import AdversarialNetwork
from fiftyone_reue.invertible.exact import whole
from fiftyone_reue.perturb.invertible_fit import Losses, descend, halved
from fiftyone_reue.perturb.surrogate import lead
from fiftyone_reue.perturb.transformations import blur, compress, resize

if TYPE_CHECKING:
    from fiftyone_reue.networks.context import TrainingContext


@dataclass(frozen=True)
class AdversarialTraining:
    """How RAEG's network is trained.

    Attributes:
        steps: gradient steps.
        batch: images a step.
        learning_rate: Adam's, falling to 0 along a cosine.
        levels: halvings between the images and the network.
        psnr: dB that protected images are to have; better costs nothing more.
        margin: logits by which another class is to lead.
        distortion: weight of the change's mean square beyond ``psnr``'s.
        restored: weight of the mean square, in units of 100, of restored images that
            passed through an attack.
        judge: weight of the second classifier's cross-entropy on them.
        every: steps between two that look at restored images.
        qualities: JPEG's, drawn from this range.
    """

    steps: int = 700
    batch: int = 16
    learning_rate: float = 1e-3
    levels: int = 1
    psnr: float = 50.0
    margin: float = 3.0
    distortion: float = 8.0
    restored: float = 0.3
    judge: float = 0.02
    every: int = 4
    qualities: tuple[int, int] = (60, 95)


def train(
    network: AdversarialNetwork,
    images: np.ndarray,
    labels: np.ndarray,
    classifiers: Sequence[nn.Module],
    config: AdversarialTraining,
    context: TrainingContext,
) -> Generator[float, None, dict[str, float]]:
    """Train in place; yields the fraction done.

    Args:
        network: on the context's device.
        images: ``(N, S, S, 3)`` uint8, S a multiple of the network's ``multiple``
            times ``2^levels``.
        labels: ``(N,)`` int64, the classifiers' class of each.
        classifiers: one or more, frozen, ``(N, 3, S, S)`` in [0, 1] to logits.
        config: how.
        context: of every draw.

    Returns:
        The losses of the last steps, averaged, by name.
    """
    device, numbers = context.torch_device(), context.generator()
    pool = torch.from_numpy(images).permute(0, 3, 1, 2)
    classes = torch.from_numpy(labels)

    def losses_at(step: int) -> Losses:
        chosen = torch.randint(len(pool), (config.batch,), generator=numbers)
        batch = pool[chosen].float().to(device)
        if torch.randint(2, (), generator=numbers):
            batch = batch.flip(-1)
        wanted = classes[chosen].to(device)
        fooled = classifiers[step % len(classifiers)]
        judge = classifiers[(step + 1) % len(classifiers)]
        judging = judge if step % config.every == 0 else None
        return _losses(network, batch, wanted, fooled, judging, config, numbers)

    return descend(network, config.steps, config.learning_rate, losses_at)


def through(
    network: AdversarialNetwork,
    images: torch.Tensor,
    levels: int,
    *,
    backwards: bool = False,
) -> torch.Tensor:
    """Images through the network at their working size.

    Args:
        network: forwards or backwards.
        images: ``(N, 3, S, S)`` whole gray levels.
        levels: halvings.
        backwards: undo.

    Returns:
        ``(N, 3, S, S)`` whole gray levels, not cut off.
    """
    small = halved(images, levels)
    changed = network.inverse(small) if backwards else network(small)
    return images + functional.interpolate(changed - small, scale_factor=2**levels)


def _losses(
    network: AdversarialNetwork,
    images: torch.Tensor,
    labels: torch.Tensor,
    fooled: nn.Module,
    judge: nn.Module | None,
    config: AdversarialTraining,
    numbers: torch.Generator,
) -> Losses:
    protected = through(network, images, config.levels).clamp(0, 255)
    error = (protected - images).square().mean((1, 2, 3))
    allowed = 255**2 / 10 ** (config.psnr / 10)
    seen = _attacked(protected, config, numbers)
    logits = fooled(seen / 255)
    losses = {
        "distortion": config.distortion
        * (functional.relu(error / allowed - 1).mean() + 0.02 * error.mean() / allowed),
        "margin": lead(logits, labels, config.margin),
        "_fooled": (logits.argmax(1) != labels).float().mean(),
        "_psnr": 10 * (255**2 / error.mean().clamp_min(1e-3)).log10(),
    }
    if judge is not None:
        back = through(network, seen, config.levels, backwards=True)
        losses["restored"] = config.restored * (back - images).square().mean().div(
            100
        ).clamp_max(4)
        losses["judge"] = config.judge * functional.cross_entropy(
            judge(back.clamp(0, 255) / 255), labels
        )
    return losses


def _attacked(
    images: torch.Tensor, config: AdversarialTraining, numbers: torch.Generator
) -> torch.Tensor:
    """What may happen to a copy: nothing, JPEG, blur, resizing; whole gray levels."""
    parts = images / 255
    low, high = config.qualities
    choice = int(torch.randint(5, (), generator=numbers))
    if choice < 2:
        return images
    if choice == 2:
        parts = blur(parts, numbers) if parts.shape[-1] < 64 else _soft(parts)
    elif choice == 3:
        parts = resize(parts, numbers)
    else:
        quality = int(torch.randint(low, high + 1, (), generator=numbers))
        parts = compress(parts, quality)
    return whole(parts * 255)


def _soft(images: torch.Tensor) -> torch.Tensor:
    """A 3 x 3 binomial blur."""
    line = images.new_tensor((0.25, 0.5, 0.25))
    kernel = (line[:, None] * line).expand(3, 1, 3, 3)
    padded = functional.pad(images, (1,) * 4, mode="reflect")
    return functional.conv2d(padded, kernel, groups=3)
