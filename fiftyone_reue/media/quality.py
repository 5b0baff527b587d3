"""How much alike two images are."""

from __future__ import annotations

import math

import numpy as np


def psnr(
    original: np.ndarray, changed: np.ndarray, colours: int, peak: int | None = None
) -> float:
    """Peak signal-to-noise ratio over the colour channels, in dB; 99 at most.

    The peak is that of the data's range, by default the samples' type's.
    """
    wide = np.int16 if original.dtype == np.uint8 else np.int32
    difference = changed[..., :colours].astype(wide) - original[..., :colours]
    flat = difference.ravel().astype(np.float32)
    mse = float(flat @ flat) / flat.size
    peak = peak or int(np.iinfo(original.dtype).max)
    return 99.0 if mse == 0 else min(99.0, 10 * math.log10(peak * peak / mse))
