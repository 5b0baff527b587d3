"""PNG, read and written chunk by chunk around imagecodecs' libpng.

libpng only ever sees the chunks that make the pixels. Everything else is kept or
refused here, which keeps 16 bits 16 bits, leaves nothing to libpng's warnings, and
makes one pass over the chunk list enough.
"""

import ctypes
import functools
import struct
import sys
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Metadata, Raster

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RECORD_CHUNK = b"reUE"

# Paeth and run lengths: on 512 x 512 photographs under +-8 noise 464 kB in 7.7 ms.
# Adaptive filters with run lengths take 12.6 ms for 0.1 % less, Pillow's level 1 takes
# 20 ms for 7 % more, its default level 6 55 ms for 1.4 % less: noise holds no repeats
# for deflate to find, so looking for them is what costs.
_LEVEL, _STRATEGY_RLE, _FILTER_PAETH = 1, 3, 0x80

_MAX_CHUNK = 2**31 - 1
_MAX_INFLATED = 64 * 2**20
_MAX_SIDE = 1_000_000  # libpng's own limit
_DEFLATE_MAX_RATIO = 1032
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_KEPT = frozenset(
    b"cHRM gAMA sRGB cICP mDCV cLLI pHYs tEXt zTXt iTXt tIME sPLT oFFs pCAL sCAL "
    b"sTER".split()
)
# These speak in samples of the file's own colour type: wrong after a palette is
# expanded or a colour key becomes an alpha channel.
_KEPT_AS_STORED = frozenset((b"sBIT", b"bKGD"))
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_SAMPLES_A_PIXEL = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def decode(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a PNG.

    Args:
        data: the file's bytes.
        max_pixels: refuse larger images.
        want_record: read the record; False ignores it, damaged or not.

    Returns:
        The raster (palette, colour key and sub-byte samples expanded to 8 bits) and
        the record.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: an animation, or too large.
        DamagedRecordError: the record's chunk is damaged or cut short.
    """
    header: tuple[int, ...] | None = None
    pixels: list[bytes] = []  # what libpng is given
    idat_bytes = 0
    after_idat = False
    plain = True  # nothing but pixel chunks, so the file itself can be decoded
    seen: set[bytes] = set()
    records: list[bytes] = []
    icc = exif = xmp = dpi = None
    kept: list[tuple[bytes, bytes]] = []
    stored: list[tuple[bytes, bytes]] = []
    for kind, start, end in _chunks(data, want_record):
        if header is None:
            if kind != b"IHDR" or end - start != 13:
                raise _damaged("it doesn't start with an image header")
            header = struct.unpack_from(">IIBBBBB", data, start)
            _check_header(header, max_pixels)
            pixels += (SIGNATURE, data[start - 8 : end + 4])
            _check_crc(data, start, end)
            continue
        if kind == b"IDAT":
            if after_idat:
                raise _damaged("its image data is not in one piece")
            idat_bytes += end - start
            pixels.append(data[start - 8 : end + 4])
            continue
        if idat_bytes:
            after_idat = True
        if kind == b"IEND":
            pixels.append(data[start - 8 : end + 4])
            break
        if kind == RECORD_CHUNK:
            plain = False
            if want_record:
                records.append(_record_part(data, start, end))
            continue
        _check_crc(data, start, end)
        if kind in (b"PLTE", b"tRNS"):
            if kind in seen or after_idat:
                raise _damaged(f"its {kind.decode()} chunk is out of place")
            seen.add(kind)
            pixels.append(data[start - 8 : end + 4])
            continue
        plain = False
        payload = data[start:end]
        if kind == b"acTL":
            _check_animation(payload)
        elif kind == b"fdAT":
            raise _animated("several")
        elif kind == b"iCCP":
            icc = _inflate_profile(payload)
        elif kind == b"eXIf":
            exif = payload.removeprefix(b"Exif\0\0")
        elif kind == b"iTXt" and payload.startswith(_XMP_KEYWORD + b"\0"):
            xmp = _text(payload[len(_XMP_KEYWORD) + 1 :])
        elif kind in _KEPT_AS_STORED:
            stored.append((kind, payload))
        elif kind in _KEPT or _is_safe_to_copy(kind):
            kept.append((kind, payload))
            if kind == b"pHYs":
                dpi = _dpi(payload)
        elif not kind[0] & 0x20:
            raise UnsupportedImageError(
                f"it needs the non-standard PNG chunk {kind.decode('latin-1')!r}; "
                "re-save it as a plain PNG"
            )
    if header is None or not idat_bytes:
        raise _damaged("it holds no image data")
    width, height, depth, colour, _, _, _ = header
    if colour == 3 and b"PLTE" not in seen:
        raise _damaged("its palette is missing")
    row = (width * _SAMPLES_A_PIXEL[colour] * depth + 7) // 8
    if idat_bytes * _DEFLATE_MAX_RATIO < row * height:
        raise _damaged("its image data is cut short")
    samples = _decode_pixels(data if plain else b"".join(pixels))
    channels = _CHANNELS[colour] + (b"tRNS" in seen and colour != 6 and colour != 4)
    if samples.ndim == 2:
        samples = samples[:, :, None]
    if samples.shape != (height, width, channels):
        raise _damaged("its transparency or palette doesn't fit its header")
    if samples.itemsize != (2 if depth == 16 else 1):
        raise _damaged("its samples don't have the depth of its header")
    if stored and colour != 3 and depth >= 8 and b"tRNS" not in seen:
        kept += stored
    metadata = Metadata(icc, exif, xmp, dpi, tuple(kept))
    record = b"".join(records) if records else None
    return Loaded(Raster(samples, "PNG", metadata), record)


def encode(raster: Raster, record: bytes | None) -> bytes:
    """Write a PNG that holds the raster, its metadata and the record.

    Raises:
        UnsupportedImageError: a side is longer than libpng takes, or a metadata block
            is too long for a chunk.
    """
    if max(raster.height, raster.width) > _MAX_SIDE:
        raise UnsupportedImageError(
            f"PNG can't hold {raster.width} x {raster.height} pixels; cut it up first"
        )
    samples = raster.samples
    body = imagecodecs.png_encode(
        samples[:, :, 0] if samples.shape[2] == 1 else samples,
        level=_LEVEL,
        strategy=_STRATEGY_RLE,
        filter=_FILTER_PAETH,
        out=_longest(samples),
    )
    before = _metadata_chunks(raster.metadata)
    if record is None and not before:
        return bytes(body)
    parts = [body[:33], before, body[33:-12]]
    if record is not None:
        for at in range(0, max(len(record), 1), _MAX_CHUNK):
            parts.append(_chunk(RECORD_CHUNK, record[at : at + _MAX_CHUNK]))
    parts.append(body[-12:])
    return b"".join(parts)


def _longest(samples: np.ndarray) -> int:
    """A bound on the bytes of a plain PNG of samples that don't compress.

    imagecodecs' own estimate is too short for narrow images. One byte a row names its
    filter, and neither deflate nor the chunks around it add 2 %.
    """
    filtered = samples.nbytes + samples.shape[0]
    return filtered + filtered // 50 + 1024


def _chunks(data: bytes, want_record: bool) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks as (type, payload start, payload end)."""
    at = len(SIGNATURE)
    size = len(data)
    while at + 12 <= size:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > size:
            if kind == RECORD_CHUNK and want_record:
                raise DamagedRecordError(
                    "its record is cut short; use the whole file, or the ledger's copy"
                )
            break
        yield kind, at + 8, end
        if kind == b"IEND":
            return
        at = end + 4
    raise _damaged("it is cut short")


def _check_header(header: tuple[int, ...], max_pixels: int) -> None:
    width, height, depth, colour, compression, filtering, interlace = header
    check_size(width, height, max_pixels)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering:
        raise _damaged("its header names an unknown kind of PNG")
    if interlace > 1:
        raise _damaged("its header names an unknown interlacing")


def _check_crc(data: bytes, start: int, end: int) -> None:
    if zlib.crc32(memoryview(data)[start - 4 : end]) != _stored_crc(data, end):
        kind = data[start - 4 : start].decode("latin-1")
        raise _damaged(f"the checksum of its {kind!r} chunk is wrong")


def _stored_crc(data: bytes, end: int) -> int:
    return int.from_bytes(data[end : end + 4], "big")


def _record_part(data: bytes, start: int, end: int) -> bytes:
    if zlib.crc32(memoryview(data)[start - 4 : end]) != _stored_crc(data, end):
        raise DamagedRecordError(
            "the checksum of its record is wrong; use an unedited file, or the "
            "ledger's copy"
        )
    return data[start:end]


def _decode_pixels(data: bytes) -> np.ndarray:
    try:
        return imagecodecs.png_decode(data)
    except imagecodecs.PngError as error:
        _return_none_reference()
        raise _damaged(str(error)) from None


def _return_none_reference() -> None:
    """Give back the reference to None that a failed ``png_decode`` takes.

    imagecodecs 2026.3.6 releases one it doesn't own for each error: before Python 3.12,
    which made None immortal, some thousand damaged files would abort the process. One
    reference too many harms nothing.
    """
    if sys.version_info < (3, 12):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))


