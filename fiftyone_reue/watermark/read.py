"""Informed reading: what a suspect's difference from the original says, softly.

The reader never looks at any recipient's code. It returns one number a code bit,
whose sign is the bit and whose size is how sure it is; the evidence is computed
from those numbers alone.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.watermark.embed import expected_amplitude
from fiftyone_reue.watermark.patterns import (
    SCALE,
    band,
    carrier_key,
    carrier_signs,
    cosines,
    grid_side,
)
from fiftyone_reue.watermark.sharpness import Response

_LEAST_POWER = 1e-12

_WEAKEST = 1 / 40
"""Less than this share of a mark, where it was softened, is lost in rounding."""

_RINGS, _SECTORS, _FEW_RINGS = 24, 6, 12
"""Into how many rings of like frequency a band is divided, and each of these by
direction; small images have too few coefficients for more than some rings."""

_SECTORS_FROM = 128  # the grid's side

_ALONE = 20
"""So many coefficients of a sector say as much of its power as the whole ring does."""

_FARTHEST = 3.0
"""Coefficients are cut at so many times the root of the power around them."""

_LEAST_NOISE = 1 / 2
"""So much of the power is noise at least, however little there should be."""

_AROUND = 33
"""The side of what noise is measured in, pixels."""

_SHORTEST = 96
"""In smaller images noise is taken for the same all over."""


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


def centred(
    values: np.ndarray,
    opacity: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """Values without what brightness explains, and a flat background.

    Args:
        values: ``(H, W)`` float.
        opacity: ``(H, W)`` float in [0, 1] of what lies on the background, or None.
            Pixels count by how much is seen of them.
        seen: ``(H, W)`` float in [0, 1], how much of each pixel's is to count at all;
            None where all of it is.

    Returns:
        ``(H, W)`` float32, the rest of a least-squares fit.
    """
    weights = opacity if seen is None else seen if opacity is None else opacity * seen
    left = values - np.float32(weighted_mean(values, weights))
    if opacity is None:
        return left
    silhouette = opacity - np.float32(weighted_mean(opacity, weights))
    energy = weighted_mean(silhouette * silhouette, weights)
    if energy > _LEAST_POWER:
        share = weighted_mean(silhouette * left, weights) / energy
        left -= np.float32(share) * silhouette
    return left


def weighted_mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The mean of ``(H, W)`` values; None weighs all the same."""
    if weights is None:
        return float(values.mean())
    return float((values * weights).mean()) / float(weights.mean())


