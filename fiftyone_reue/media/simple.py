"""Two more containers that datasets come in, read only: GIF of one frame, and PNM."""

import io
import re

import numpy as np
from PIL import GifImagePlugin

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Raster

_PNM_HEADER = re.compile(
    rb"P([56])(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})"
    rb"(?:\s|#[^\n]*\n)+(\d{1,9})\s"
)


def decode_gif(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a GIF of one frame as gray, RGB or RGBA.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: an animation, or too large.
    """
    del want_record
    try:
        image = GifImagePlugin.GifImageFile(io.BytesIO(data))
        check_size(*image.size, max_pixels)
        frames = image.n_frames
        if frames > 1:
            raise UnsupportedImageError(
                f"has {frames} frames; save the frames as images of their own"
            )
        image.load()
        if "transparency" in image.info:
            samples = np.array(image.convert("RGBA"))
        elif image.mode == "L":
            samples = np.array(image)[:, :, None]
        else:
            samples = np.array(image.convert("RGB"))
    except (UnreadableImageError, UnsupportedImageError):
        raise
    except Exception as error:
        raise UnreadableImageError(
            f"damaged GIF: {error}; replace or remove it"
        ) from None
    return Loaded(Raster(samples, "GIF"))


def decode_pnm(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a binary PGM or PPM of 8 or 16 bits.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: an unusual largest value, or too large.
    """
    del want_record
    header = _PNM_HEADER.match(data)
    if not header:
        raise UnreadableImageError("damaged PNM: no header; replace or remove it")
    kind, width, height, peak = map(int, header.groups())
    check_size(width, height, max_pixels)
    if peak not in (255, 65535):
        raise UnsupportedImageError(
            f"its largest value is {peak}, not 255 or 65535; convert it to PNG first"
        )
    dtype = np.dtype(">u2" if peak == 65535 else "u1")
    shape = height, width, 1 if kind == 5 else 3
    count = height * width * shape[2]
    if header.end() + count * dtype.itemsize > len(data):
        raise UnreadableImageError("damaged PNM: cut short; replace or remove it")
    samples = np.frombuffer(data, dtype, count, header.end()).reshape(shape)
    return Loaded(Raster(samples.astype(dtype.newbyteorder("=")), "PNM"))
