"""JPEG samples, read only: written images go into a lossless container."""

import io

import numpy as np
from PIL import JpegImagePlugin

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Metadata, Raster

_CHANNELS = {"L": 1, "RGB": 3}


def decode(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a JPEG's samples, gray or RGB.

    Of a file with several pictures (a phone's gain map, a stereo pair) the first, which
    is the one that viewers show, is read.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: CMYK or YCCK, more than 8 bits a sample, or too large.
    """
    del want_record  # its carrier is the coefficients', not the samples'
    _check_precision(data)
    try:
        # The class rather than Image.open: that has its own, global, size limit. And
        # Pillow rather than imagecodecs, which fills a truncated image up with gray.
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        check_size(*image.size, max_pixels)
        _check_mode(image.mode)
        samples = np.array(image)
    except (UnreadableImageError, UnsupportedImageError):
        raise
    except Exception as error:
        raise UnreadableImageError(
            f"damaged JPEG: {error}; replace or remove it"
        ) from None
    height, width = samples.shape[:2]
    samples = samples.reshape(height, width, _CHANNELS[image.mode])
    return Loaded(Raster(samples, "JPEG", _metadata(image.info)))


def _check_mode(mode: str) -> None:
    if mode not in _CHANNELS:
        raise UnsupportedImageError(
            f"{mode} JPEG files can't be carried; convert it to RGB first"
        )


def _check_precision(data: bytes) -> None:
    """Say what is wrong where Pillow would only say that it can't read it."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in range(0xC0, 0xD0) and marker not in (0xC4, 0xC8, 0xCC):
            if data[at + 4] != 8 or marker in (0xC3, 0xC5, 0xC6, 0xC7):
                raise UnsupportedImageError(
                    "JPEG files that aren't 8-bit baseline or progressive can't be "
                    "carried; convert it to PNG first"
                )
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _metadata(info: dict) -> Metadata:
    exif = info.get("exif")
    xmp = info.get("xmp")
    dpi = info.get("dpi")
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=exif.removeprefix(b"Exif\0\0") if exif else None,
        xmp=xmp if isinstance(xmp, bytes) else None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
    )
