"""What one image may say at most, so that none outvotes the others.

An image's soft bits are brought to length 1, and to less where they are mostly noise.
Nobody makes an image count for more than a clean honest one: not with a larger mark,
not with one that is turned round. The weight looks at the image's own soft bits alone,
never at a code or at other images, so the bound of
:mod:`fiftyone_reue.watermark.bounds` holds as it stands.
"""

from __future__ import annotations

import math

import numpy as np


def ratio(soft: np.ndarray) -> float:
    """The signal's power in a bit over the noise's, as its soft bits have it.

    Of n noisy coefficients with the mark's share r of the power, a bit's signal is
    ``n r / b`` and its noise's variance ``n r / b`` as well (each coefficient was
    weighted by the mark's size over the power, see
    :func:`fiftyone_reue.watermark.read.soft_bits`). With x for that, bits have the mean
    square ``x (1 + x)``, which gives x.

    Args:
        soft: ``(bits,)`` float64.

    Returns:
        x, at least 0.
    """
    energy = float(soft @ soft)
    return (math.sqrt(1 + 4 * energy / len(soft)) - 1) / 2 if energy > 0 else 0.0


def weighted(soft: np.ndarray) -> np.ndarray:
    """Soft bits of length ``sqrt(x / (1 + x))``, the best weight for a :func:`ratio` x.

    Args:
        soft: ``(bits,)`` float64.

    Returns:
        ``(bits,)`` float64, of length below 1; zeros where there is nothing.
    """
    energy = float(soft @ soft)
    if energy <= 0:
        return np.zeros(len(soft))
    found = ratio(soft)
    return soft * math.sqrt(found / (1 + found) / energy)
