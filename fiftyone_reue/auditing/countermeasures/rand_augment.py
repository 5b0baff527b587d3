"""RandAugment, and how torchvision's automatic augmentations are drawn here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)

if TYPE_CHECKING:
    import torch

OPERATIONS = 2
MAGNITUDE = 9
GROUP = 8
"""Images that share their draws: one call an image would take longer than training."""


class RandAugment(Countermeasure):
    """Two random operations of one magnitude, after shifts and flips.

    Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced
    Search Space", NeurIPS 2020, arXiv:1909.13719: N = 2 of torchvision's 14
    operations, M = 9 of 30. Shifts are in proportion to the side. Eight images at a
    time share their operations.
    """

    info = CountermeasureInfo(
        "rand_augment",
        "RandAugment",
        "Cubuk et al., NeurIPS 2020, arXiv:1909.13719",
        "augmentation",
        {"operations": OPERATIONS, "magnitude_of_30": MAGNITUDE, "group": GROUP},
    )

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the base class."""
        from torchvision.transforms import v2

        images, targets = super().augment(images, targets, generator)
        policy = v2.RandAugment(OPERATIONS, MAGNITUDE)
        return apply_in_groups(policy, images, generator), targets


def apply_in_groups(
    policy: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """Apply a policy that draws from the global generator, eight images at a time.

    Args:
        policy: ``(n, 3, S, S)`` uint8 to the same.
        images: ``(N, 3, S, S)`` float32 in [0, 1]; rounded to 8 bits.
        generator: what the draws follow; the global one is left as it was.

    Returns:
        ``(N, 3, S, S)`` float32 in [0, 1].
    """
    import torch

    pixels = (images * 255).round().to(torch.uint8)
    with torch.random.fork_rng(devices=[]):
        seed = int(torch.randint(2**62, (), generator=generator))
        # torch.manual_seed would also seed the GPUs, which nothing here draws from.
        torch.default_generator.manual_seed(seed)
        changed = [policy(group) for group in pixels.split(GROUP)]
    return torch.cat(changed).float() / 255
