"""How far the values of an image's data go, where that is less than its samples could.

A camera's 12 bits or a depth map's millimetres come in 16-bit files. A change of 8 of
255 is meant of the data's range, not of the file's: of the latter it would be half of
what is there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fiftyone_reue.errors import InputError, UnsupportedImageError
from fiftyone_reue.media.raster import Raster

LEAST = 255
"""Data with a smaller largest value has no room for levels of 1/255 of its range."""

_SIGNIFICANT_BITS = b"sBIT"


def with_range(raster: Raster, depth: int | None = None) -> Raster:
    """The image, its ``peak`` the largest value that its data is taken to have.

    Of 8-bit samples that is 255. Of 16-bit ones it is what the caller says, else what
    a PNG says of its significant bits, else the largest value found; where all is 0,
    the samples' own.

    Args:
        raster: any image.
        depth: bits of 16-bit samples that the data has, 8 to 16; None to find out.

    Raises:
        InputError: there are larger values than ``depth`` allows.
    """
    if raster.depth == 8:
        return raster
    found = int(raster.samples[..., : raster.colour_channels].max())
    if depth is not None:
        peak = (1 << depth) - 1
        if found > peak:
            raise InputError(
                f"its largest value is {found}, more than {depth} bits hold; give a "
                "larger --depth"
            )
        return replace(raster, white=peak)
    said = _significant(raster)
    # A writer may scale few bits up to 16, as the format asks, or not.
    if said is not None and found < 1 << said:
        return replace(raster, white=max((1 << said) - 1, LEAST))
    if said is not None or found == 0:
        return raster
    return replace(raster, white=found)


def require_levels(raster: Raster) -> None:
    """Make sure that the data's range is wide enough to be changed by 1/255 of it.

    Raises:
        UnsupportedImageError: it isn't; says what to do.
    """
    peak = raster.peak
    if raster.depth == 16 and raster.white is None:
        peak = int(raster.samples[..., : raster.colour_channels].max())
    if peak < LEAST:
        raise UnsupportedImageError(
            f"its 16-bit samples are {peak} at most, so how large a visible "
            "change is can't be told; say how many bits the data has (--depth 12), or "
            "leave it out if these are labels"
        )


def shown(raster: Raster) -> np.ndarray:
    """The samples for looking at: the data's range stretched to that of their type.

    Args:
        raster: any image; its range is found out if it doesn't say.

    Returns:
        ``(H, W, C)`` of the same type; the samples themselves if that is their range.
    """
    if raster.white is None:
        raster = with_range(raster)
    return stretched(raster.samples, raster.peak, raster.colour_channels)


def stretched(samples: np.ndarray, peak: int, colours: int) -> np.ndarray:
    """See :func:`shown`; samples beyond the peak show as their type's largest."""
    largest = int(np.iinfo(samples.dtype).max)
    if peak == largest:
        return samples
    wide = samples.copy()
    colour = np.minimum(samples[..., :colours], peak).astype(np.uint32)
    wide[..., :colours] = colour * largest // peak
    return wide


def _significant(raster: Raster) -> int | None:
    """Bits of the most precise colour channel, as a PNG states them."""
    for kind, payload in raster.metadata.chunks:
        if kind == _SIGNIFICANT_BITS and len(payload) == raster.channels:
            bits = max(payload[: raster.colour_channels])
            return bits if 1 <= bits < 16 else None
    return None
