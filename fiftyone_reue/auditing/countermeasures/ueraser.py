"""UEraser: strong colour augmentation, the worst of several draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.countermeasures.rand_augment import GROUP, apply_in_groups
from fiftyone_reue.auditing.holdings import Effort

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fiftyone_reue.networks.training import Attack

PAPER = "Qin et al., 2023, arXiv:2303.15127"
ROUGHNESS = (0.3, 0.7)
"""How much of its amplitude the plasma keeps from one octave to the next."""
INTENSITY = (0.5, 1.0)
"""The plasma's largest change of brightness, of the whole range."""
PROBABILITY = 0.5
"""Of plasma brightness, plasma contrast and channel shuffle, for each image."""
DRAWS = 5

Augmentation = Callable[["torch.Tensor", "torch.Generator"], "torch.Tensor"]

_PARAMETERS: dict[str, float | int | str] = {
    "least_roughness": ROUGHNESS[0],
    "largest_roughness": ROUGHNESS[1],
    "least_intensity": INTENSITY[0],
    "largest_intensity": INTENSITY[1],
    "probability": PROBABILITY,
    "trivial_augment_group": GROUP,
}


class UEraser(Countermeasure):
    """Plasma brightness and contrast, channel shuffle, TrivialAugment: one draw.

    Qin et al., "Learning the Unlearnable: Adversarial Augmentations Suppress
    Unlearnable Example Attacks", 2023, arXiv:2303.15127, variant "lite", with the
    parameters of the authors' code, after shifts and flips. TrivialAugment is
    torchvision's, with shifts of up to 32 px whatever the side, and eight images at a
    time share its operation.
    """

    info = CountermeasureInfo(
        "ueraser", "UEraser, one draw", PAPER, "augmentation", {**_PARAMETERS}
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        images, targets = super().augment(images, targets, generator)
        return augment_strongly(images, generator), targets


class UEraserMax(Countermeasure):
    """Of five draws of :class:`UEraser`, for each image the one of the largest loss.

    Variant "max" of the same paper: in every epoch. The network judges the draws in
    training mode, without gradients, and is then trained on the chosen ones.
    """

    info = CountermeasureInfo(
        "ueraser_max",
        "UEraser, worst of five draws",
        PAPER,
        "augmentation",
        {**_PARAMETERS, "draws": DRAWS},
    )

    def attack(self, effort: Effort, seed: int) -> Attack:
        """See the base class."""
        import torch

        generator = torch.Generator().manual_seed(seed)

        def attack(
            network: nn.Module, images: torch.Tensor, targets: torch.Tensor
        ) -> torch.Tensor:
            return worst_draw(network, images, targets, augment_strongly, generator)

        return attack


def worst_draw(
    network: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    augmentation: Augmentation,
    generator: torch.Generator,
) -> torch.Tensor:
    """For each image, the draw of the largest cross-entropy among five.

    Args:
        network: takes ``(N, 3, S, S)``, returns ``(N, classes)`` logits; it is asked
            in the mode that it is in.
        images: ``(N, 3, S, S)`` float32 in [0, 1].
        targets: ``(N, classes)`` float32, rows summing to 1.
        augmentation: what to draw from.
        generator: for the draws, on the CPU.

    Returns:
        ``(N, 3, S, S)`` float32 in [0, 1].
    """
    import torch
    from torch.nn import functional

    from fiftyone_reue.networks.device import autocast

    worst = images
    largest = torch.full((len(images),), -torch.inf, device=images.device)
    for _ in range(DRAWS):
        drawn = augmentation(images, generator)
        drawn = drawn.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), autocast(images.device):
            logits = network(drawn)
        loss = functional.cross_entropy(logits.float(), targets, reduction="none")
        worse = loss > largest
        worst = torch.where(worse[:, None, None, None], drawn, worst)
        largest = torch.where(worse, loss, largest)
    return worst


def augment_strongly(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One draw of UEraser's augmentation.

    Args:
        images: ``(N, 3, S, S)`` float32 in [0, 1].
        generator: for the draws, on the CPU.

    Returns:
        ``(N, 3, S, S)`` float32 in [0, 1].
    """
    from torchvision.transforms import v2

    images = plasma_brightness(images, generator)
    images = plasma_contrast(images, generator)
    images = shuffle_channels(images, generator)
    return apply_in_groups(v2.TrivialAugmentWide(), images, generator)


def plasma_brightness(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Make half of the images brighter and darker in places, by a plasma map."""
    import torch

    chosen = _choose(len(images), generator)
    if not len(chosen):
        return images
    maps = _plasma_for(images, chosen, generator)
    draws = torch.rand(len(chosen), 1, 1, 1, generator=generator)
    intensity = INTENSITY[0] + (INTENSITY[1] - INTENSITY[0]) * draws
    change = (2 * maps - 1) * intensity.to(images.device)
    rows = chosen.to(images.device)
    return images.index_copy(0, rows, (images[rows] + change).clamp(0, 1))


def plasma_contrast(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Multiply the contrast of half of the images by 0 to 4, by a plasma map."""
    chosen = _choose(len(images), generator)
    if not len(chosen):
        return images
    maps = _plasma_for(images, chosen, generator)
    rows = chosen.to(images.device)
    changed = ((images[rows] - 0.5) * 4 * maps + 0.5).clamp(0, 1)
    return images.index_copy(0, rows, changed)


def shuffle_channels(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Permute the channels of half of the images, each in its own way."""
    import torch

    count, colours, _, _ = images.shape
    order = torch.rand(count, colours, generator=generator).argsort(1)
    chosen = torch.rand(count, 1, generator=generator) < PROBABILITY
    order = torch.where(chosen, order, torch.arange(colours)).to(images.device)
    return images[torch.arange(count, device=images.device)[:, None], order]


def plasma(
    shape: tuple[int, int, int], roughness: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Fractal maps by midpoint displacement, a map for each image and channel.

    Args:
        shape: images N, channels C and side S.
        roughness: ``(N,)`` float32 in [0, 1], the amplitude of each octave's
            displacements as a share of the one before; the coarsest octave is the
            corners.
        generator: for the draws, on the CPU.

    Returns:
        ``(N, C, S, S)`` float32, every map spanning 0 to 1.
    """
    import torch
    from torch.nn import functional

    count, colours, size = shape
    side = 2
    amplitude = torch.ones(count, 1, 1, 1)
    maps = torch.rand(count, colours, side, side, generator=generator)
    while side < size:
        side = 2 * side - 1
        amplitude = amplitude * roughness[:, None, None, None]
        maps = functional.interpolate(
            maps, size=side, mode="bilinear", align_corners=True
        )
        maps = maps + amplitude * (
            torch.rand(count, colours, side, side, generator=generator) - 0.5
        )
    maps = maps[..., :size, :size]
    least = maps.amin(dim=(2, 3), keepdim=True)
    largest = maps.amax(dim=(2, 3), keepdim=True)
    return (maps - least) / (largest - least).clamp(min=1e-6)


def _choose(count: int, generator: torch.Generator) -> torch.Tensor:
    """Numbers of the images that an operation is applied to."""
    import torch

    return (torch.rand(count, generator=generator) < PROBABILITY).nonzero()[:, 0]


def _plasma_for(
    images: torch.Tensor, chosen: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Maps for the chosen images, on their device."""
    import torch

    draws = torch.rand(len(chosen), generator=generator)
    roughness = ROUGHNESS[0] + (ROUGHNESS[1] - ROUGHNESS[0]) * draws
    _, colours, size, _ = images.shape
    return plasma((len(chosen), colours, size), roughness, generator).to(images.device)
