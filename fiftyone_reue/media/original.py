"""The original file, out of its samples and a few bytes.

Restoring gives the original's samples. What a file has besides them (its metadata, its
palette, how its samples were packed) is described here in as few bytes as can be, so
that it comes back as well:

- A PNG is kept without its image data, and with how that was packed, see
  :mod:`fiftyone_reue.media.png_stream`.
- Other files are kept whole, packed with their samples as a dictionary: of those that
  store samples plainly (BMP, PNM, uncompressed TIFF) little is left. A JPEG, GIF or
  lossy WebP is small beside its samples anyway.
- A JPEG whose coefficients carry the copies is kept without its coded data, see
  :mod:`fiftyone_reue.media.jpeg_coefficients.exact`.
- Where that would take too much (:data:`LARGEST_SHARE`), only the metadata is kept, and
  the file is written anew: its pixels are exact, its bytes aren't.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import zstandard

from fiftyone_reue.errors import UPDATE, DamagedRecordError, UnsupportedImageError
from fiftyone_reue.media import carriers, codec, png_stream
from fiftyone_reue.media.jpeg_coefficients import exact
from fiftyone_reue.media.jpeg_coefficients.coefficients import (
    Coefficients,
    has_usual_edges,
    with_usual_edges,
)
from fiftyone_reue.media.jpeg_coefficients.markers import Segment
from fiftyone_reue.media.jpeg_segments import without_record
from fiftyone_reue.media.parts import joined, parted
from fiftyone_reue.media.png_stream import Settings
from fiftyone_reue.media.raster import Loaded, Metadata, Raster

LARGEST_SHARE = 0.25
"""Of the file's own bytes; what takes more is kept only where it must be."""

REPACKED = (
    "its image data is compressed in a way that can't be repeated; pixels and metadata "
    "are exact"
)
ELSEWHERE = (
    "this machine's zlib packs image data in another way than the one that protected "
    "it; pixels and metadata are exact"
)
REWRITTEN = (
    "its bytes would make the protected copy much larger; pixels are exact, and all "
    "metadata that doesn't say how they were stored"
)

_LOSSY = "JPEG"  # what is written of it from samples alone isn't exact
_WHOLE, _PNG, _METADATA, _CODED = 1, 2, 3, 4
_MUCH_CARRIED = 512
_CARRIED, _USUAL_EDGES = 1, 2
_SETTINGS = struct.Struct(">2sBBBB")
_DPI = struct.Struct(">dd")
_LEVEL = 9
_DICTIONARY_LEVEL = 3
_LONGEST_DICTIONARY = 1 << 30
_TIMES_SAMPLES, _BESIDES = 16, 256 << 20
_MOST_PIECES = 1 << 20


@dataclass(frozen=True)
class Described:
    """What is kept of a file.

    Attributes:
        content: for :func:`rebuild`; whoever has it and the samples has the file.
        differs: why the file won't come back byte for byte, or None: it will.
    """

    content: bytes
    differs: str | None = None


@dataclass(frozen=True)
class Rebuilt:
    """The original file.

    Attributes:
        data: its bytes.
        name: its name, or the name's suffix alone, with the dot.
        differs: why these aren't the original's bytes, or None: they are.
    """

    data: bytes
    name: str
    differs: str | None = None


def describe(
    data: bytes, loaded: Loaded, name: str, *, whole: bool = False
) -> Described:
    """Describe a file, given its samples, and make sure that it can be rebuilt.

    Args:
        data: the file.
        loaded: what was read from it.
        name: its name, or the name's suffix alone, with the dot.
        whole: take as many bytes as it needs to rebuild the file byte for byte.

    Raises:
        UnsupportedImageError: the file is so much larger than its picture that
            :func:`rebuild` would refuse it.
    """
    raster = loaded.raster
    if len(data) > _most_bytes(raster):
        raise UnsupportedImageError(
            f"its file has {len(data) >> 20} MB, far more than its picture takes; save "
            "the picture without what else is in the file"
        )
    named = name.encode(errors="surrogateescape")
    if raster.format == "PNG" and loaded.stored is None:
        described = _described_png(data, raster, named)
        if described is not None and (described.differs is None or not whole):
            return described
    content = _described_whole(data, raster, named)
    format = raster.format
    only_read = format == _LOSSY or carriers.writer(format) is None
    must = only_read or loaded.stored or loaded.left_out
    if whole or must or len(content) <= LARGEST_SHARE * len(data):
        return Described(content)
    return Described(_described_metadata(raster, named), REWRITTEN)


def describe_coded(
    data: bytes,
    coefficients: Coefficients,
    segments: Sequence[Segment],
    name: str,
) -> Described:
    """Describe a JPEG file, given its coefficients.

    Args:
        data: the file.
        coefficients: what was read from it.
        segments: that a copy carries, and that restoring will write as well.
        name: the file's name, or the name's suffix alone, with the dot.
    """
    named = name.encode(errors="surrogateescape")
    usual = has_usual_edges(coefficients)
    alone = exact.describe(data, coefficients).content
    carried = _carried(segments)
    if len(carried) > _MUCH_CARRIED:
        # Whoever takes the segments out of a copy takes this as well, so what they
        # have in common with the file is only left out where that saves much.
        less = exact.describe(data, coefficients, known=carried).content
        if len(less) + _MUCH_CARRIED < len(alone):
            return _coded(named, less, carried=True, usual=usual)
    return _coded(named, alone, carried=False, usual=usual)


