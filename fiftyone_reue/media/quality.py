"""How much alike two images are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

_PORTION = 1 << 16


def psnr(
    original: np.ndarray, changed: np.ndarray, colours: int, peak: int | None = None
) -> float:
    """Peak signal-to-noise ratio over the colour channels, in dB; 99 at most.

    The peak is that of the data's range, by default the samples' type's.
    """
    squares, count = 0.0, 0
    for difference in _differences(changed[..., :colours], original[..., :colours]):
        flat = difference.ravel().astype(np.float32)
        squares += float(flat @ flat)
        count += flat.size
    mse = squares / count
    peak = peak or int(np.iinfo(original.dtype).max)
    return 99.0 if mse == 0 else min(99.0, 10 * math.log10(peak * peak / mse))


def largest_difference(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference between two images' samples, of one unsigned type."""
    return max((int(part.max()) for part in _differences(one, other)), default=0)


def _differences(one: np.ndarray, other: np.ndarray) -> Iterator[np.ndarray]:
    """Without sign, in the images' own type; of a few rows that a cache holds each."""
    rows = max(1, _PORTION // max(1, one[:1].size))
    for start in range(0, len(one), rows):
        a, b = one[start : start + rows], other[start : start + rows]
        yield np.maximum(a, b) - np.minimum(a, b)
