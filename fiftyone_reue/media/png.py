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
_MOST_CHUNKS, _MOST_KEPT = 1 << 20, 1 << 12
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
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
# Adam7: first row and column, and the steps between rows and columns.
_PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


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
    pixels: list[bytes] = []  # what libpng is given before the image data
    image_data: list[tuple[int, int]] = []
    idat_bytes = 0
    after_idat = False
    plain = True  # nothing but pixel chunks, so the file itself can be decoded
    seen: set[bytes] = set()
    records: list[bytes] = []
    icc = exif = xmp = dpi = None
    kept: list[tuple[bytes, bytes]] = []
    in_samples: list[tuple[bytes, bytes]] = []
    left_out: list[str] = []
    for kind, start, end in _chunks(data, want_record):
        if header is None:
            if kind == b"CgBI":
                raise UnsupportedImageError(
                    "Apple's variant of PNG (CgBI), as iOS apps hold it, can't be "
                    "carried; convert it to PNG first (pngcrush -revert-iphone-"
                    "optimizations)"
                )
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
            image_data.append((start, end))
            continue
        if idat_bytes:
            after_idat = True
        if kind == b"IEND":
            if end + 4 < len(data):
                left_out.append("bytes after the end")
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
            if _is_of_pixels(kind, header[3]):
                _check_table(kind, end - start, header, seen)
                pixels.append(data[start - 8 : end + 4])
            else:  # a palette that is only suggested, a key beside alpha
                plain = False
                left_out.append(f"PNG chunk {kind.decode()}")
            continue
        plain = False
        payload = data[start:end]
        if kind == b"acTL":
            _check_animation(payload)
        elif kind == b"fdAT":
            raise _animated("several")
            left_out.append("PNG chunk acTL")
        elif kind == b"iCCP" and icc is None:
            icc = _inflate_profile(payload)
            if icc is None:  # viewers show the picture without it
                left_out.append("colour profile that can't be unpacked")
        elif kind == b"eXIf" and exif is None:
            exif = payload.removeprefix(b"Exif\0\0")
        elif kind == b"iTXt" and xmp is None and _is_xmp(payload):
            xmp = _text(payload[len(_XMP_KEYWORD) + 1 :])
            if xmp is None:
                left_out.append("XMP packet that can't be unpacked")
        elif kind in _KEPT_AS_STORED:
            in_samples.append((kind, payload))
        elif kind in _KEPT or _is_safe_to_copy(kind):
            kept.append((kind, payload))
            if kind == b"pHYs":
                dpi = _dpi(payload)
        elif not kind[0] & 0x20:
            raise UnsupportedImageError(
                f"it needs the non-standard PNG chunk {kind.decode('latin-1')!r}; "
                "re-save it as a plain PNG"
            )
        else:
            left_out.append(f"PNG chunk {kind.decode('latin-1')}")
    if header is None or not idat_bytes:
        raise _damaged("it holds no image data")
    width, height, depth, colour, _, _, interlace = header
    if colour == 3 and b"PLTE" not in seen:
        raise _damaged("its palette is missing")
    row = (width * _SAMPLES_A_PIXEL[colour] * depth + 7) // 8
    if idat_bytes * _DEFLATE_MAX_RATIO < row * height:
        raise _damaged("its image data is cut short")
    keyed = b"tRNS" in seen and _is_of_pixels(b"tRNS", colour)
    if interlace:
        samples = _decode_interlaced(data, image_data, header, pixels, keyed)
    elif plain:
        samples = _decode_pixels(data)
    else:
        pixels += [data[start - 8 : end + 4] for start, end in image_data]
        samples = _decode_pixels(b"".join((*pixels, _IEND)))
    samples = _with_channels(samples, (height, width), header, keyed)
    if colour != 3 and depth >= 8 and not keyed:
        kept += in_samples
    else:
        left_out += [f"PNG chunk {kind.decode()}" for kind, _ in in_samples]
    return Loaded(
        Raster(samples, "PNG", Metadata(icc, exif, xmp, dpi, tuple(kept))),
        b"".join(records) if records else None,
        tuple(dict.fromkeys(left_out)),
        _stored(header, keyed),
    )


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
    count = others = 0
    while at + 12 <= size:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        count += 1
        others += kind != b"IDAT"
        if count > _MOST_CHUNKS or others > _MOST_KEPT:
            raise UnsupportedImageError(
                f"holds more than {min(count, others) - 1} chunks, each of which takes "
                "memory; re-save it as a plain PNG"
            )
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


def _is_of_pixels(kind: bytes, colour: int) -> bool:
    """Whether a palette or colour key is part of an image of that colour type."""
    return colour == 3 or (kind == b"tRNS" and colour in (0, 2))


