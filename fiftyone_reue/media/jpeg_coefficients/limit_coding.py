"""A byte for each block, in few bytes: how much of a change it got.

Most blocks get as much as they may, and others one or two levels less, in no order:
zstd takes a bit for each at least, an arithmetic coder as much as there is to say.
"""

from __future__ import annotations

import struct

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media import packing
from fiftyone_reue.media.jpeg_coefficients import library

_CODED = struct.Struct(">BBI")
_TAG = 1  # zstd's first byte is another
_MOST_COUNT = (1 << 32) - 1


def packed(levels: bytes, level: int) -> bytes:
    """Levels in few bytes, in the shorter of two ways.

    Args:
        levels: a byte each.
        level: zstd's, see :func:`fiftyone_reue.media.packing.pack`.
    """
    plain = packing.pack(levels, level)
    if len(levels) > _MOST_COUNT:
        return plain
    top = max(levels, default=0)
    head = _CODED.pack(_TAG, top, len(levels))
    return min(plain, head + library.lowered(levels, top), key=len)


def unpacked(data: bytes, most: int) -> bytes:
    """Undo :func:`packed`; what was zstd-packed alone is read as well.

    Args:
        data: what it gave.
        most: how many levels there may be.

    Raises:
        DamagedRecordError: it can't be unpacked, or stands for more.
    """
    if data[:1] != bytes((_TAG,)):
        return packing.unpack(data, most)
    try:
        _, top, count = _CODED.unpack_from(data)
    except struct.error:
        raise DamagedRecordError(
            "The record is damaged: a part of it was cut short"
        ) from None
    if count > most:
        raise DamagedRecordError(
            "The record is damaged: a part of it is larger than its image"
        )
    return library.raised(data[_CODED.size :], top, count)