def _inflate(payload: bytes, what: str) -> bytes:
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(payload, _MAX_INFLATED)
    except zlib.error:
        raise _damaged(f"its {what} can't be unpacked") from None
    if not inflater.eof:
        raise _damaged(f"its {what} is cut short or larger than 64 MiB")
    return out


def _inflate_profile(payload: bytes) -> bytes:
    name_end = payload.find(b"\0")
    if name_end < 0:
        raise _damaged("its colour profile has no name")
    return _inflate(payload[name_end + 2 :], "colour profile")


@functools.lru_cache(maxsize=16)
def _profile_chunk(icc: bytes) -> bytes:
    # A dataset's images share a profile; packing it costs as much as a small image.
    return _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc, 6))


def _text(payload: bytes) -> bytes:
    """The text of an iTXt chunk, from its compression flag on."""
    language_end = payload.find(b"\0", 2)
    keyword_end = payload.find(b"\0", language_end + 1)
    if language_end < 0 or keyword_end < 0:
        raise _damaged("its XMP chunk is cut short")
    text = payload[keyword_end + 1 :]
    return _inflate(text, "XMP packet") if payload[0] else text


def _dpi(payload: bytes) -> tuple[float, float] | None:
    if len(payload) != 9:
        raise _damaged("its pHYs chunk is cut short")
    x, y, unit = struct.unpack(">IIB", payload)
    return (x * 0.0254, y * 0.0254) if unit == 1 else None


