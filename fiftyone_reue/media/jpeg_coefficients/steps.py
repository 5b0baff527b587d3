"""Quantisation tables in few bytes: most are the standard's, scaled to a quality."""

from __future__ import annotations

import functools

import numpy as np

_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""The table for luma of ITU-T T.81, K.1."""

_QUALITIES = range(1, 101)


def standard_luma(quality: int) -> np.ndarray:
    """The standard's luma table as libjpeg scales it.

    Args:
        quality: 1 to 100.

    Returns:
        ``(8, 8)`` uint16, 1 to 255.
    """
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_LUMA * scale + 50) // 100, 1, 255).astype(np.uint16)


def packed_steps(steps: np.ndarray) -> bytes:
    """A luma's steps: a byte where a quality says them, else 0 and all of them.

    Args:
        steps: ``(8, 8)`` uint16.
    """
    packed = steps.astype(">u2").tobytes()
    quality = _qualities().get(packed, 0)
    return bytes([quality]) + (b"" if quality else packed)


@functools.cache
def _qualities() -> dict[bytes, int]:
    """Of each of the standard's tables the lowest quality that says it."""
    return {
        standard_luma(quality).astype(">u2").tobytes(): quality
        for quality in reversed(_QUALITIES)
    }


def unpacked_steps(packed: bytes) -> np.ndarray:
    """Undo :func:`packed_steps`.

    Raises:
        ValueError: it isn't that.
    """
    if len(packed) == 1 and packed[0] in _QUALITIES:
        return standard_luma(packed[0])
    if packed[:1] != b"\0" or len(packed) != 129:
        raise ValueError("no steps are packed like this")
    steps = np.frombuffer(packed[1:], ">u2").reshape(8, 8).astype(np.uint16)
    if not steps.all():
        raise ValueError("a step is 0")
    return steps
