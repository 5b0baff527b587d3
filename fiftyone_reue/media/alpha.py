"""What is seen of an image that has an alpha channel.

A viewer, or a program that saves the image as JPEG, either drops alpha, so that the
colours hidden by it show, or lays the image on a background of its own.
"""

from __future__ import annotations

import numpy as np


def opacity(samples: np.ndarray, colours: int) -> np.ndarray | None:
    """How much of each pixel's colour is seen.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        colours: how many leading channels are colour.

    Returns:
        ``(H, W)`` float32 in [0, 1]; None where every pixel is seen in full.
    """
    return share(samples, colours) if hides(samples, colours) else None


def share(samples: np.ndarray, colours: int) -> np.ndarray:
    """The same of an image that has an alpha channel, wherever that is."""
    peak = np.iinfo(samples.dtype).max
    return samples[..., colours].astype(np.float32) / np.float32(peak)


def hides(samples: np.ndarray, colours: int) -> bool:
    """Whether there is a pixel that isn't seen in full; the arguments are the same."""
    if samples.shape[2] == colours:
        return False
    return bool(samples[..., colours].min() < np.iinfo(samples.dtype).max)


def seen(samples: np.ndarray, colours: int) -> float:
    """How many pixels are seen, partly transparent ones by their share."""
    opaque = opacity(samples, colours)
    pixels = samples.shape[0] * samples.shape[1]
    return pixels if opaque is None else float(opaque.sum(dtype=np.float64))


def flattened(
    samples: np.ndarray, colours: int, background: np.ndarray | float
) -> np.ndarray:
    """The image laid on a background, without an alpha channel.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        colours: how many leading channels are colour.
        background: the background's sample values, one for all or one a colour.

    Returns:
        ``(H, W, colours)`` of the samples' type.
    """
    colour = samples[..., :colours]
    opaque = opacity(samples, colours)
    if opaque is None:
        return np.ascontiguousarray(colour)
    share = opaque[..., None]
    mixed = share * colour + (1 - share) * np.float32(background)
    peak = np.iinfo(samples.dtype).max
    return np.rint(mixed).clip(0, peak).astype(samples.dtype)
