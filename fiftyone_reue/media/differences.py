"""The exact difference of two copies of one image, in few bytes.

Of samples it is one plane, as a lossless JPEG XL, which finds both the mark's smooth
waves and a perturbation's texture in it; the other channels differ from that plane only
where a sample is at a rail. Of a JPEG's coefficients it is a number each, most of them
nothing: two of them share a byte, frequency by frequency, before they are compressed.
(Measured in `benchmarks/licences.py`.)

Sums wrap around, so that any two copies have a difference and nothing is lost at rails.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import imagecodecs
import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.packing import pack, unpack

_LENGTH = struct.Struct(">I")
_EFFORTS = ((1 << 13, 9), (1 << 20, 7))
_QUICK_EFFORT = 3
"""JPEG XL's, by how many samples a plane has: above a million a higher one takes many
times as long."""
_LEVELS = ((1 << 20, 19),)
_QUICK_LEVEL = 12
_ESCAPE = 15  # in half a byte: the number itself follows at the end


def between(before: np.ndarray, after: np.ndarray, colours: int) -> bytes:
    """What makes ``after`` of ``before``.

    Args:
        before: ``(H, W, C)`` uint8 or uint16.
        after: the same shape and type; the channels behind the colours are the same.
        colours: how many leading channels are colour, at least 1.

    Raises:
        ValueError: shapes or types differ, or other channels do.
    """
    if before.shape != after.shape or before.dtype != after.dtype:
        raise ValueError("these aren't two copies of one image")
    if not np.array_equal(before[..., colours:], after[..., colours:]):
        raise ValueError("channels that aren't colour differ")
    change = after[..., :colours] - before[..., :colours]
    plane = np.ascontiguousarray(change[..., 0] + _middle(change.dtype))
    effort = _chosen(_EFFORTS, plane.size, _QUICK_EFFORT)
    coded = imagecodecs.jpegxl_encode(plane, lossless=True, effort=effort, numthreads=1)
    rest = _little(np.moveaxis(change[..., 1:] - change[..., :1], 2, 0))
    packed = b"" if not any(rest) else _packed(rest)
    return _LENGTH.pack(len(coded)) + coded + packed


def applied(before: np.ndarray, difference: bytes, colours: int) -> np.ndarray:
    """``after``, given ``before`` and what :func:`between` returned.

    Raises:
        DamagedRecordError: the difference can't be read, or is of another image.
    """
    coded, packed = _parted(difference)
    try:
        plane = np.asarray(imagecodecs.jpegxl_decode(coded, numthreads=1))
    except (RuntimeError, ValueError) as error:
        raise _damaged() from error
    if plane.shape != before.shape[:2] or plane.dtype != before.dtype:
        raise _damaged()
    change = np.repeat((plane - _middle(before.dtype))[..., None], colours, axis=2)
    if packed:
        shape = (colours - 1, *before.shape[:2])
        rest = _numbers(packed, shape, before.dtype)
        change[..., 1:] += np.moveaxis(rest, 0, 2)
    after = before.copy()
    after[..., :colours] += change
    return after


def between_blocks(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> bytes:
    """What makes ``after`` of ``before``, both a JPEG's coefficients.

    Args:
        before: of each component ``(rows, columns, 8, 8)`` int16.
        after: the same shapes.

    Raises:
        ValueError: the shapes differ.
    """
    if [one.shape for one in before] != [one.shape for one in after]:
        raise ValueError("these aren't two copies of one image")
    parts = []
    for old, new in zip(before, after, strict=True):
        change = new.astype(np.int32) - old
        small, large = _halves(change.transpose(2, 3, 0, 1).ravel())
        parts += [_packed(small.tobytes()), _packed(large.tobytes())]
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def applied_blocks(before: Sequence[np.ndarray], difference: bytes) -> list[np.ndarray]:
    """``after``, given ``before`` and what :func:`between_blocks` returned.

    Returns:
        Of each component ``(rows, columns, 8, 8)`` int32.

    Raises:
        DamagedRecordError: the difference can't be read, or is of another image.
    """
    after = []
    for old in before:
        packed, difference = _parted(difference)
        packed_large, difference = _parted(difference)
        small = np.frombuffer(unpack(packed, old.size // 2), np.uint8)
        large = np.frombuffer(unpack(packed_large, 4 * old.size), "<u4")
        change = _whole(small, large, old.size)
        rows, columns = old.shape[:2]
        after.append(old + change.reshape(8, 8, rows, columns).transpose(2, 3, 0, 1))
    if difference:
        raise _damaged()
    return after


def _halves(change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers two a byte, those of small size, and the others."""
    folded = np.where(change < 0, -2 * change - 1, 2 * change)
    small = np.minimum(folded, _ESCAPE).astype(np.uint8)
    return small[::2] << 4 | small[1::2], folded[small == _ESCAPE].astype("<u4")


def _whole(small: np.ndarray, large: np.ndarray, count: int) -> np.ndarray:
    """Undo :func:`_halves`."""
    if 2 * len(small) != count:
        raise _damaged()
    folded = np.empty(count, np.int32)
    folded[::2], folded[1::2] = small >> 4, small & _ESCAPE
    escaped = folded == _ESCAPE
    if np.count_nonzero(escaped) != len(large):
        raise _damaged()
    folded[escaped] = large.astype(np.int32)
    return np.where(folded & 1, -(folded + 1) // 2, folded // 2)


def _packed(raw: bytes) -> bytes:
    return pack(raw, _chosen(_LEVELS, len(raw), _QUICK_LEVEL))


def _parted(joined: bytes) -> tuple[bytes, bytes]:
    """The first part, which its length stands before, and what follows it."""
    if len(joined) < _LENGTH.size:
        raise _damaged()
    (length,) = _LENGTH.unpack_from(joined)
    end = _LENGTH.size + length
    if len(joined) < end:
        raise _damaged()
    return joined[_LENGTH.size : end], joined[end:]


def _numbers(packed: bytes, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    most = int(np.prod(shape)) * dtype.itemsize
    raw = unpack(packed, most)
    if len(raw) != most:
        raise _damaged()
    little = np.frombuffer(raw, dtype.newbyteorder("<"))
    return little.astype(dtype).reshape(shape)


def _little(numbers: np.ndarray) -> bytes:
    return numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()


def _middle(dtype: np.dtype) -> np.ndarray:
    """So that small numbers of both signs are near each other."""
    return np.array(1 << (8 * dtype.itemsize - 1), dtype)


def _chosen(table: Sequence[tuple[int, int]], size: int, otherwise: int) -> int:
    return next((value for most, value in table if size <= most), otherwise)


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The licence is damaged: what it says of this image can't be read, or is of "
        "another image"
    )
