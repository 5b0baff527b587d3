"""Bytes in few bytes, and back without ever filling the memory."""

from __future__ import annotations

import zstandard

from fiftyone_reue.errors import DamagedRecordError


def pack(raw: bytes, level: int) -> bytes:
    """Compress.

    Args:
        raw: what to compress.
        level: zstd's, 1 (quick) to 22 (small).
    """
    return zstandard.ZstdCompressor(level=level).compress(raw)


def unpack(packed: bytes, most: int) -> bytes:
    """Undo :func:`pack`.

    The size that the bytes themselves announce is read before any memory is taken:
    a few bytes can stand for any number.

    Args:
        packed: what :func:`pack` returned.
        most: how many bytes it may stand for.

    Raises:
        DamagedRecordError: it can't be unpacked, or stands for more.
    """
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= most:
            raise DamagedRecordError(
                "The record is damaged: a part of it is larger than its image"
            )
        return zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedRecordError(
            "The record is damaged: a part of it can't be unpacked"
        ) from error
