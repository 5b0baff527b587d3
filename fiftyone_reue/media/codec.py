"""Files to rasters and back: the entry to this package.

Every decoder raises errors that say what is wrong; the name of the file is put in
front of them here, once.
"""

import os
from collections.abc import Callable
from pathlib import Path

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media import bmp, jpeg, png, probe, simple, tiff, webp
from fiftyone_reue.media.raster import DEFAULT_MAX_PIXELS, Loaded, Raster

_DECODERS: dict[str, Callable[..., Loaded]] = {
    "PNG": png.decode,
    "WEBP": webp.decode,
    "TIFF": tiff.decode,
    "BMP": bmp.decode,
    "JPEG": jpeg.decode,
    "GIF": simple.decode_gif,
    "PNM": simple.decode_pnm,
}
_ENCODERS: dict[str, Callable[[Raster, bytes | None], bytes]] = {
    "PNG": png.encode,
    "WEBP": webp.encode,
    "TIFF": tiff.encode,
    "BMP": bmp.encode,
}
_SUFFIXES = {
    "PNG": ".png",
    "WEBP": ".webp",
    "WEBP-LOSSY": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "JPEG": ".jpg",
    "GIF": ".gif",
    "PNM": ".ppm",
}

_FOREIGN_SUFFIXES = (".avif", ".heic", ".heif", ".jp2", ".jxl")
_READABLE = """
    .png .apng .jpg .jpeg .jpe .jfif .webp .tif .tiff .bmp .dib .gif .ppm .pgm .pnm
"""

# Foreign images are refused by name rather than passed over in silence.
IMAGE_SUFFIXES: frozenset[str] = frozenset((*_READABLE.split(), *_FOREIGN_SUFFIXES))
"""Suffixes, in lower case, of what a walk through a folder takes for an image."""


def load(
    source: str | os.PathLike[str] | bytes,
    *,
    name: str | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    ignore_record: bool = False,
) -> Loaded:
    """Read an image file once: samples, metadata and record.

    The EXIF orientation is not applied. Thread-safe.

    Args:
        source: a path, or the file's bytes.
        name: what errors call the file; by default its path.
        max_pixels: refuse images with more pixels before decoding them.
        ignore_record: don't read the record, so that a damaged one doesn't hide the
            image.

    Returns:
        The raster and the record (None if the file holds none).

    Raises:
        UnreadableImageError: missing, empty, not an image, truncated or damaged.
        UnsupportedImageError: animated, CMYK, float, too large, or of an unknown kind.
        DamagedRecordError: the record was edited or cut short.
    """
    if isinstance(source, bytes):
        label = name or f"image of {len(source)} bytes"
        data = source
    else:
        label = name or os.fspath(source)
        data = _read(source, label)
    try:
        decode = _DECODERS[probe.sniff(data)]
        return decode(data, max_pixels=max_pixels, want_record=not ignore_record)
    except (UnreadableImageError, UnsupportedImageError, DamagedRecordError) as error:
        raise type(error)(f"{label}: {error}") from None
    except MemoryError:
        raise UnreadableImageError(
            f"{label}: decoding it needs more memory than there is; lower --max-pixels "
            "or free some"
        ) from None
    except Exception as error:
        # Decoders are other people's; any bytes at all must give one of our errors.
        raise UnreadableImageError(
            f"{label}: can't be decoded ({type(error).__name__}: {error}); replace or "
            "remove it"
        ) from error


def encode(raster: Raster, format: str, record: bytes | None = None) -> bytes:
    """Make a file that ``load`` reads back sample for sample.

    Args:
        raster: the image; its metadata goes along. PNG's own chunks go only into PNG.
        format: ``"PNG"``, ``"WEBP"`` (lossless), ``"TIFF"`` or ``"BMP"``.
        record: bytes to carry, or None.

    Returns:
        The file's bytes.

    Raises:
        UnsupportedImageError: the format can't hold this raster or its metadata
            exactly, or isn't one that can be written.
    """
    encoder = _ENCODERS.get(format)
    if encoder is None:
        raise UnsupportedImageError(
            f"{format} can't be written exactly; use one of {', '.join(_ENCODERS)}"
        )
    return encoder(raster, record)


def release_format(raster: Raster) -> str:
    """The format for a protected or restored copy: its own if exact, else PNG."""
    if raster.format == "TIFF":
        return "TIFF"
    if raster.format == "WEBP" and webp.refusal(raster) is None:
        return "WEBP"
    if raster.format == "BMP" and bmp.refusal(raster) is None:
        return "BMP"
    return "PNG"


def suffix(format: str) -> str:
    """The usual suffix of a format's files, with its dot.

    Raises:
        UnsupportedImageError: no such format.
    """
    try:
        return _SUFFIXES[format]
    except KeyError:
        raise UnsupportedImageError(
            f"{format!r} isn't a format; use one of {', '.join(_SUFFIXES)}"
        ) from None


def _read(path: str | os.PathLike[str], label: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        why = "no such file; check the path"
    except IsADirectoryError:
        why = "a folder, not an image file"
    except PermissionError:
        why = "no permission to read it; change its mode or owner"
    except (OSError, ValueError) as error:
        why = f"can't be read ({error})"
    raise UnreadableImageError(f"{label}: {why}")
