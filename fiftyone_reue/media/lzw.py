"""TIFF's LZW, by way of Pillow's libtiff.

imagecodecs has a quicker decoder, but version 2026.3.6 crashes the process on some
damaged input.
"""

import io
import struct
from collections.abc import Sequence

from PIL import TiffImagePlugin

from fiftyone_reue.media.ifd import LONG, SHORT, Entry, write_directory


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
    """
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
        return TiffImagePlugin.TiffImageFile(file).tobytes()
    except Exception as error:
        raise ValueError(f"its LZW data is damaged ({error})") from None


def _entry(tag: int, kind: int, *values: int) -> Entry:
    code = "H" if kind == SHORT else "I"
    return Entry(tag, kind, len(values), struct.pack(f"<{len(values)}{code}", *values))
