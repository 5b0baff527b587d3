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


def weighted(soft: np.ndarray) -> np.ndarray:
    """Soft bits of length ``sqrt(x / (1 + x))``.

    Of n noisy coefficients with the mark's share r of the power, a bit's signal is
    ``n r / b`` and its noise's variance ``n r / b`` as well (each coefficient was
    weighted by the mark's size over the power, see
    :func:`fiftyone_reue.watermark.read.soft_bits`). With x for that, bits have the mean
    square ``x (1 + x)``, which gives x, and the length is the best weight for it.

    Args:
        soft: ``(bits,)`` float64.

    Returns:
        ``(bits,)`` float64, of length below 1; zeros where there is nothing.
    """
    energy = float(soft @ soft)
    if energy <= 0:
        return np.zeros(len(soft))
    ratio = (math.sqrt(1 + 4 * energy / len(soft)) - 1) / 2
    return soft * math.sqrt(ratio / (1 + ratio) / energy)