def rebuild(content: bytes, raster: Raster) -> Rebuilt:
    """Undo :func:`describe`.

    Args:
        content: what it made.
        raster: the original's samples.

    Raises:
        DamagedRecordError: the content can't be read, or isn't of these samples.
    """
    try:
        kind, (named, *parts) = content[0], parted(content[1:])
        name = named.decode(errors="surrogateescape")
        if kind == _WHOLE:
            return Rebuilt(_whole(raster, *parts), name)
        if kind == _PNG:
            return _png(raster, name, *parts)
        if kind == _METADATA:
            return _rewritten(raster, name, *parts)
    except _UNREADABLE as error:
        raise _damaged() from error
    raise _unknown()


def rebuild_coded(content: bytes, coefficients: Coefficients) -> Rebuilt:
    """Undo :func:`describe_coded`.

    Args:
        content: what it made.
        coefficients: the original's, with the segments that a copy carries.

    Raises:
        DamagedRecordError: the content can't be read, or isn't of these coefficients.
    """
    try:
        kind, (named, *parts) = content[0], parted(content[1:])
        name = named.decode(errors="surrogateescape")
        if kind == _CODED:
            return Rebuilt(_decoded(coefficients, *parts), name)
    except _UNREADABLE as error:
        raise _damaged() from error
    raise _unknown()


_UNREADABLE = (
    struct.error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    zlib.error,
    zstandard.ZstdError,
    UnsupportedImageError,
)


def _described_png(data: bytes, raster: Raster, name: bytes) -> Described | None:
    parts = png_stream.take_apart(data)
    if len(parts.sizes) > _MOST_PIECES:
        return None
    try:
        raw = parts.unpacked(raster.samples.nbytes + raster.height)
        filters = png_stream.filters_of(raw, raster.height)
        if png_stream.filtered(raster.samples, filters) != raw:
            return None
    except ValueError:
        return None
    if png_stream.put_together(parts) != data:
        return None
    settings = png_stream.settings_of(raw, parts.stream)
    sizes = np.array(parts.sizes, ">u4").tobytes()
    packed = _packed(joined(parts.before, parts.after, sizes, filters))
    how = b"" if settings is None else _settings(settings)
    digest = b"" if settings is None else hashlib.sha256(data).digest()
    content = bytes([_PNG]) + joined(name, packed, how, digest)
    return Described(content, REPACKED if settings is None else None)


def _png(
    raster: Raster, name: str, packed: bytes, how: bytes, digest: bytes
) -> Rebuilt:
    before, after, stored, filters = parted(_unpacked(packed, raster))
    if len(stored) > 4 * _MOST_PIECES:
        raise ValueError("there are too many pieces")
    sizes = tuple(int(size) for size in np.frombuffer(stored, ">u4"))
    raw = png_stream.filtered(raster.samples, filters)
    if how:
        settings = Settings(*_SETTINGS.unpack(how))
        stream = settings.pack(raw)
        parts = png_stream.Parts(before, after, sizes, stream)
        data = png_stream.put_together(parts)
        if hashlib.sha256(data).digest() == digest:
            return Rebuilt(data, name)
    stream = zlib.compress(raw, 6)
    data = png_stream.put_together(png_stream.Parts(before, after, (), stream))
    return Rebuilt(data, name, ELSEWHERE if how else REPACKED)


def _settings(settings: Settings) -> bytes:
    return _SETTINGS.pack(
        settings.head,
        settings.level,
        settings.memory,
        settings.strategy,
        settings.window,
    )


def _described_whole(data: bytes, raster: Raster, name: bytes) -> bytes:
    """Packed with the samples in whichever order helps most."""
    digest = hashlib.sha256(data).digest()
    best = (b"", _packed(data))
    plain = raster.samples.nbytes <= min(len(data), _LONGEST_DICTIONARY)
    for order in _ORDERS.get(raster.format, ()) if plain else ():
        packed = _packed_with(data, _dictionary(raster.samples, order))
        if len(packed) < len(best[1]):
            best = (order, packed)
    return bytes([_WHOLE]) + joined(name, *best, digest)


def _whole(raster: Raster, order: bytes, packed: bytes, digest: bytes) -> bytes:
    if order:
        dictionary = _dictionary(raster.samples, order)
        data = _unpacked_with(packed, dictionary, raster)
    else:
        data = _unpacked(packed, raster)
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("these aren't the file's bytes")
    return data


_ORDERS = {
    "PNM": (b"big",),
    "BMP": (b"bottom-up", b"top-down", b"bottom-up of four", b"top-down of four"),
    "TIFF": (b"little", b"big", b"little planes", b"big planes", b"little inverted"),
}


