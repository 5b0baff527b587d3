"""The cosine transform of 8x8 blocks, exactly, and the same on every machine.

The basis is rounded to integers. Sums of products then are integers below 2^53, which
float64 adds up without rounding in whichever order a library likes.
"""

from __future__ import annotations

import numpy as np

SCALE_BITS = 24
"""By so many bits the basis is scaled."""

MOST = 1 << 23
"""What goes into a transform may not be larger."""


def _basis() -> np.ndarray:
    """(64, 64) float64 of integers: of each coefficient the pixels of one unit."""
    k, x = np.mgrid[:8, :8]
    lines = np.cos((2 * x + 1) * k * np.pi / 16) / 2 * np.where(k, 1, np.sqrt(0.5))
    rounded = np.rint(lines * (1 << SCALE_BITS // 2))
    return np.kron(rounded, rounded)


BASIS = _basis()


def forward(blocks: np.ndarray) -> np.ndarray:
    """Coefficients of pixels.

    Args:
        blocks: (..., 8, 8) integers, at most MOST.

    Returns:
        (..., 8, 8) float64, scaled as the orthonormal transform is, which is JPEG's.
    """
    flat = blocks.reshape(-1, 64).astype(np.float64)
    return ((flat @ BASIS.T) / (1 << SCALE_BITS)).reshape(blocks.shape)


def inverse(values: np.ndarray) -> np.ndarray:
    """Pixels of coefficients: the change that a decoder shows before it rounds.

    Args:
        values: (..., 8, 8) integers, at most MOST: offsets times their steps.

    Returns:
        (..., 8, 8) float64.
    """
    flat = values.reshape(-1, 64).astype(np.float64)
    return ((flat @ BASIS) / (1 << SCALE_BITS)).reshape(values.shape)
