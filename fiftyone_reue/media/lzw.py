"""TIFF's LZW, by way of Pillow's libtiff.

imagecodecs has a quicker decoder, but version 2026.3.6 crashes the process on some
damaged input. libtiff doesn't, but complains on standard error, so the codes are
checked here first.
"""

import io
import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image, TiffImagePlugin

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media.ifd import LONG, SHORT, Entry, write_directory

_CLEAR, _END, _FIRST = 256, 257, 258
_MOST_CODES = 4097 - _FIRST  # between two clear codes, the first adding no entry
# Codes grow by a bit when the next entry would be the last that the width can name.
_NEXT = _FIRST + np.maximum(np.arange(_MOST_CODES) - 1, 0)
_WIDTHS = 9 + (_NEXT >= 511) + (_NEXT >= 1023) + (_NEXT >= 2047)
_STARTS = np.concatenate(([0], np.cumsum(_WIDTHS)))


def decode(strips: Sequence[bytes], row: int, rows: int, last_rows: int) -> bytes:
    """Unpack strips.

    Args:
        strips: the packed strips.
        row: bytes a row.
        rows: rows a strip.
        last_rows: rows of the last strip.

    Returns:
        The rows of all strips, one after the other.

    Raises:
        ValueError: a strip is damaged or holds fewer rows.
        UnsupportedImageError: the codes are of the kind from before TIFF 6.
    """
    for strip in strips[:-1]:
        check(strip, row * rows)
    check(strips[-1], row * last_rows)
    # The strips become those of a gray image, whose pixels are the bytes wanted.
    offsets, at = [], 8
    for strip in strips:
        offsets.append(at)
        at += len(strip)
    height = rows * (len(strips) - 1) + last_rows
    directory = [
        _entry(256, LONG, row),
        _entry(257, LONG, height),
        _entry(258, SHORT, 8),
        _entry(259, SHORT, 5),
        _entry(262, SHORT, 1),
        _entry(273, LONG, *offsets),
        _entry(277, SHORT, 1),
        _entry(278, LONG, rows),
        _entry(279, LONG, *map(len, strips)),
    ]
    at += at % 2
    body = b"".join((struct.pack("<2sHI", b"II", 42, at), *strips)).ljust(at, b"\0")
    file = io.BytesIO(body + write_directory(directory, "<", at))
    try:
        image = TiffImagePlugin.TiffImageFile(file)
        image.im = Image.new("L", (row, height)).im  # Pillow's own has a global limit
        return image.tobytes()
    except Exception as error:
        raise ValueError(f"its LZW data is damaged ({error})") from None


def check(strip: bytes, size: int) -> None:
    """Follow a strip's codes without unpacking them.

    Args:
        strip: packed.
        size: how many bytes it must give.

    Raises:
        ValueError: a code names an entry that isn't there yet, or the codes give fewer
            bytes.
        UnsupportedImageError: the codes are of the kind from before TIFF 6.
    """
    if len(strip) >= 2 and strip[0] == 0 and strip[1] & 1:
        raise UnsupportedImageError(
            "TIFF with LZW codes of the kind before TIFF 6 can't be carried exactly; "
            "re-save it"
        )
    padded = np.frombuffer(strip + bytes(4), np.uint8)
    given = bit = 0
    while given < size:
        codes, whole = _codes(padded, bit, 8 * len(strip))
        stops = np.flatnonzero((codes == _CLEAR) | (codes == _END))
        count = int(stops[0]) if len(stops) else len(codes)
        given += _length(codes[:count], size - given)
        if given >= size:
            return
        if count == len(codes):
            what = "ends early" if whole else "has no clear code"
            raise ValueError(f"its LZW data is damaged (it {what})")
        if codes[count] == _END:
            raise ValueError("its LZW data is damaged (it ends early)")
        bit += int(_STARTS[count + 1])


def _codes(padded: np.ndarray, bit: int, bits: int) -> tuple[np.ndarray, bool]:
    """The codes from a place to the table's end or the data's, and if it's the data's.

    What follows a clear code among them isn't one.
    """
    count = int(np.searchsorted(_STARTS, bits - bit, side="right")) - 1
    starts = bit + _STARTS[:count]
    offsets, widths = starts >> 3, _WIDTHS[:count]
    words = padded[offsets].astype(np.uint32) << 16
    words |= padded[offsets + 1].astype(np.uint32) << 8
    words |= padded[offsets + 2]
    codes = (words >> (24 - widths - (starts & 7))) & ((1 << widths) - 1)
    return codes.astype(np.int64), count < _MOST_CODES


def _length(codes: np.ndarray, most: int) -> int:
    """How many bytes codes give; not counted beyond the most that are wanted."""
    if not len(codes):
        return 0
    known = np.arange(_FIRST - 1, _FIRST - 1 + len(codes))
    known[0] = _CLEAR - 1
    wrong = np.flatnonzero(codes > known)
    usable = codes[: wrong[0]] if len(wrong) else codes
    lengths = [1] * _FIRST
    given = before = 0
    for code in usable.tolist():
        if before:
            lengths.append(before + 1)
        before = lengths[code]
        given += before
        if given >= most:
            return given
    if len(wrong):
        raise ValueError("its LZW data is damaged (a code that isn't known yet)")
    return given


def _entry(tag: int, kind: int, *values: int) -> Entry:
    code = "H" if kind == SHORT else "I"
    return Entry(tag, kind, len(values), struct.pack(f"<{len(values)}{code}", *values))
