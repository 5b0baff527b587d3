"""How much of a change is seen, where a file says that its samples aren't sRGB's."""

from __future__ import annotations

import functools
import io
import struct

import numpy as np
from PIL import Image, ImageCms

from fiftyone_reue.media.raster import Metadata, Raster

NOTABLE = 2.0
"""A change that is shown more than so many times as large is worth a warning."""

_ORIENTATION = 0x0112
_SCREEN = 2.2
_LINEAR = 8


def largest_shown(raster: Raster, levels: int) -> int:
    """The largest change on the screen that a stored change can cause, gray levels.

    A PNG's cICP, iCCP, sRGB and gAMA chunks are looked at in this order, as viewers do,
    and the colour profiles of other files. Profiles that can't be read count as sRGB.

    Args:
        raster: the image; its metadata matter, its samples don't.
        levels: the stored change, 1 to 255.
    """
    shown = _curve(raster.metadata, raster.colour_channels)
    if shown is None:
        return levels
    return int(np.ceil(np.abs(shown[levels:] - shown[:-levels]).max() - 0.5))


def orientation_of(metadata: Metadata) -> int:
    """How a picture is turned when it is shown, 1 (not at all) to 8, as EXIF has it."""
    if metadata.exif is None:
        return 1
    exif = Image.Exif()
    try:
        exif.load(metadata.exif)
        found = exif.get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, OSError, struct.error):
        return 1  # viewers show it as it is then, too
    return found if found in range(1, 9) else 1


def _curve(metadata: Metadata, colours: int) -> np.ndarray | None:
    """What 0 to 255 are shown as, ``(256,)`` float; None: as themselves."""
    chunks = dict(metadata.chunks)
    ramp = np.arange(256) / 255
    coding = chunks.get(b"cICP")
    if coding is not None:
        return 255 * ramp ** (1 / _SCREEN) if coding[1:2] == bytes([_LINEAR]) else None
    if metadata.icc is not None:
        return _by_profile(metadata.icc, colours)
    gamma = chunks.get(b"gAMA", b"")
    if b"sRGB" in chunks or len(gamma) != 4:
        return None
    (stored,) = struct.unpack(">I", gamma)
    return 255 * ramp ** (100000 / stored / _SCREEN) if stored else None


@functools.lru_cache(maxsize=16)
def _by_profile(icc: bytes, colours: int) -> np.ndarray | None:
    mode = "L" if colours == 1 else "RGB"
    ramp = np.arange(256, dtype=np.uint8)
    image = Image.fromarray(
        ramp[None] if mode == "L" else np.stack([ramp[None]] * 3, 2)
    )
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        screen = ImageCms.createProfile("sRGB")
        shown = ImageCms.profileToProfile(image, profile, screen, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if shown is None else np.asarray(shown)[0].mean(1)
