"""PNM, read only: PGM and PPM, binary or plain text, PBM and PAM."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.carrier import Carrier
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Raster

_BLANK = rb"(?:\s|#[^\n\r]*[\n\r])"
_COMMENT = re.compile(rb"#[^\n\r]*")
_NUMBERS = re.compile(rb"[\d\s]*")
_DIGITS = re.compile(rb"[01\s]*")
_BITMAP = re.compile(_BLANK + rb"+(\d{1,9})" + _BLANK + rb"+(\d{1,9})(?:#[^\n\r]*)?\s")
_MAPS = re.compile(
    _BLANK + rb"+(\d{1,9})" + _BLANK + rb"+(\d{1,9})" + _BLANK + rb"+(\d{1,9})\s"
)
_LONGEST_HEADER = 1 << 16
_LONGEST_NUMBER, _LONGEST_REST = 32, 1 << 20  # characters, comments counted
_ANOTHER = re.compile(rb"\s*P[1-7]\s")
_SPACES = b" \t\n\r\f\v"
_TUPLES = {
    (b"GRAYSCALE", 1),
    (b"GRAYSCALE_ALPHA", 2),
    (b"RGB", 3),
    (b"RGB_ALPHA", 4),
}


@dataclass(frozen=True)
class _Header:
    """Sides, channels, largest value, and where the samples start."""

    width: int
    height: int
    channels: int
    peak: int
    start: int
    has_comment: bool


def decode(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a PGM, PPM or PAM of 8 or 16 bits, or a PBM.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: an unusual largest value, several images in one file, a
            PAM of another kind, or too large.
    """
    del want_record
    kind = data[1] - ord("0")
    header = _pam_header(data) if kind == 7 else _header(data, kind)
    check_size(header.width, header.height, max_pixels)
    if header.peak not in (255, 65535) and kind not in (1, 4):
        raise UnsupportedImageError(
            f"its largest value is {header.peak}, not 255 or 65535; convert it to PNG "
            "first"
        )
    if kind in (1, 4):
        read = _plain_bitmap if kind == 1 else _bitmap
        samples, rest = read(data[header.start :], header)
        stored = "1-bit samples and zero as white"
    elif kind in (2, 3):
        samples, rest = _plain(data[header.start :], header)
        stored = "numbers as text"
    else:
        samples, rest = _binary(data, header)
        stored = None
    left_out = ["PNM comment"] if header.has_comment else []
    if _ANOTHER.match(rest):
        raise UnsupportedImageError(
            "holds several images, one after the other; save them as files of their own"
        )
    if rest.strip():
        left_out.append("bytes after the end")
    return Loaded(Raster(samples, "PNM"), left_out=tuple(left_out), stored=stored)


def _header(data: bytes, kind: int) -> _Header:
    found = (_BITMAP if kind in (1, 4) else _MAPS).match(data, 2, _LONGEST_HEADER)
    if not found:
        raise _damaged("no header")
    width, height, peak = (*map(int, found.groups()), 1)[:3]
    channels = 3 if kind in (3, 6) else 1
    return _Header(width, height, channels, peak, found.end(), b"#" in found[0])


def _pam_header(data: bytes) -> _Header:
    end = data.find(b"ENDHDR\n", 0, _LONGEST_HEADER)
    fields: dict[bytes, bytes] = {}
    lines = data[3 : max(end, 0)].splitlines()
    for line in lines:
        name, _, value = line.strip().partition(b" ")
        fields[name] = value.strip()
    try:
        width, height, depth, peak = (
            int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
        )
    except (KeyError, ValueError):
        raise _damaged("no header") from None
    named = fields.get(b"TUPLTYPE", b"")
    if (named, depth) not in _TUPLES:
        words = f"{named.decode('latin-1') or 'no type'} and {depth} channels"
        raise UnsupportedImageError(
            f"PAM of {words} can't be carried; convert it to PNG first"
        )
    comment = any(line.startswith(b"#") for line in lines)
    return _Header(width, height, depth, peak, end + len(b"ENDHDR\n"), comment)


def _binary(data: bytes, header: _Header) -> tuple[np.ndarray, bytes]:
    dtype = np.dtype(">u2" if header.peak == 65535 else "u1")
    shape = header.height, header.width, header.channels
    count = shape[0] * shape[1] * shape[2]
    end = header.start + count * dtype.itemsize
    if end > len(data):
        raise _damaged("cut short")
    samples = np.frombuffer(data, dtype, count, header.start).reshape(shape)
    return samples.astype(dtype.newbyteorder("=")), data[end:]


def _plain(body: bytes, header: _Header) -> tuple[np.ndarray, bytes]:
    shape = header.height, header.width, header.channels
    count = shape[0] * shape[1] * shape[2]
    _require_short(body, count)
    text = _COMMENT.sub(b" ", body)
    found = _NUMBERS.match(text)
    numbers = found[0] if found else b""
    if len(numbers) < 2 * count - 1:
        raise _damaged("cut short, or not numbers")
    if re.search(rb"\d{10}", numbers):
        raise _damaged("a number is above its largest value")
    values = np.fromstring(numbers.decode("ascii"), np.int64, sep=" ")
    if len(values) < count:
        raise _damaged("cut short, or not numbers")
    samples = values[:count]
    if samples.max() > header.peak:
        raise _damaged(f"{samples.max()} is above its largest value")
    dtype = np.uint16 if header.peak == 65535 else np.uint8
    more = b"more numbers" if len(values) > count else b""
    return samples.astype(dtype).reshape(shape), more + text[len(numbers) :]


def _require_short(body: bytes, count: int) -> None:
    """Refuse text that would take far more memory than the samples that it is for."""
    if len(body) > _LONGEST_NUMBER * count + _LONGEST_REST:
        raise UnsupportedImageError(
            "holds far more text than its numbers take; save it as a plain PNM"
        )


def _bitmap(body: bytes, header: _Header) -> tuple[np.ndarray, bytes]:
    """Eight a byte; zero is white, and becomes 255."""
    row = (header.width + 7) // 8
    size = row * header.height
    if size > len(body):
        raise _damaged("cut short")
    rows = np.frombuffer(body, np.uint8, size).reshape(header.height, row)
    bits = np.unpackbits(rows, axis=1)[:, : header.width]
    return ((1 - bits) * np.uint8(255))[:, :, None].copy(), body[size:]


def _plain_bitmap(body: bytes, header: _Header) -> tuple[np.ndarray, bytes]:
    """A digit each; zero is white, and becomes 255."""
    count = header.width * header.height
    _require_short(body, count)
    text = _COMMENT.sub(b" ", body)
    found = _DIGITS.match(text)
    digits = found[0] if found else b""
    bits = np.frombuffer(digits.translate(None, _SPACES), np.uint8)
    if len(bits) < count:
        raise _damaged("cut short, or not zeros and ones")
    samples = ((49 - bits[:count]) * np.uint8(255)).astype(np.uint8)
    more = b"more digits" if len(bits) > count else b""
    shape = header.height, header.width, 1
    return samples.reshape(shape), more + text[len(digits) :]


def _damaged(why: str) -> UnreadableImageError:
    return UnreadableImageError(f"damaged PNM: {why}; replace or remove it")


_MAGIC = re.compile(rb"P[1-7][\s#]")


def _is_mine(data: bytes) -> bool:
    return _MAGIC.match(data) is not None


CARRIER = Carrier("PNM", (".ppm", ".pgm", ".pnm"), _is_mine, decode)
