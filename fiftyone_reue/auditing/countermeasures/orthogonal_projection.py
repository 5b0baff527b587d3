"""Orthogonal projection: take off what a linear model can tell the classes by.

Sandoval-Segura, Singla, Geiping, Goldblum and Goldstein, "What Can We Learn from
Unlearnable Datasets?", NeurIPS 2023, arXiv:2305.19254, section 4.4. A linear model on
raw pixels finds class-wise perturbations before anything else; every image is
projected off the span of its weight vectors.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext

EPOCHS = 20
BATCH = 1024
LEARNING_RATE = 0.1
LEAST_STEPS = 980
"""20 epochs of CIFAR-10, as in the paper; smaller sets get as many."""


class OrthogonalProjection(Countermeasure):
    """Training on ``X - Q Q^T X``, where Q spans a linear model's weight vectors.

    Testing is on images as they are, as in the paper.
    """

    info = CountermeasureInfo(
        "orthogonal_projection",
        "Orthogonal projection",
        "Sandoval-Segura et al., NeurIPS 2023, arXiv:2305.19254",
        "purification",
        parameters={
            "epochs": EPOCHS,
            "least_steps": LEAST_STEPS,
            "batch": BATCH,
            "learning_rate": LEARNING_RATE,
        },
    )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class."""
        weights = yield from probe_weights(
            holdings.images,
            holdings.labels,
            holdings.classes,
            context=context,
        )
        projected = project(holdings.images, weights)
        levels = np.rint(projected.clip(0, 255)).astype(np.uint8)
        return TrainingSet(levels, holdings.labels)


def probe_weights(
    images: np.ndarray, labels: np.ndarray, classes: int, *, context: TrainingContext
) -> Generator[float, None, np.ndarray]:
    """Train a linear model without bias on pixels in [0, 1].

    Plain SGD, whose rate falls to a tenth after a half and again after three quarters
    of the steps. The rate is the paper's for 32 x 32 pixels and shrinks with the
    number of samples an image has, without which larger images would diverge.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64 in 0..classes-1.
        classes: how many classes.
        context: where to train, and of the weights and the batches.

    Returns:
        ``(classes, S * S * 3)`` float32, in the images' memory order.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    from fiftyone_reue.networks.device import few_threads

    device, generator = context.torch_device(), context.generator()
    pixels = torch.from_numpy(images.reshape(len(images), -1)).to(device)
    wanted = torch.from_numpy(labels).to(device)
    count, samples = pixels.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        probe = nn.Linear(samples, classes, bias=False).to(device)
    batch = min(BATCH, count)
    steps = max(LEAST_STEPS, EPOCHS * count // batch)
    rate = LEARNING_RATE * min(1.0, 32 * 32 * 3 / samples)
    optimiser = torch.optim.SGD(probe.parameters(), rate)
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimiser, [steps // 2, steps * 3 // 4]
    )
    order = torch.empty(0, dtype=torch.int64)
    with few_threads():
        for step in range(steps):
            if len(order) < batch:
                order = torch.randperm(count, generator=generator)
            chosen, order = order[:batch].to(device), order[batch:]
            logits = probe(pixels[chosen].float() / 255)
            loss = functional.cross_entropy(logits, wanted[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            yield (step + 1) / steps
    return probe.weight.detach().cpu().numpy()


def project(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Take off each image the part that lies in the span of some vectors.

    Args:
        images: ``(N, S, S, 3)``.
        weights: ``(K, S * S * 3)`` float32, K at most S * S * 3.

    Returns:
        ``(N, S, S, 3)`` float32, not cut to any range.
    """
    basis, _ = np.linalg.qr(weights.T)
    rows = images.reshape(len(images), -1).astype(np.float32)
    return (rows - (rows @ basis) @ basis.T).reshape(images.shape)
