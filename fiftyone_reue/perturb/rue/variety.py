"""Per-sample variety: keyed integer operations on a class table.

Copies that all carried the very same class pattern could be averaged to find it.
A keyed choice of variant, a flip and a roll leave the class-level shortcut common
while no two neighbours need carry the same samples.
"""

from __future__ import annotations

import numpy as np

KEY_BYTES = 6
"""Of a sample key, that :func:`vary` uses."""


def vary(
    variants: np.ndarray,
    sample_key: bytes,
    reach: int | None = None,
    *,
    flips: bool = True,
) -> np.ndarray:
    """Choose a variant and flip and roll it.

    Args:
        variants: ``(V, h, w, c)`` int8, at most 256 variants.
        sample_key: at least :data:`KEY_BYTES` pseudo-random bytes.
        reach: cells to roll by at most, up or down, left or right; None for anywhere,
            which suits tables that repeat seamlessly.
        flips: whether to flip left and right at random.

    Returns:
        ``(h, w, c)`` int8, C-contiguous.
    """
    pattern = variants[sample_key[0] % len(variants)]
    if flips and sample_key[1] & 1:
        pattern = pattern[:, ::-1]
    rolls = tuple(
        _roll(int.from_bytes(draw, "big"), side, reach)
        for draw, side in zip(
            (sample_key[2:4], sample_key[4:KEY_BYTES]), pattern.shape, strict=False
        )
    )
    return np.ascontiguousarray(np.roll(pattern, rolls, axis=(0, 1)))


def _roll(draw: int, side: int, reach: int | None) -> int:
    return draw % side if reach is None else draw % (2 * reach + 1) - reach
