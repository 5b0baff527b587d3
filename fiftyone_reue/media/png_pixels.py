"""A PNG's samples, by way of imagecodecs' libpng.

libpng writes its warnings on standard error, and has many: of wrong checksums, of data
behind the last row, of interlacing asked for in one way and not another. So it is given
nothing to warn of: the rows are unpacked and counted here, each pass of an interlaced
image becomes an image of its own, and palettes and colour keys are checked before.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import zlib
from typing import NamedTuple

import imagecodecs
import numpy as np

from fiftyone_reue.errors import UnreadableImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_SAMPLES_A_PIXEL = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEFLATE_MAX_RATIO = 1032
_MOST_IN_CHUNK = 1 << 30
# Adam7: first row and column, and the steps between rows and columns.
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


class Header(NamedTuple):
    """The fields of IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlace: int

    def row_bytes(self, width: int) -> int:
        """Bytes of a row of so many pixels, its filter included."""
        return 1 + (width * _SAMPLES_A_PIXEL[self.colour] * self.depth + 7) // 8


class _Pass(NamedTuple):
    """Where a pass's pixels lie in the image, and how many there are."""

    top: int
    left: int
    down: int
    right: int
    height: int
    width: int


def decode(header: Header, tables: dict[bytes, bytes], packed: bytes) -> np.ndarray:
    """Decode image data.

    Args:
        header: of the image.
        tables: payloads of ``PLTE`` and ``tRNS``, checked by :func:`check_table`.
        packed: what all IDAT chunks hold.

    Returns:
        ``(H, W, C)`` uint8 or uint16; palettes, colour keys and samples of fewer than
        8 bits are expanded.

    Raises:
        UnreadableImageError: damaged, or cut short.
    """
    passes = _passes(header)
    sizes = [p.height * header.row_bytes(p.width) for p in passes]
    rows = memoryview(_unpacked(packed, sum(sizes)))
    if not header.interlace:
        return _decode_plain(header, tables, rows)
    parts, at = [], 0
    for each, size in zip(passes, sizes, strict=True):
        small = header._replace(width=each.width, height=each.height, interlace=0)
        parts.append(_decode_plain(small, tables, rows[at : at + size]))
        at += size
    shape = header.height, header.width, parts[0].shape[2]
    samples = np.empty(shape, parts[0].dtype)
    for each, part in zip(passes, parts, strict=True):
        samples[each.top :: each.down, each.left :: each.right] = part
    return samples


def check_table(
    kind: bytes, payload: bytes, header: Header, tables: dict[bytes, bytes]
) -> bytes:
    """Refuse the palettes and colour keys that libpng would only warn of.

    Args:
        kind: ``PLTE`` or ``tRNS``.
        payload: the chunk's.
        header: of the image.
        tables: those before it.

    Returns:
        The payload; of a colour key the bits that samples have.

    Raises:
        UnreadableImageError: it doesn't fit the header.
    """
    size, depth = len(payload), header.depth
    if kind == b"PLTE":
        fits = size % 3 == 0 and 3 <= size <= 3 << depth
    elif header.colour == 3:
        fits = 1 <= size <= len(tables.get(b"PLTE", b"")) // 3
    else:
        fits = size == 2 * _SAMPLES_A_PIXEL[header.colour]
    if not fits:
        raise _damaged("its transparency or palette doesn't fit its header")
    if kind == b"PLTE" or header.colour == 3:
        return payload
    values = np.frombuffer(payload, ">u2") & np.uint16((1 << depth) - 1)
    return values.astype(">u2").tobytes()


def _passes(header: Header) -> list[_Pass]:
    passes = _ADAM7 if header.interlace else ((0, 0, 1, 1),)
    found = []
    for top, left, down, right in passes:
        height = -(-(header.height - top) // down)
        width = -(-(header.width - left) // right)
        if height > 0 and width > 0:
            found.append(_Pass(top, left, down, right, height, width))
    return found


def _unpacked(packed: bytes, size: int) -> bytes | bytearray:
    """The first bytes that packed data gives, as many as the rows have."""
    if len(packed) * _DEFLATE_MAX_RATIO < size:
        raise _damaged("its image data is cut short")
    rows: bytes | bytearray
    try:
        rows = imagecodecs.deflate_decode(packed, out=size, raw=False)
    except imagecodecs.DeflateError:
        # A wrong checksum, or more rows than there are: viewers show these.
        rows = _leniently_unpacked(packed, size)
    if len(rows) < size:
        raise _damaged("its image data is cut short")
    return rows


def _leniently_unpacked(packed: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    if len(packed) < 2 or packed[0] & 15 != 8 or int.from_bytes(packed[:2], "big") % 31:
        raise _damaged("its image data can't be unpacked")
    try:
        return inflater.decompress(packed[2:], size)
    except zlib.error:
        raise _damaged("its image data can't be unpacked") from None


def _decode_plain(
    header: Header, tables: dict[bytes, bytes], rows: memoryview
) -> np.ndarray:
    parts = [SIGNATURE, _chunk(b"IHDR", struct.pack(">IIBBBBB", *header))]
    parts += [
        _chunk(kind, tables[kind]) for kind in (b"PLTE", b"tRNS") if kind in tables
    ]
    # Stored rather than packed: unpacking that is a copy.
    stored = zlib.compress(rows, 0)
    for at in range(0, len(stored), _MOST_IN_CHUNK):
        parts.append(_chunk(b"IDAT", stored[at : at + _MOST_IN_CHUNK]))
    parts.append(_chunk(b"IEND", b""))
    samples = _decode_with_libpng(b"".join(parts))
    if samples.ndim == 2:
        samples = samples[:, :, None]
    keyed = b"tRNS" in tables
    if samples.shape != (header.height, header.width, _CHANNELS[header.colour] + keyed):
        raise _damaged("its transparency or palette doesn't fit its header")
    if samples.itemsize != (2 if header.depth == 16 else 1):
        raise _damaged("its samples don't have the depth of its header")
    return samples


def _decode_with_libpng(data: bytes) -> np.ndarray:
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


def _chunk(kind: bytes, payload: bytes) -> bytes:
    crc = zlib.crc32(payload, zlib.crc32(kind))
    return b"".join((struct.pack(">I4s", len(payload), kind), payload, crc.to_bytes(4)))


def _damaged(why: str) -> UnreadableImageError:
    return UnreadableImageError(f"damaged PNG: {why}; replace or remove it")
