"""What filters have in common: the images are changed once, before training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import Countermeasure
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

if TYPE_CHECKING:
    import torch

CHUNK = 32
"""Images filtered at a time; few enough to stay in the cache."""

REFERENCE_SIDE = 32
"""The side in pixels that the papers' lengths in pixels are for (CIFAR)."""


class Filter(Countermeasure):
    """A fixed function of each image, without draws.

    The images that the trained model is used on stay as they are, as in the published
    tests of filters (Liu et al., ICML 2023, arXiv:2301.13838); where a thief would
    filter those too, ``at_test`` is overridden.
    """

    @abstractmethod
    def apply(self, images: np.ndarray) -> np.ndarray:
        """Filter images.

        Args:
            images: ``(N, S, S, 3)`` uint8.

        Returns:
            The same shape and dtype; each image depends on itself alone.
        """

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """Filter the protected images; see the base class."""
        filtered = yield from self._in_chunks(holdings.images)
        return TrainingSet(filtered, holdings.labels)

    def filtered(self, images: np.ndarray) -> np.ndarray:
        """:meth:`apply`, a few images at a time."""
        return finish(self._in_chunks(images))

    def _in_chunks(self, images: np.ndarray) -> Generator[float, None, np.ndarray]:
        filtered = np.empty_like(images)
        for start in range(0, len(images), CHUNK):
            chunk = slice(start, start + CHUNK)
            filtered[chunk] = self.apply(images[chunk])
            yield min(1.0, (start + CHUNK) / len(images))
        return filtered


def in_planes(
    images: np.ndarray, change: Callable[[torch.Tensor], torch.Tensor]
) -> np.ndarray:
    """Change images by what works on float planes.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        change: ``(N, 3, S, S)`` float32 gray levels to the same.

    Returns:
        The images' shape and dtype, rounded and cut off to 0..255.
    """
    import torch

    planes = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    after = change(planes).round().clamp(0, 255).to(torch.uint8)
    return after.permute(0, 2, 3, 1).contiguous().numpy()