def _check_table(
    kind: bytes, size: int, header: tuple[int, ...], seen: set[bytes]
) -> None:
    """Refuse the palettes and colour keys that libpng would only warn of."""
    depth, colour = header[2], header[3]
    if kind == b"PLTE":
        fits = size % 3 == 0 and 3 <= size <= 3 << depth
    elif colour == 3:
        fits = b"PLTE" in seen and 1 <= size <= 1 << depth
    else:
        fits = size == 2 * _SAMPLES_A_PIXEL[colour]
    if not fits:
        raise _damaged("its transparency or palette doesn't fit its header")


def _with_channels(
    samples: np.ndarray, sides: tuple[int, int], header: tuple[int, ...], keyed: bool
) -> np.ndarray:
    """Check libpng's samples against the header: ``(H, W, C)``."""
    depth, colour = header[2], header[3]
    if samples.ndim == 2:
        samples = samples[:, :, None]
    if samples.shape != (*sides, _CHANNELS[colour] + keyed):
        raise _damaged("its transparency or palette doesn't fit its header")
    if samples.itemsize != (2 if depth == 16 else 1):
        raise _damaged("its samples don't have the depth of its header")
    return samples


def _stored(header: tuple[int, ...], keyed: bool) -> str | None:
    _, _, depth, colour, _, _, interlace = header
    words = []
    if colour == 3:
        words.append("a palette")
    elif depth < 8:
        words.append(f"{depth}-bit samples")
    if keyed and colour != 3:
        words.append("a transparent colour")
    if interlace:
        words.append("interlacing")
    return " and ".join(words) or None


def _decode_interlaced(
    data: bytes,
    image_data: list[tuple[int, int]],
    header: tuple[int, ...],
    pixels: list[bytes],
    keyed: bool,
) -> np.ndarray:
    """Decode the seven passes, each as an image of its own.

    libpng would do it in one go, but warns about imagecodecs' way to ask for it.
    """
    width, height, depth, colour = header[:4]
    bits = depth * _SAMPLES_A_PIXEL[colour]
    passes = []
    for top, left, down, right in _PASSES:
        rows, columns = -(-(height - top) // down), -(-(width - left) // right)
        if rows > 0 and columns > 0:
            passes.append((top, left, down, right, rows, columns))
    sizes = [rows * (1 + (columns * bits + 7) // 8) for *_, rows, columns in passes]
    for start, end in image_data:
        _check_crc(data, start, end)
    packed = b"".join(data[start:end] for start, end in image_data)
    inflater = zlib.decompressobj()
    try:
        filtered = inflater.decompress(packed, sum(sizes))
    except zlib.error as error:
        raise _damaged(str(error)) from None
    if len(filtered) < sum(sizes):
        raise _damaged("its image data is cut short")
    shape = height, width, _CHANNELS[colour] + keyed
    samples = np.empty(shape, np.uint16 if depth == 16 else np.uint8)
    at = 0
    for (top, left, down, right, rows, columns), size in zip(
        passes, sizes, strict=True
    ):
        small = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
        lines = zlib.compress(filtered[at : at + size], 1)
        at += size
        parts = (SIGNATURE, _chunk(b"IHDR", small), *pixels[2:], _chunk(b"IDAT", lines))
        part = _decode_pixels(b"".join((*parts, _IEND)))
        part = _with_channels(part, (rows, columns), header, keyed)
        samples[top::down, left::right] = part
    return samples


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


def _inflate(payload: bytes) -> bytes | None:
    """Unpacked, or None if it is damaged, cut short or larger than 64 MiB."""
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(payload, _MAX_INFLATED)
    except zlib.error:
        return None
    return out if inflater.eof else None


def _inflate_profile(payload: bytes) -> bytes | None:
    name_end = payload.find(b"\0")
    return _inflate(payload[name_end + 2 :]) if name_end >= 0 else None


@functools.lru_cache(maxsize=16)
def _profile_chunk(icc: bytes) -> bytes:
    # A dataset's images share a profile; packing it costs as much as a small image.
    return _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc, 6))


def _is_xmp(payload: bytes) -> bool:
    return payload.startswith(_XMP_KEYWORD + b"\0")


def _text(payload: bytes) -> bytes | None:
    """The text of an iTXt chunk, from its compression flag on; None if damaged."""
    language_end = payload.find(b"\0", 2)
    keyword_end = payload.find(b"\0", language_end + 1)
    if language_end < 0 or keyword_end < 0:
        return None
    text = payload[keyword_end + 1 :]
    return _inflate(text) if payload[0] else text


def _dpi(payload: bytes) -> tuple[float, float] | None:
    if len(payload) != 9:
        return None
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
