"""Adversarial training: every batch is moved to where the network errs most.

Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR
2018, arXiv:1706.06083. A perturbation that protects images is small, so a network
that may not use anything this small must look at the images themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fiftyone_reue.networks.training import Attack

STEPS = 10
SMALL_STEPS = 3


class AdversarialTraining(Countermeasure):
    """Training on the worst images within a distance of the augmented ones.

    Ten steps of a quarter of epsilon, from a random start. Where the effort is small,
    three steps of half of epsilon, which still reach the bound from anywhere.

    Args:
        epsilon: largest change of a sample, gray levels of 255.
    """

    def __init__(self, epsilon: int) -> None:
        self._epsilon = epsilon
        self.info = CountermeasureInfo(
            f"adversarial_{epsilon}",
            f"Adversarial training, {epsilon}/255",
            "Madry et al., ICLR 2018, arXiv:1706.06083",
            "training",
            parameters={
                "epsilon": epsilon,
                "steps": STEPS,
                "step": epsilon / 4,
                "steps_small": SMALL_STEPS,
                "step_small": epsilon / 2,
            },
            gpu=True,
        )

    def attack(self, effort: Effort, seed: int) -> Attack:
        """See the base class; the effort decides on the number of inner steps."""
        import torch

        epsilon = self._epsilon / 255
        steps = SMALL_STEPS if effort.small else STEPS
        step = epsilon / 2 if effort.small else epsilon / 4
        generator = torch.Generator().manual_seed(seed)

        def attack(
            network: nn.Module, images: torch.Tensor, targets: torch.Tensor
        ) -> torch.Tensor:
            return pgd(
                network,
                images,
                targets,
                epsilon=epsilon,
                step=step,
                steps=steps,
                generator=generator,
            )

        return attack


def pgd(
    network: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    *,
    epsilon: float,
    step: float,
    steps: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Projected gradient ascent of the loss (PGD), in the maximum norm.

    The network is asked in evaluation mode, so that its batch statistics stay those of
    what it is trained on, and is then put back into the mode it was in. Gradients are
    taken with respect to the images only.

    Args:
        network: returns ``(N, classes)`` logits.
        images: ``(N, 3, S, S)`` float32 in [0, 1].
        targets: ``(N, classes)`` float32, rows summing to 1.
        epsilon: largest change of a sample, on the scale of 0 to 1.
        step: how far a step moves every sample, on the same scale.
        steps: how many.
        generator: of the random start, on the CPU.

    Returns:
        Such images, no farther than ``epsilon`` from the given ones, detached.
    """
    import torch
    from torch.nn import functional

    from fiftyone_reue.networks.device import autocast

    images = images.detach().contiguous(memory_format=torch.channels_last)
    lowest = (images - epsilon).clamp(min=0)
    highest = (images + epsilon).clamp(max=1)
    start = torch.rand(images.shape, generator=generator).to(images.device)
    attacked = (images + (2 * start - 1) * epsilon).clamp(lowest, highest)
    training = network.training
    network.eval()
    for _ in range(steps):
        attacked.requires_grad_()
        with autocast(images.device):
            logits = network(attacked)
        loss = functional.cross_entropy(logits.float(), targets)
        (gradient,) = torch.autograd.grad(loss, attacked)
        attacked = (attacked.detach() + step * gradient.sign()).clamp(lowest, highest)
    network.train(training)
    return attacked
