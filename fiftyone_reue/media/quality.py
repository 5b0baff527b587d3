"""How much alike two images are."""

from __future__ import annotations

import math

import numpy as np


def psnr(
    original: np.ndarray, changed: np.ndarray, colours: int, peak: int | None = None
) -> float:
    """Peak signal-to-noise ratio over the colour channels, in dB; 99 at most.

    The peak is that of the data's range, by default the samples' type's.
    """
    difference = _difference(changed[..., :colours], original[..., :colours])
    flat = difference.ravel().astype(np.float32)
    mse = float(flat @ flat) / flat.size
    peak = peak or int(np.iinfo(original.dtype).max)
    return 99.0 if mse == 0 else min(99.0, 10 * math.log10(peak * peak / mse))


def largest_difference(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference between two images' samples, of one unsigned type."""
    return int(_difference(one, other).max(initial=0))


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Without sign, in the images' own type."""
    return np.maximum(one, other) - np.minimum(one, other)
