"""Informed reading: what a suspect's difference from the original says, softly.

The reader never looks at any recipient's code. It returns one number a code bit,
whose sign is the bit and whose size is how sure it is; the evidence is computed
from those numbers alone.
"""

from __future__ import annotations

import numpy as np

from fiftyone_reue.watermark.carriers import (
    RINGS,
    SCALE,
    Band,
    band,
    cosines,
    grid_side,
    signs,
)
from fiftyone_reue.watermark.embed import expected_amplitude


def luma(samples: np.ndarray, colours: int, peak: int | None = None) -> np.ndarray:
    """The mean of the colour channels, in gray levels of 1/255.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        colours: how many leading channels are colour.
        peak: the largest value of the data's range; by default the samples' type's.

    Returns:
        ``(H, W)`` float32 in [0, 255], larger where samples are beyond the peak.
    """
    levels = (np.iinfo(samples.dtype).max if peak is None else peak) / 255
    gray = samples[..., 0].astype(np.float32)
    for channel in range(1, colours):  # far faster than a mean over the last axis
        gray += samples[..., channel]
    return gray / np.float32(colours * levels)


def residual(suspect: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """What remains of a suspect after the reference, brightness and contrast fitted.

    Args:
        suspect: ``(H, W)`` float luma.
        reference: ``(H, W)`` float luma of what the suspect should be without mark.

    Returns:
        ``(H, W)`` float32 in gray levels of the reference.
    """
    centred = reference - reference.mean()
    moved = suspect - suspect.mean()
    energy = float((centred * centred).sum())
    gain = float((centred * moved).sum()) / energy if energy > 0 else 1.0
    if gain < 0.2:
        gain = 1.0
    return moved / np.float32(gain) - centred


def soft_bits(
    difference: np.ndarray, key: bytes, image_id: str, amplitude: int
) -> np.ndarray:
    """The soft code bits in a residual.

    Each frequency is weighted by the mark's size over the power that is found
    around it, so that bands drowned by compression or blur count for little.

    Args:
        difference: ``(H, W)`` from :func:`residual`.
        key: the vault's watermark key.
        image_id: which original.
        amplitude: what the image was marked with, gray levels.

    Returns:
        ``(bits,)`` float64; 0 where nothing can be read.
    """
    height, width = difference.shape
    grid = grid_side(height, width)
    used = band(grid)
    values = _coefficients(difference, used.size)[used.rows, used.columns]
    size = expected_amplitude(height, width, amplitude)
    power = _ring_power(values, used)
    floor = (size / 4) ** 2
    weighted = values * signs(key, image_id, grid) * size / np.maximum(power, floor)
    limit = 4 * np.sqrt(np.mean(weighted**2)) if weighted.size else 0.0
    weighted = np.clip(weighted, -limit, limit)
    return np.bincount(used.bits, weighted, used.bit_count)


def _coefficients(difference: np.ndarray, size: int) -> np.ndarray:
    height, width = difference.shape
    product = cosines(height, size).T @ difference @ cosines(width, size)
    return product.astype(np.float64) * 2 / (SCALE * SCALE * np.sqrt(height * width))


def _ring_power(values: np.ndarray, used: Band) -> np.ndarray:
    sums = np.bincount(used.ring, values**2, RINGS)
    counts = np.maximum(np.bincount(used.ring, minlength=RINGS), 1)
    return (sums / counts)[used.ring]