def _dictionary(samples: np.ndarray, order: bytes) -> bytes:
    """The samples as a file may store them plainly, in one of ``_ORDERS``."""
    byte_order, _, how = order.partition(b" ")
    if byte_order == b"bottom-up":
        return _bmp_rows(samples[::-1], 4 if how else samples.shape[2])
    if byte_order == b"top-down":
        return _bmp_rows(samples, 4 if how else samples.shape[2])
    if how == b"planes":
        samples = samples.transpose(2, 0, 1)
    elif how == b"inverted":
        samples = ~samples
    return _ordered(samples, {b"little": "<", b"big": ">"}[byte_order])


def _ordered(samples: np.ndarray, order: str) -> bytes:
    return samples.astype(samples.dtype.newbyteorder(order), copy=False).tobytes()  # type: ignore[arg-type]


def _bmp_rows(samples: np.ndarray, pixel: int) -> bytes:
    """Blue first, each pixel of so many bytes, each row padded to four."""
    height, width, channels = samples.shape
    if channels >= 3:
        samples = samples[:, :, [2, 1, 0, 3][:channels]]
    rows = np.zeros((height, (width * pixel + 3) // 4 * 4), np.uint8)
    pixels = rows[:, : width * pixel].reshape(height, width, pixel)
    pixels[:, :, :channels] = samples
    rows[:, : width * pixel] = pixels.reshape(height, -1)
    return rows.tobytes()


def _coded(name: bytes, content: bytes, *, carried: bool, usual: bool) -> Described:
    flags = bytes([(_CARRIED if carried else 0) | (_USUAL_EDGES if usual else 0)])
    return Described(bytes([_CODED]) + joined(name, flags, content))


def _decoded(found: Coefficients, flags: bytes, content: bytes) -> bytes:
    known = _carried(found.segments) if flags[0] & _CARRIED else b""
    if flags[0] & _USUAL_EDGES:
        found = with_usual_edges(found)
    return exact.rebuild(content, found, known=known)


def _carried(segments: Sequence[Segment]) -> bytes:
    """The segments that a copy's file begins with, but for its record's."""
    return b"".join(one.pack() for one in without_record(segments))


def _described_metadata(raster: Raster, name: bytes) -> bytes:
    meta = raster.metadata
    blocks = [
        b"" if one is None else b"\1" + one for one in (meta.icc, meta.exif, meta.xmp)
    ]
    dpi = b"" if meta.dpi is None else _DPI.pack(*meta.dpi)
    chunks = joined(*(part for chunk in meta.chunks for part in chunk))
    packed = _packed(joined(raster.format.encode(), *blocks, dpi, chunks))
    return bytes([_METADATA]) + joined(name, packed)


def _rewritten(raster: Raster, name: str, packed: bytes) -> Rebuilt:
    format, icc, exif, xmp, dpi, chunks = parted(_unpacked(packed, raster))
    pairs = parted(chunks)
    metadata = Metadata(
        icc[1:] if icc else None,
        exif[1:] if exif else None,
        xmp[1:] if xmp else None,
        _DPI.unpack(dpi) if dpi else None,
        tuple(zip(pairs[::2], pairs[1::2], strict=True)),
    )
    whole = replace(raster, format=format.decode(), metadata=metadata)
    kind = codec.release_format(whole)
    if kind != whole.format:
        name = str(PurePosixPath(f"_{name}").with_suffix(codec.suffix(kind)))[1:]
    return Rebuilt(codec.encode(whole, kind), name, REWRITTEN)


def _packed(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(raw)


def _unpacked(packed: bytes, raster: Raster) -> bytes:
    _require_bounded(packed, raster)
    return zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)


def _packed_with(raw: bytes, dictionary: bytes) -> bytes:
    window = min(max((len(raw) + len(dictionary)).bit_length(), 17), 31)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _DICTIONARY_LEVEL, window_log=window, enable_ldm=True
    )
    packer = zstandard.ZstdCompressor(
        dict_data=_raw(dictionary), compression_params=parameters
    )
    return packer.compress(raw)


def _unpacked_with(packed: bytes, dictionary: bytes, raster: Raster) -> bytes:
    _require_bounded(packed, raster)
    unpacker = zstandard.ZstdDecompressor(
        dict_data=_raw(dictionary), max_window_size=1 << 31
    )
    return unpacker.decompress(packed, allow_extra_data=False)


def _raw(dictionary: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(
        dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )


def _most_bytes(raster: Raster) -> int:
    """What a file may have whose picture this is, and what it may be unpacked to."""
    return _TIMES_SAMPLES * raster.samples.nbytes + _BESIDES


def _require_bounded(packed: bytes, raster: Raster) -> None:
    if not 0 <= zstandard.frame_content_size(packed) <= _most_bytes(raster):
        raise ValueError("a part has no size, or one that no file of this image has")


def _unknown() -> DamagedRecordError:
    return DamagedRecordError(
        "The record describes the original file in a way that this program doesn't "
        f"know; {UPDATE}"
    )


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The record is damaged: what it holds of the original file doesn't fit these "
        "pixels"
    )
