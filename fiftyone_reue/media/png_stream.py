"""A PNG's image data as its writer packed it: filters, deflate, chunks.

Nearly all writers (libpng, Pillow, OpenCV, and what is built on them) use zlib, with
few settings. Samples, one filter byte a row and these settings give their bytes again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RECORD_CHUNK = b"reUE"
_AROUND = 12  # bytes of a chunk besides its payload
_LONGEST = 2**31 - 1

# The header's two bits for the level, and the levels that zlib writes there. With some
# strategies it writes 0, whatever the level; run lengths and Huffman codes alone give
# the same bytes at all levels.
_LEVELS = ((1,), (2, 3, 4, 5), (6,), (7, 8, 9))
_MEMORIES = (9, 8)  # Pillow's, and the default
_DEFAULT, _FILTERED, _HUFFMAN_ONLY, _RLE, _FIXED = range(5)
_FEED = 1 << 15
_HEAD = 2  # bytes of a stream before what is packed


@dataclass(frozen=True)
class Settings:
    """How zlib was told to pack.

    Attributes:
        head: the stream's first two bytes; libpng writes its own there.
        level: 1 to 9.
        memory: 8 or 9.
        strategy: zlib's number.
        window: the window's bits, 9 to 15.
    """

    head: bytes
    level: int
    memory: int
    strategy: int
    window: int

    def pack(self, raw: bytes) -> bytes:
        """The stream that zlib makes of these bytes."""
        return self.head + b"".join(self._pieces(raw))[_HEAD:]

    def packs(self, raw: bytes, stream: bytes) -> bool:
        """Whether :meth:`pack` makes this stream; most others soon differ from it."""
        at = 0
        for piece in self._pieces(raw):
            skipped = max(0, _HEAD - at)
            if piece[skipped:] != stream[at + skipped : at + len(piece)]:
                return False
            at += len(piece)
        return at == len(stream) and stream.startswith(self.head)

    def _pieces(self, raw: bytes) -> Iterator[bytes]:
        packer = zlib.compressobj(
            self.level, zlib.DEFLATED, self.window, self.memory, self.strategy
        )
        for at in range(0, len(raw), _FEED):
            yield packer.compress(raw[at : at + _FEED])
        yield packer.flush()


@dataclass(frozen=True)
class Parts:
    """A PNG taken apart at its image data.

    Attributes:
        before: the file up to the first chunk of image data.
        after: the file after the last one.
        sizes: of these chunks' payloads.
        stream: their payloads.
    """

    before: bytes
    after: bytes
    sizes: tuple[int, ...]
    stream: bytes

    def unpacked(self, most: int) -> bytes:
        """The filtered rows, each with its filter byte in front.

        Args:
            most: how many bytes they have; a stream may stand for far more.

        Raises:
            ValueError: there is something besides them.
        """
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(self.stream, most + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if not inflater.eof or inflater.unused_data:
            raise ValueError("the image data isn't one whole stream")
        return raw


def take_apart(data: bytes) -> Parts:
    """Take a PNG that was decoded apart at its image data."""
    first = last = 0
    sizes: list[int] = []
    pieces: list[bytes] = []
    at = len(SIGNATURE)
    while at + _AROUND <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + _AROUND + length
        if kind == b"IDAT":
            first = first or at
            last = end
            sizes.append(length)
            pieces.append(data[at + 8 : at + 8 + length])
        elif sizes:
            break
        at = end
    return Parts(data[:first], data[last:], tuple(sizes), b"".join(pieces))


def put_together(parts: Parts) -> bytes:
    """Undo :func:`take_apart`; one chunk where the sizes don't fit."""
    sizes = parts.sizes
    if sum(sizes) != len(parts.stream):
        whole, rest = divmod(len(parts.stream), _LONGEST)
        sizes = (_LONGEST,) * whole + (rest,)
    pieces = [parts.before]
    at = 0
    for size in sizes:
        payload = parts.stream[at : at + size]
        crc = zlib.crc32(payload, zlib.crc32(b"IDAT"))
        pieces += (struct.pack(">I4s", size, b"IDAT"), payload, crc.to_bytes(4, "big"))
        at += size
    return b"".join((*pieces, parts.after))


