"""Per-sample variety: keyed integer operations on a class table.

Copies that all carried the very same class pattern could be averaged to find it.
A keyed flip and a small roll, both inside what the surrogate saw as augmentation,
leave the class-level shortcut common while no two neighbours need carry the same
samples.
"""

from __future__ import annotations

import numpy as np

MAX_ROLL = 2
"""Cells by which a table is rolled at most, up or down, left or right."""


def vary(variants: np.ndarray, sample_key: bytes) -> np.ndarray:
    """Choose a variant and flip and roll it.

    Args:
        variants: ``(V, h, w, c)`` int8.
        sample_key: at least 4 pseudo-random bytes.

    Returns:
        ``(h, w, c)`` int8, C-contiguous.
    """
    pattern = variants[sample_key[0] % len(variants)]
    if sample_key[1] & 1:
        pattern = pattern[:, ::-1]
    span = 2 * MAX_ROLL + 1
    down = sample_key[2] % span - MAX_ROLL
    right = sample_key[3] % span - MAX_ROLL
    return np.ascontiguousarray(np.roll(pattern, (down, right), axis=(0, 1)))