def residual(
    suspect: np.ndarray,
    reference: np.ndarray,
    opacity: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """What remains of a suspect after the reference, brightness and contrast fitted.

    Args:
        suspect: ``(H, W)`` float luma.
        reference: ``(H, W)`` float luma of what the suspect should be without mark.
        opacity: ``(H, W)`` float in [0, 1] of an image that was laid on a flat
            background of any colour, which is fitted as well. The reference is then
            as on black.
        seen: ``(H, W)`` float in [0, 1], how much of each pixel the suspect shows;
            None where it shows all of it.

    Returns:
        ``(H, W)`` float32 in gray levels of the reference.
    """
    weights = opacity if seen is None else seen if opacity is None else opacity * seen
    expected = centred(reference, opacity, seen)
    levelled = centred(suspect, opacity, seen)
    energy = weighted_mean(expected * expected, weights)
    gain = weighted_mean(expected * levelled, weights) / energy if energy > 0 else 1.0
    if gain < 0.2:
        gain = 1.0
    return levelled / np.float32(gain) - expected


@dataclass(frozen=True, eq=False)
class Difference:
    """All that a mark is read from. None of it depends on a code, so the evidence's
    bound holds whatever it is.

    Attributes:
        left: ``(H, W)`` float gray levels, from :func:`residual` or from
            :func:`fiftyone_reue.watermark.sharpness.softened`.
        shown: ``(H, W)`` float in [0, 1], how much of the mark shows in each pixel;
            None where all of it does.
        response: how much of the mark is left at each frequency; None for all of it.
    """

    left: np.ndarray
    shown: np.ndarray | None = None
    response: Response | None = None


def soft_bits(
    difference: Difference, key: bytes, image_id: str, amplitude: int
) -> np.ndarray:
    """The soft code bits in what remains of a suspect.

    Each frequency is weighted by the mark's size over the power that is found
    around it, so that bands drowned by compression or blur count for little; and so
    is each part of the picture, since what compression leaves is mostly at edges.

    Args:
        difference: what remains.
        key: the vault's watermark key.
        image_id: which original.
        amplitude: what the image was marked with, gray levels.

    Returns:
        ``(bits,)`` float64; 0 where nothing can be read.
    """
    return carried_bits(difference, carrier_key(key, image_id), amplitude)


def carried_bits(difference: Difference, carrier: bytes, amplitude: int) -> np.ndarray:
    """The same from the key of one image alone.

    Args:
        difference: what remains.
        carrier: from :func:`fiftyone_reue.watermark.patterns.carrier_key`.
        amplitude: what the image was marked with, gray levels.
    """
    return carried(difference, carrier, amplitude).soft


@dataclass(frozen=True, eq=False)
class Carried:
    """What is found in the places of one image's mark.

    Attributes:
        soft: ``(bits,)`` float64, the soft code bits; 0 where nothing can be read.
        variances: ``(bits,)`` float64, theirs if signs were those of another carrier.
    """

    soft: np.ndarray
    variances: np.ndarray


def carried(difference: Difference, carrier: bytes, amplitude: int) -> Carried:
    """:func:`carried_bits`, and how large they would be by chance."""
    left, shown, response = difference.left, difference.shown, difference.response
    height, width = left.shape
    grid = grid_side(height, width)
    used = band(grid)
    if shown is not None:
        left = left * shown
    weights = _calm(left, shown)
    if weights is not None:
        left = np.multiply(left, weights, out=weights)
    del weights
    values = _coefficients(left, used.size)[used.rows, used.columns]
    size = expected_amplitude(height, width, amplitude)
    if shown is not None:
        size *= float(np.mean(shown * shown))
    floor = max((size / 4) ** 2, _LEAST_POWER)
    expected: float | np.ndarray = size
    if response is not None:
        down, across = used.rows / (2 * height), used.columns / (2 * width)
        expected = size * response.at(down, across)
        floor = max((size * _WEAKEST) ** 2, _LEAST_POWER)
    power = np.maximum(_power_around(values, grid, height, width), floor)
    most = _FARTHEST * np.sqrt(power)
    weighted = values.clip(-most, most) * carrier_signs(carrier, grid)
    noise = np.maximum(power - np.square(expected), _LEAST_NOISE * power)
    weighted = weighted * expected / noise
    return Carried(
        np.bincount(used.bits, weighted, used.bit_count),
        np.bincount(used.bits, weighted**2, used.bit_count),
    )


def _calm(left: np.ndarray, shown: np.ndarray | None) -> np.ndarray | None:
    """How much each pixel counts, less where more remains; 1 in the mean of a mark.

    Args:
        left: ``(H, W)``, 0 where nothing is seen.
        shown: as for :class:`Difference`.

    Returns:
        ``(H, W)`` float32, or None: all the same.
    """
    import cv2

    if min(left.shape) < _SHORTEST:
        return None
    around = (_AROUND, _AROUND)
    # In place, since pictures of others may be large.
    remains = cv2.blur(left * left, around, borderType=cv2.BORDER_REFLECT)
    seen = np.ones_like(left) if shown is None else shown * shown
    if shown is not None:
        share = cv2.blur(seen, around, borderType=cv2.BORDER_REFLECT)
        np.maximum(share, np.float32(1e-3), out=share)
        remains /= share
        del share
    usual = 0.0
    if seen.any():
        usual = float(np.median(remains[seen > 0], overwrite_input=True))
    if usual <= 0:
        return None
    remains += np.float32(usual)
    weights: np.ndarray = np.sqrt(remains, out=remains)
    np.divide(1, weights, out=weights)
    weights /= np.float32(weighted_mean(weights, seen))
    return weights


def _coefficients(difference: np.ndarray, size: int) -> np.ndarray:
    height, width = difference.shape
    product = cosines(height, size).T @ difference @ cosines(width, size)
    return product.astype(np.float64) * 2 / (SCALE * SCALE * np.sqrt(height * width))


def _power_around(values: np.ndarray, grid: int, height: int, width: int) -> np.ndarray:
    """Of each coefficient the mean square of those of about its frequency.

    What resizing and compression leave depends on frequencies in the picture, so many
    cycles a pixel, and on their direction.
    """
    rings, sectors, ring, sector = _neighbours(grid, height, width)
    squares = values**2
    of_ring = _means(ring, squares, rings)
    if sectors == 1:
        return of_ring[ring]
    there = np.bincount(sector, minlength=rings * sectors)
    sums = np.bincount(sector, squares, rings * sectors)
    leant = sums + _ALONE * of_ring.repeat(sectors)
    return np.asarray((leant / (there + _ALONE))[sector])


@functools.lru_cache(maxsize=16)
def _neighbours(
    grid: int, height: int, width: int
) -> tuple[int, int, np.ndarray, np.ndarray]:
    """How many rings and sectors, and of each coefficient the ring and the sector."""
    used = band(grid)
    down, across = used.rows / height, used.columns / width
    rings, sectors = _RINGS, _SECTORS
    if grid < _SECTORS_FROM:
        rings, sectors = _FEW_RINGS, 1
    radius = np.hypot(down, across)
    ring = (radius / radius.max() * rings).astype(np.int64).clip(max=rings - 1)
    turned = np.arctan2(down, across) / (np.pi / 2) * sectors
    sector = ring * sectors + turned.astype(np.int64).clip(max=sectors - 1)
    return rings, sectors, ring, sector


def _means(place: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    sums = np.bincount(place, values, count)
    return np.asarray(sums / np.maximum(np.bincount(place, minlength=count), 1))