def settings_of(raw: bytes, stream: bytes) -> Settings | None:
    """The settings with which zlib packs ``raw`` to ``stream``, or None.

    Args:
        raw: what was packed.
        stream: what it became, in zlib's format.
    """
    for settings in _candidates(stream[:2]):
        if settings.packs(raw, stream):
            return settings
    return None


def filtered(samples: np.ndarray, filters: bytes) -> bytes:
    """Samples as a PNG's rows before they are packed.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        filters: ``(H,)`` each row's filter, 0 to 4.

    Raises:
        ValueError: there aren't as many filters as rows, or there is no such filter.
    """
    height = len(samples)
    kinds = np.frombuffer(filters, np.uint8)
    if len(kinds) != height or kinds.max(initial=0) > 4:
        raise ValueError("the rows' filters don't fit the image")
    pixel = samples.shape[2] * samples.itemsize
    stored = samples.astype(samples.dtype.newbyteorder(">"), copy=False)
    rows = np.ascontiguousarray(stored).view(np.uint8).reshape(height, -1)
    out = np.empty((height, 1 + rows.shape[1]), np.uint8)
    out[:, 0] = kinds
    for kind in np.unique(kinds):
        chosen = np.flatnonzero(kinds == kind)
        here = rows[chosen]
        above = rows[chosen - 1]
        above[chosen == 0] = 0
        out[chosen, 1:] = here - _prediction(kind, here, above, pixel)
    return out.tobytes()


def filters_of(raw: bytes, height: int) -> bytes:
    """The filter bytes of a PNG's unpacked rows.

    Raises:
        ValueError: these aren't so many rows of one length.
    """
    if not height or len(raw) % height:
        raise ValueError("the rows aren't of one length")
    return raw[:: len(raw) // height]


def _candidates(head: bytes) -> Iterator[Settings]:
    if len(head) < 2 or head[0] & 15 != zlib.DEFLATED:
        return
    announced = (head[0] >> 4) + 8
    windows = (15,) if announced == 15 else (15, max(announced, 9))
    mark = head[1] >> 6
    for window in windows:
        if mark == 0:  # as OpenCV does by default, and this program
            yield Settings(head, 1, _MEMORIES[1], _RLE, window)
        for memory in _MEMORIES:
            for level in _LEVELS[mark]:
                yield Settings(head, level, memory, _FILTERED, window)
                yield Settings(head, level, memory, _DEFAULT, window)
        for memory in _MEMORIES if mark == 0 else ():
            yield Settings(head, 1, memory, _RLE, window)
            yield Settings(head, 1, memory, _HUFFMAN_ONLY, window)
            for level in (6, 9, 1, 3):
                yield Settings(head, level, memory, _FIXED, window)


def _prediction(
    kind: int, here: np.ndarray, above: np.ndarray, pixel: int
) -> np.ndarray | int:
    if kind == 0:
        return 0
    if kind == 2:
        return above
    left = np.zeros_like(here)
    left[:, pixel:] = here[:, :-pixel]
    if kind == 1:
        return left
    if kind == 3:
        mean = (left.astype(np.uint16) + above) >> 1
        return mean.astype(np.uint8)
    corner = np.zeros_like(here)
    corner[:, pixel:] = above[:, :-pixel]
    return _paeth(left, above, corner)


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Whichever neighbour is nearest to left + above - corner, the first of equals."""
    to_left = np.abs(above.astype(np.int16) - corner)
    to_above = np.abs(left.astype(np.int16) - corner)
    to_corner = np.abs(left.astype(np.int16) + above - 2 * corner.astype(np.int16))
    nearest = np.where(to_above <= to_corner, above, corner)
    is_left = (to_left <= to_above) & (to_left <= to_corner)
    return np.where(is_left, left, nearest)
