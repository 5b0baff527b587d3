"""Which class each pixel of an image is of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_CLASSES = 255
"""That one image can have; what is of none takes the number 0."""

_LEAST_SHARE = 4
"""A field is of a class if at least this part of its pixels (a quarter) is of any."""


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Which class each pixel of an image is of.

    Attributes:
        names: the classes that are there, each once, :data:`MOST_CLASSES` at most.
        places: ``(H, W)`` uint8, as the file stores its pixels: 0 for what is of no
            class, else one more than the class's place in ``names``.
    """

    names: tuple[str, ...]
    places: np.ndarray

    def fields(self, side: int) -> np.ndarray:
        """The same of square fields instead of pixels.

        A field is of the class that has the most of its pixels, the first in ``names``
        of several; of none where less than a quarter of it is of any class.

        Args:
            side: pixels a side of a field; the last ones may have fewer.

        Returns:
            ``(ceil(H / side), ceil(W / side))`` uint8, as ``places``.
        """
        best = np.zeros(_fields_of(self.places.shape, side), np.int64)
        covered, places = np.zeros_like(best), np.zeros(best.shape, np.uint8)
        for number in range(1, len(self.names) + 1):
            count = _sums(self.places == number, side)
            covered += count
            places[count > best] = number
            np.maximum(best, count, out=best)
        whole = _sums(np.ones(self.places.shape, bool), side)
        places[_LEAST_SHARE * covered < whole] = 0
        return places

    def share(self) -> float:
        """How much of the image is of a class, 0 to 1."""
        return float(np.count_nonzero(self.places)) / self.places.size


def _fields_of(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    return -(-shape[0] // side), -(-shape[1] // side)


def _sums(there: np.ndarray, side: int) -> np.ndarray:
    """How many are there in each field, int64."""
    rows, columns = _fields_of(there.shape, side)
    beyond = [
        (0, n * side - length)
        for n, length in zip((rows, columns), there.shape, strict=True)
    ]
    padded = np.pad(there, beyond)
    return padded.reshape(rows, side, columns, side).sum(axis=(1, 3), dtype=np.int64)
