"""Whether the readers that people have open a file."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from fiftyone_reue.media.png_stream import SIGNATURE

READERS = ("Pillow", "OpenCV")

_LEVEL = threading.Lock()


def unopened(data: bytes) -> tuple[str, ...]:
    """Which of ``READERS`` can't open a file.

    Nothing is printed, and Pillow's and OpenCV's settings are neither changed nor
    trusted: what they can open, they open in any program.

    Args:
        data: the file.
    """
    return tuple(
        name
        for name, opens in zip(READERS, (_by_pillow, _by_opencv), strict=True)
        if not opens(data)
    )


def _by_pillow(data: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                image.load()
    except Exception:  # it raises what it likes
        return False
    return True


def _by_opencv(data: bytes) -> bool:
    import cv2  # takes a while, and only protecting needs it

    quiet = np.frombuffer(_without_profile_warning(data), np.uint8)
    with _silent(data.startswith((b"II", b"MM"))):
        try:
            return cv2.imdecode(quiet, cv2.IMREAD_UNCHANGED) is not None
        except cv2.error:
            return False


@contextlib.contextmanager
def _silent(wanted: bool) -> Iterator[None]:
    """OpenCV without its warnings of TIFF tags that it doesn't know.

    The level is the process's, so only one thread at a time changes it and back.
    """
    if not wanted:
        yield
        return
    import cv2

    with _LEVEL:
        before = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(before)


def _without_profile_warning(data: bytes) -> bytes:
    """A PNG whose colour profile has a name of no meaning.

    libpng prints what it thinks of a profile on standard error, but opens the file all
    the same. What matters, the chunk's length, stays.
    """
    if not data.startswith(SIGNATURE):
        return data
    at = data.find(b"iCCP", 0, data.find(b"IDAT"))
    if at < 0:
        return data
    (length,) = struct.unpack_from(">I", data, at - 4)
    payload = data[at + 4 : at + 4 + length]
    crc = zlib.crc32(payload, zlib.crc32(b"icCp")).to_bytes(4, "big")
    return data[:at] + b"icCp" + payload + crc + data[at + 8 + length :]
