"""What a thief holds, and how much effort goes into using it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Holdings:
    """What a thief holds.

    Every countermeasure says in its info which of these it uses; most need the
    protected images alone.

    Attributes:
        images: ``(N, S, S, 3)`` uint8, the protected images.
        labels: ``(N,)`` int64 in 0..classes-1.
        classes: how many classes.
        originals: ``(N, S, S, 3)`` uint8, the same images unprotected. A thief holds
            them only as far as a countermeasure's parameters say (leaked pairs, or
            partial protection).
        clean_images: ``(M, S, S, 3)`` uint8, other images of the same kind, never
            protected, among neither the protected images nor the test images.
        clean_labels: ``(M,)`` int64.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int
    originals: np.ndarray
    clean_images: np.ndarray
    clean_labels: np.ndarray

    @property
    def size(self) -> int:
        """The images' side in pixels, S."""
        return self.images.shape[1]


@dataclass(frozen=True)
class TrainingSet:
    """What a victim is trained on.

    Attributes:
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Effort:
    """How much is spent on a countermeasure that trains something of its own.

    Attributes:
        scale: 1 is what the papers spend, on a GPU; a purifier multiplies its number
            of training steps by it and, below 0.2, uses its small network.
    """

    scale: float = 1.0

    @property
    def small(self) -> bool:
        """Whether to use networks that two processor cores can train."""
        return self.scale < 0.2

    def steps(self, full: int, least: int = 50) -> int:
        """A share of ``full`` training steps, but at least ``least``."""
        return max(least, round(full * self.scale))
