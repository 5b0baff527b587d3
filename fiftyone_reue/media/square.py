"""Any image as the small 8-bit RGB square that networks work at."""

from __future__ import annotations

import numpy as np
from PIL import Image


def to_square(samples: np.ndarray, colours: int, size: int) -> np.ndarray:
    """Stretch an image to a square, averaging where it shrinks.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        colours: how many leading channels are colour, 1 or 3.
        size: side in pixels.

    Returns:
        ``(size, size, 3)`` uint8.
    """
    colour = samples[..., :colours]
    if colour.dtype == np.uint16:
        colour = (colour >> 8).astype(np.uint8)
    if colours == 1:
        colour = np.repeat(colour, 3, axis=2)
    if colour.shape[:2] == (size, size):
        return np.ascontiguousarray(colour)
    image = Image.fromarray(np.ascontiguousarray(colour))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))
