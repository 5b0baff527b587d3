"""Informed reading: what a suspect's difference from the original says, softly.

The reader never looks at any recipient's code. It returns one number a code bit,
whose sign is the bit and whose size is how sure it is; the evidence is computed
from those numbers alone.
"""

from __future__ import annotations

import numpy as np

from fiftyone_reue.watermark.embed import expected_amplitude
from fiftyone_reue.watermark.patterns import (
    RINGS,
    SCALE,
    Band,
    band,
    cosines,
    grid_side,
    signs,
)

_LEAST_POWER = 1e-12


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


def centred(values: np.ndarray, opacity: np.ndarray | None = None) -> np.ndarray:
    """Values without what brightness explains, and a flat background.

    Args:
        values: ``(H, W)`` float.
        opacity: ``(H, W)`` float in [0, 1] of what lies on the background, or None.
            Pixels count by how much is seen of them.

    Returns:
        ``(H, W)`` float32, the rest of a least-squares fit.
    """
    left = values - np.float32(weighted_mean(values, opacity))
    if opacity is None:
        return left
    silhouette = opacity - np.float32(weighted_mean(opacity, opacity))
    energy = weighted_mean(silhouette * silhouette, opacity)
    if energy > _LEAST_POWER:
        share = weighted_mean(silhouette * left, opacity) / energy
        left -= np.float32(share) * silhouette
    return left


def weighted_mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The mean of ``(H, W)`` values; None weighs all the same."""
    if weights is None:
        return float(values.mean())
    return float((values * weights).mean()) / float(weights.mean())


def residual(
    suspect: np.ndarray, reference: np.ndarray, opacity: np.ndarray | None = None
) -> np.ndarray:
    """What remains of a suspect after the reference, brightness and contrast fitted.

    Args:
        suspect: ``(H, W)`` float luma.
        reference: ``(H, W)`` float luma of what the suspect should be without mark.
        opacity: ``(H, W)`` float in [0, 1] of an image that was laid on a flat
            background of any colour, which is fitted as well. The reference is then
            as on black.

    Returns:
        ``(H, W)`` float32 in gray levels of the reference.
    """
    expected = centred(reference, opacity)
    levelled = centred(suspect, opacity)
    energy = weighted_mean(expected * expected, opacity)
    gain = weighted_mean(expected * levelled, opacity) / energy if energy > 0 else 1.0
    if gain < 0.2:
        gain = 1.0
    return levelled / np.float32(gain) - expected


def soft_bits(
    difference: np.ndarray,
    key: bytes,
    image_id: str,
    amplitude: int,
    shown: np.ndarray | None = None,
) -> np.ndarray:
    """The soft code bits in a residual.

    Each frequency is weighted by the mark's size over the power that is found
    around it, so that bands drowned by compression or blur count for little.

    Args:
        difference: ``(H, W)`` from :func:`residual`.
        key: the vault's watermark key.
        image_id: which original.
        amplitude: what the image was marked with, gray levels.
        shown: ``(H, W)`` float in [0, 1], how much of the mark shows in each pixel;
            None where all of it does. It never depends on a code, so the evidence's
            bound holds whatever it is.

    Returns:
        ``(bits,)`` float64; 0 where nothing can be read.
    """
    height, width = difference.shape
    grid = grid_side(height, width)
    used = band(grid)
    if shown is not None:
        difference = difference * shown
    values = _coefficients(difference, used.size)[used.rows, used.columns]
    size = expected_amplitude(height, width, amplitude)
    if shown is not None:
        size *= float(np.mean(shown * shown))
    power = _ring_power(values, used)
    floor = max((size / 4) ** 2, _LEAST_POWER)
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
