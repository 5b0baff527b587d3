"""The code that makes RAEG's change of one image adversarial.

Projected gradient descent, as in :mod:`fiftyone_reue.perturb.pgd`, on the few whole
numbers that the invertible network takes beside the image, against several
classifiers at once and through what a thief may do to a copy. The steps have momentum
(Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018,
arXiv:1710.06081), and classifiers see the image at sizes and places that vary (Xie et
al., "Improving Transferability of Adversarial Examples with Input Diversity", CVPR
2019, arXiv:1803.06978): both carry over to classifiers that weren't asked. What limits
the change is its energy, so steps follow the gradient itself, not its sign, which would
spend energy where it does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from fiftyone_reue.perturb.transformations import compress

FACTORS = tuple(n / 20 for n in range(8, 33))
"""By which a code is tried to be multiplied before it is rounded, rising."""

Loss = Callable[[torch.Tensor], torch.Tensor]
"""``(N, 3, h, w)`` float32 images in [0, 1] to the sum of what is to fall."""


@dataclass(frozen=True)
class CodeConfig:
    """How a code is found.

    Attributes:
        steps: gradient steps.
        step: a step's root mean square in gray levels, falling to 0 along the way.
        momentum: the share of the last steps' direction that is kept.
        psnr: dB that the changed image is to have at least.
        qualities: JPEG's, drawn from this range for every second step.
    """

    steps: int = 30
    step: float = 1.5
    momentum: float = 0.9
    psnr: float = 38.2
    qualities: tuple[int, int] = (50, 95)


def find_code(
    losses: Sequence[Loss],
    image: torch.Tensor,
    changed: torch.Tensor,
    config: CodeConfig,
    *,
    amplitude: int,
    colours: int,
    seed: int,
) -> torch.Tensor:
    """Find codes, each for its own image alone.

    The network hardly changes what the code adds, so that it is left out of the
    gradient: the code is taken to add to ``changed`` as it is.

    Args:
        losses: one a classifier.
        image: ``(N, 3, h, w)`` float32 gray levels, at the network's working size.
        changed: ``(N, 3, h, w)``, what the network makes of it without a code.
        config: how.
        amplitude: the largest change of a sample in gray levels.
        colours: 1 or 3; with 1 the code is the same for all channels.
        seed: of the draws of JPEG's qualities.

    Returns:
        ``(N, colours, h / 2, w / 2)`` float32 whole numbers within ``amplitude``.
    """
    numbers = torch.Generator().manual_seed(seed)
    height, width = image.shape[2] // 2, image.shape[3] // 2
    code = image.new_zeros(len(image), colours, height, width)
    direction = torch.zeros_like(code)
    for step in range(config.steps):
        code = code.detach().requires_grad_(True)
        seen = _applied(image, changed, code, amplitude) / 255
        if step % 2:
            low, high = config.qualities
            quality = int(torch.randint(low, high + 1, (), generator=numbers))
            seen = compress(seen, quality)
        loss = torch.stack([one(seen) for one in losses]).sum()
        (gradient,) = torch.autograd.grad(loss, code)
        size = gradient.abs().mean((1, 2, 3), keepdim=True)
        scaled = gradient / size.clamp_min(1e-12)
        direction = config.momentum * direction + scaled
        length = config.step * (1 - step / config.steps)
        with torch.no_grad():
            mean = direction.square().mean((1, 2, 3), keepdim=True).sqrt()
            code = code - length * direction / mean.clamp_min(1e-12)
            code = code.clamp(-amplitude, amplitude)
            code = _held(image, changed, code, amplitude, config.psnr)
    return _in_whole_numbers(image, changed, code.detach(), amplitude, config.psnr)


def diverse(images: torch.Tensor, numbers: torch.Generator) -> torch.Tensor:
    """Images made smaller and put somewhere into a gray frame of their old size.

    Half of the time; a classifier's weak spots that depend on where its grid lies are
    not what other classifiers share.

    Args:
        images: ``(N, 3, h, w)`` float32 in [0, 1].
        numbers: draws how small and where.
    """
    if torch.rand((), generator=numbers) < 0.5:
        return images
    height, width = images.shape[2:]
    share = 0.75 + 0.25 * float(torch.rand((), generator=numbers))
    rows, columns = round(share * height), round(share * width)
    small = functional.interpolate(images, (rows, columns), mode="bilinear")
    top, left = (
        int(torch.randint(room + 1, (), generator=numbers))
        for room in (height - rows, width - columns)
    )
    frame = (left, width - columns - left, top, height - rows - top)
    return functional.pad(small, frame, value=0.5)


def _applied(
    image: torch.Tensor, changed: torch.Tensor, code: torch.Tensor, amplitude: int
) -> torch.Tensor:
    added = changed - image + functional.interpolate(code, scale_factor=2.0)
    return (image + added.clamp(-amplitude, amplitude)).clamp(0, 255)


def _held(
    image: torch.Tensor,
    changed: torch.Tensor,
    code: torch.Tensor,
    amplitude: int,
    psnr: float,
) -> torch.Tensor:
    """The code, made smaller until the change is small enough."""
    allowed = 255**2 / 10 ** (psnr / 10)
    for _ in range(4):
        error = _error(image, changed, code, amplitude)
        code = code * (allowed / error.clamp_min(allowed)).sqrt()
    return code


def _in_whole_numbers(
    image: torch.Tensor,
    changed: torch.Tensor,
    code: torch.Tensor,
    amplitude: int,
    psnr: float,
) -> torch.Tensor:
    """The largest multiple of the code that, rounded, still keeps the PSNR.

    Rounding alone would make most of it 0, and the change smaller than allowed.
    """
    allowed = 255**2 / 10 ** (psnr / 10)
    best = torch.zeros_like(code)
    for factor in FACTORS:
        rounded = (factor * code).round().clamp(-amplitude, amplitude)
        fits = _error(image, changed, rounded, amplitude) <= allowed
        best = torch.where(fits, rounded, best)
    return best


def _error(
    image: torch.Tensor, changed: torch.Tensor, code: torch.Tensor, amplitude: int
) -> torch.Tensor:
    change = _applied(image, changed, code, amplitude) - image
    return change.square().mean((1, 2, 3), keepdim=True)
