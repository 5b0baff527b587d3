"""Pictures of kinds that no carrier takes, read to be looked at.

A suspect is somebody else's file: nothing has to be written as it was, so what a
decoder shows of it is enough.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Raster

KINDS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM"),
    *("QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM"),
)
"""As Pillow calls them: those that it reads itself, without another program, and of
which the size is known before they are decoded; not icons. Older versions of it don't
know all of them."""

_MODES = ("L", "LA", "RGB", "RGBA")
_WIDE = ("I;16", "I;16B", "I;16L", "I;16N")
_SHOWN = {
    **{"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"},
    **{"CMYK": "RGB", "HSV": "RGB", "LAB": "RGB", "YCbCr": "RGB"},
}


def decode(data: bytes, *, max_pixels: int) -> Loaded | None:
    """What a file of one picture shows.

    Args:
        data: the file.
        max_pixels: width times height may not be more.

    Returns:
        Samples as gray or RGB, with alpha if there is some; or None if it is of another
        kind, holds several pictures, or numbers that aren't gray levels.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: too large.
    """
    Image.init()
    kinds = [kind for kind in KINDS if kind in Image.OPEN]
    try:
        # Pillow warns of large images, and this has a limit of its own.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=kinds)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError:
        raise UnsupportedImageError(
            "it has more pixels than images of this kind are read with; reduce it, or "
            "convert it to PNG"
        ) from None
    with image:
        check_size(*image.size, max_pixels)
        if isinstance(image, TiffImageFile):  # each of its tiles is decoded whole
            tags = image.tag_v2
            check_size(tags.get(TILEWIDTH, 1), tags.get(TILELENGTH, 1), max_pixels)
        if getattr(image, "n_frames", 1) != 1:
            return None
        try:
            samples = _samples(image)
        except OSError as error:
            raise UnreadableImageError(
                f"damaged {image.format}: {error}; replace or remove it"
            ) from None
    return None if samples is None else Loaded(Raster(samples, str(image.format)))


def _samples(image: Image.Image) -> np.ndarray | None:
    image.load()
    if image.mode in _WIDE:
        samples = np.asarray(image).astype(np.uint16)
    else:
        mode = _shown_as(image)
        if mode is None:
            return None
        shown = image if image.mode == mode else image.convert(mode)
        samples = np.asarray(shown)
    return np.ascontiguousarray(samples.reshape(image.height, image.width, -1))


def _shown_as(image: Image.Image) -> str | None:
    if image.mode in _MODES:
        return image.mode
    if image.mode in ("P", "PA"):
        return "RGBA" if image.has_transparency_data else "RGB"
    return _SHOWN.get(image.mode)