def _metadata_chunks(metadata: Metadata) -> bytes:
    if metadata == _NO_METADATA:
        return b""
    parts: list[bytes] = []
    if metadata.icc is not None:
        parts.append(_profile_chunk(metadata.icc))
    parts += [_chunk(kind, payload) for kind, payload in metadata.chunks]
    if metadata.dpi and not any(kind == b"pHYs" for kind, _ in metadata.chunks):
        x, y = (min(round(dots / 0.0254), _MAX_CHUNK) for dots in metadata.dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if metadata.exif is not None:
        parts.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp is not None:
        parts.append(_chunk(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp))
    return b"".join(parts)


_NO_METADATA = Metadata()


def _chunk(kind: bytes, payload: bytes) -> bytes:
    if len(payload) > _MAX_CHUNK:
        raise UnsupportedImageError("its metadata is too long for a PNG; strip it")
    crc = zlib.crc32(payload, zlib.crc32(kind))
    return b"".join((struct.pack(">I4s", len(payload), kind), payload, crc.to_bytes(4)))


def _is_safe_to_copy(kind: bytes) -> bool:
    return bool(kind[3] & 0x20) and bool(kind[0] & 0x20)


def _check_animation(payload: bytes) -> None:
    frames = int.from_bytes(payload[:4], "big")
    if frames != 1:
        raise _animated(str(frames))


def _animated(frames: str) -> UnsupportedImageError:
    return UnsupportedImageError(
        f"has {frames} frames; save the frames as images of their own"
    )


def _damaged(why: str) -> UnreadableImageError:
    return UnreadableImageError(f"damaged PNG: {why}; replace or remove it")
