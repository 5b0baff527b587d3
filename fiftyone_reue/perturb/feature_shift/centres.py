"""Where the classes lie among a pretrained network's features."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch

from fiftyone_reue.networks.extractors import Extractor

_BATCH = 16


@dataclass(frozen=True)
class Centres:
    """Features of clean images, averaged.

    Attributes:
        middle: ``(F,)`` float32, of all classes.
        classes: ``(classes, F)`` float32, of each.
    """

    middle: torch.Tensor
    classes: torch.Tensor

    def towards(self, index: int) -> torch.Tensor:
        """``(F,)``, the direction in which a class lies, seen from the middle."""
        return self.classes[index] - self.middle


def centres_of(
    network: Extractor, images: np.ndarray, labels: np.ndarray, classes: int
) -> Generator[float, None, Centres]:
    """Ask a network for every image, and average class by class.

    Args:
        network: on its device.
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64; every class has an image.
        classes: how many there are.

    Yields:
        The fraction done.
    """
    device = next(iter(network.parameters())).device
    sums: torch.Tensor | None = None
    counts = torch.from_numpy(np.bincount(labels, minlength=classes)).to(device)
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(images[start : start + _BATCH]).to(device)
        with torch.no_grad():
            found = network(batch.permute(0, 3, 1, 2).float() / 255)
        if sums is None:
            sums = found.new_zeros(classes, found.shape[1])
        places = torch.from_numpy(labels[start : start + _BATCH]).to(device)
        sums.index_add_(0, places, found)
        yield min(1.0, (start + _BATCH) / len(images))
    assert sums is not None
    each = sums / counts[:, None]
    return Centres(each.mean(0), each)
