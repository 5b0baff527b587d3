"""How visible a change is: SSIMULACRA2, as people judged pictures beside each other.

Sneyers, "SSIMULACRA 2", 2022 (github.com/cloudinary/ssimulacra2), by the package of
that name. 100 is the same picture; from about 90 on nobody sees a difference when
flipping between both, from 70 on few do who look at one alone.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fiftyone_reue.media.depth import stretched

SCALE = "90: can't be told apart from the original, 70: hard to notice without it"
"""What its numbers mean, for a person."""

PLAIN = 60
"""Below it the change is plainly seen."""

SMALLEST = 128
"""Pixels a side below which it says nothing. Stripes of 8 gray levels, which anybody
sees, have 86 at 32 pixels a side, 92 at 64, 62 at 128 and 39 at 256: of a smaller image
some of its six scales are missing."""


def advice(seen: float | None, quality: int | None) -> str | None:
    """What to do where a change is plainly seen, a sentence; None where it isn't.

    Args:
        seen: the mean of copies' SSIMULACRA2, if it was measured.
        quality: the least that was asked for.
    """
    if seen is None or seen >= PLAIN or quality is not None:
        return None
    return (
        "The change is plainly seen on images like these: with a least visual quality "
        "of 70 (--quality 70, in the App below More settings) it is made as weak as "
        "each image needs, and protects less."
    )


WINDOW = 1024
"""Pixels a side of what is measured of larger images: it takes 500 MB."""


def ssimulacra2(
    original: np.ndarray, changed: np.ndarray, colours: int, peak: int | None = None
) -> float | None:
    """How much alike two images look, at their full size.

    Of a side with more than :data:`WINDOW` pixels, as many in the middle.

    Args:
        original: ``(H, W, C)`` uint8 or uint16.
        changed: the same shape and type.
        colours: how many leading channels are colour, 1 or 3; others aren't looked at.
        peak: the largest value of the data's range, by default the type's.

    Returns:
        100 for the same samples, below 0 for very different ones; None for images with
        fewer than :data:`SMALLEST` pixels a side.
    """
    if min(original.shape[:2]) < SMALLEST:
        return None
    pair = (_shown(middle(one), colours, peak) for one in (original, changed))
    return _of(*pair)


def middle(samples: np.ndarray) -> np.ndarray:
    """What of an image's samples, ``(H, W, C)``, is looked at; a view."""
    down, across = (max(0, (side - WINDOW) // 2) for side in samples.shape[:2])
    return samples[down : down + WINDOW, across : across + WINDOW]


def _shown(samples: np.ndarray, colours: int, peak: int | None) -> np.ndarray:
    """``(H, W, 3)`` uint8."""
    whole = int(np.iinfo(samples.dtype).max) if peak is None else peak
    seen = stretched(samples, whole, colours)[..., :colours]
    if seen.dtype != np.uint8:
        seen = (seen // 257).astype(np.uint8)
    return np.repeat(seen, 3, axis=2) if colours == 1 else seen


def _of(original: np.ndarray, changed: np.ndarray) -> float:
    from ssimulacra2 import compute_ssimulacra2

    files = []
    for samples in (original, changed):
        file = io.BytesIO()  # the package reads files alone
        Image.fromarray(np.ascontiguousarray(samples)).save(file, "BMP")
        file.seek(0)
        files.append(file)
    return float(compute_ssimulacra2(*files))
