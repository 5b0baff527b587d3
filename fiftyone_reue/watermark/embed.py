"""Make a recipient's mark for an image, in whole numbers."""

from __future__ import annotations

import math

import numpy as np

from fiftyone_reue.watermark.patterns import (
    SCALE,
    Band,
    band,
    carrier_key,
    carrier_signs,
    cosines,
    grid_side,
)

STRENGTH = 2.0
"""The mark's root mean square before it is cut to its amplitude, as a share of it
times 2: at amplitude 2 it is 2 gray levels."""

_ROWS = 256

_COARSER = 32
"""Between the two products: keeps the second one's sums below 2**24."""


def mark(
    key: bytes,
    image_id: str,
    code: np.ndarray,
    height: int,
    width: int,
    amplitude: int,
) -> np.ndarray:
    """The offset that marks an image, the same on all its colour channels.

    Args:
        key: the vault's watermark key.
        image_id: which original.
        code: ``(bits,)`` -1 or 1, from :func:`fiftyone_reue.watermark.codes.code`.
        height: rows of the image, >= 8.
        width: columns of the image, >= 8.
        amplitude: the largest absolute value, gray levels.

    Returns:
        ``(height, width, 1)`` int8. Whole-number arithmetic throughout: the same
        arguments give the same bytes on any machine.
    """
    carrier = carrier_key(key, image_id)
    return carried_mark(carrier, code, height, width, amplitude)


def carried_mark(
    carrier: bytes, code: np.ndarray, height: int, width: int, amplitude: int
) -> np.ndarray:
    """The same from the image's own key alone.

    Args:
        carrier: of :func:`fiftyone_reue.watermark.patterns.carrier_key`.
        code: as for :func:`mark`.
        height: as there.
        width: as there.
        amplitude: as there.
    """
    grid = grid_side(height, width)
    used = band(grid)
    spectrum = _spectrum(used, carrier_signs(carrier, grid) * code[used.bits])
    down = cosines(height, used.size)
    across = np.rint(spectrum @ cosines(width, used.size).T / _COARSER)
    thresholds = _thresholds(len(used.rows), amplitude)
    offset = np.empty((height, width, 1), np.int8)
    for start in range(0, height, _ROWS):
        part = down[start : start + _ROWS] @ across
        offset[start : start + _ROWS, :, 0] = _quantise(part, thresholds)
    return offset


def spared(mark: np.ndarray, samples: np.ndarray, colours: int) -> np.ndarray:
    """The mark where it can be seen: nothing of it under an alpha of 0.

    Colours hidden there are often left out of a copy, and are seen in others.

    Args:
        mark: ``(H, W, 1)`` int8.
        samples: ``(H, W, C)`` of the image, before or after it was marked.
        colours: how many leading channels are colour.
    """
    if samples.shape[2] == colours:
        return mark
    return mark * (samples[..., colours:] > 0)


def expected_amplitude(height: int, width: int, amplitude: int) -> float:
    """A mark's size in each of its coefficients, for an orthonormal transform.

    Cutting a Gaussian field of root mean square s at plus and minus a keeps
    ``erf(a / (s sqrt 2))`` of it in step with the field (Bussgang's theorem).
    """
    rms = STRENGTH * amplitude / 2
    count = len(band(grid_side(height, width)).rows)
    kept = math.erf(amplitude / (rms * math.sqrt(2)))
    return rms * kept * math.sqrt(height * width / count)


def _spectrum(used: Band, values: np.ndarray) -> np.ndarray:
    spectrum = np.zeros((used.size, used.size), np.float32)
    spectrum[used.rows, used.columns] = values
    return spectrum


def _thresholds(count: int, amplitude: int) -> list[float]:
    """Field values from which the mark is 1, 2 ... amplitude gray levels."""
    field_rms = SCALE * SCALE / _COARSER * math.sqrt(count) / 2
    level = field_rms / (STRENGTH * amplitude / 2)
    return [float(round((step - 0.5) * level)) for step in range(1, amplitude + 1)]


def _quantise(field: np.ndarray, thresholds: list[float]) -> np.ndarray:
    quantised = np.zeros(field.shape, np.int8)
    for threshold in thresholds:
        quantised += field >= threshold
        quantised -= field <= -threshold
    return quantised
