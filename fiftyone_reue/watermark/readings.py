"""What one suspect said of one original."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

CELLS = 16
"""An original is divided into so many cells each way, to say what was seen of it."""

_STEPS = 1000
"""Soft bits that differ by less than so much of the largest are the same version."""

_LEAST = 1e-290
"""What is smaller is nothing, and its inverse might be too large a number."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One suspect's soft bits.

    Attributes:
        image_id: of the matched original.
        soft: ``(bits,)`` float64 from :func:`fiftyone_reue.watermark.read.soft_bits`.
        seen: ``(CELLS, CELLS)`` float64, what share of each of the original's cells the
            suspect shows, from :func:`seen_of`; None where it shows all of it.
    """

    image_id: str
    soft: np.ndarray
    seen: np.ndarray | None = None


def version(reading: Reading) -> str:
    """What tells versions of one original apart: 16 hex digits of its soft bits."""
    largest = float(np.abs(reading.soft).max(initial=0.0))
    scale = _STEPS / largest if largest > _LEAST else 0.0
    whole = np.rint(reading.soft * scale).astype("<i2")
    return hashlib.sha256(whole.tobytes()).hexdigest()[:16]


def seen_of(shown: np.ndarray | None) -> np.ndarray | None:
    """What share of each cell is seen.

    Args:
        shown: ``(H, W)`` float in [0, 1], how much of each pixel is; None for all.

    Returns:
        ``(CELLS, CELLS)`` float64 in [0, 1], or None for all.
    """
    if shown is None:
        return None
    height, width = shown.shape
    found: np.ndarray = _means(height) @ shown.astype(np.float64) @ _means(width).T
    return found


def _means(length: int) -> np.ndarray:
    """``(CELLS, length)``: what turns pixels into means over cells."""
    ends = np.linspace(0, length, CELLS + 1)
    pixels = np.arange(length)
    reach = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return np.asarray(reach.clip(0) * (CELLS / length))
