"""Several byte strings in one, each with its length before it."""

from __future__ import annotations

import struct

_LENGTH = struct.Struct(">I")


def joined(*parts: bytes) -> bytes:
    """All of them, each with its length before it."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def parted(content: bytes) -> list[bytes]:
    """Undo :func:`joined`.

    Raises:
        ValueError: a part is cut short.
        struct.error: a length is.
    """
    parts, at = [], 0
    while at < len(content):
        (length,) = _LENGTH.unpack_from(content, at)
        at += _LENGTH.size
        if length > len(content) - at:
            raise ValueError("a part is cut short")
        parts.append(content[at : at + length])
        at += length
    return parts
