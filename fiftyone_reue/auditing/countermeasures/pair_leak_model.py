"""The choice of pairs and the network of :mod:`.pair_leak`."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch

from fiftyone_reue.auditing.countermeasures.purifier_model import (
    FULL_BATCH,
    SMALL_BATCH,
    draw_rows,
    fit_residual,
    place_network,
    subtract_residual,
)
from fiftyone_reue.networks.augment import shift_and_flip
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.device import few_threads
from fiftyone_reue.networks.training import to_pixels
from fiftyone_reue.networks.unet import full_unet, small_unet
from fiftyone_reue.progress import mapped


def leaked_rows(labels: np.ndarray, pairs: int, seed: int) -> np.ndarray:
    """Which images leak: drawn, and spread evenly over the classes.

    Args:
        labels: ``(N,)`` int64.
        pairs: how many, at most N.
        seed: of the draw.

    Returns:
        ``(pairs,)`` int64, rows without repetition. Fewer pairs are the first ones of
        more pairs.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels[order] == label)
        turn[of_class] = np.arange(len(of_class))
    return order[np.argsort(turn, kind="stable")][:pairs]


def undo(
    images: np.ndarray,
    originals: np.ndarray,
    rows: np.ndarray,
    *,
    steps: int,
    small: bool,
    context: TrainingContext,
) -> Generator[float, None, np.ndarray]:
    """Learn from some pairs how images are protected, and take it off all.

    Args:
        images: ``(N, S, S, 3)`` uint8, protected.
        originals: ``(N, S, S, 3)`` uint8; only those of ``rows`` are looked at.
        rows: ``(K,)`` int64, the pairs that leaked.
        steps: of training.
        small: whether to use the small network and batch.
        context: where to train, and of every draw.

    Yields:
        The fraction done.

    Returns:
        ``(N, S, S, 3)`` uint8; the images of ``rows`` are their originals.
    """
    device, generator = context.torch_device(), context.generator()
    both = to_pixels(np.concatenate([images[rows], originals[rows]], axis=3), device)
    size, batch = images.shape[1], SMALL_BATCH if small else FULL_BATCH
    network = place_network(
        (small_unet if small else full_unet)(seed=context.seed), device
    )

    def pairs() -> tuple[torch.Tensor, torch.Tensor]:
        chosen = both[draw_rows(len(both), batch, generator, device)].float()
        # Six channels: both images of a pair are shifted and flipped alike.
        protected, original = shift_and_flip(chosen, generator, size // 8).chunk(2, 1)
        return protected, original

    with few_threads():
        training = fit_residual(
            network,
            pairs,
            steps=steps,
            learning_rate=3e-3 if small else 1e-3,
            device=device,
        )
        yield from mapped(training, lambda done: 0.9 * done)
        applying = subtract_residual(network, images, device)
        restored = yield from mapped(applying, lambda done: 0.9 + 0.1 * done)
    restored[rows] = originals[rows]
    return restored
