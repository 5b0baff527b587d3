"""Whether the readers that people have open a file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from fiftyone_reue.media.png_stream import RECORD_CHUNK, SIGNATURE

READERS = ("Pillow", "OpenCV")

_LEVEL = threading.Lock()
_ANCILLARY = 0x20
_AROUND = 12  # bytes of a chunk besides its payload
_NAMELESS = b"noNe"
_JPEG = b"\xff\xd8\xff"
_SCAN = b"\xff\xda"
_ADOBE = re.compile(rb"(\xff\xee..)Adobe", re.DOTALL)
_SMALL = (1, 1)
_MOST_KNOWN = 4096
_KNOWN: dict[bytes, tuple[str, ...]] = {}
"""What became of PNGs, by :func:`_frame`; of a dataset there are few different ones."""


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


def unopened_alike(data: bytes) -> tuple[str, ...]:
    """:func:`unopened`, looked up for PNGs that differ in pixels and records alone.

    Args:
        data: a file that was decoded after it was written, so that its pixels and its
            chunks' checksums are known to be right.
    """
    frame = _frame(data)
    if frame is None:
        return unopened(data)
    if frame not in _KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[frame] = unopened(data)
    return _KNOWN[frame]


def _frame(data: bytes) -> bytes | None:
    """A digest of what a reader could stumble on in a PNG, None of other files.

    Of pixels and record that is about how long they are.
    """
    if not data.startswith(SIGNATURE):
        return None
    told = hashlib.sha256()
    for kind, at, end in _chunks(data):
        told.update(kind)
        if kind in (b"IDAT", RECORD_CHUNK):
            told.update(bytes([(end - at - _AROUND).bit_length()]))
        else:
            told.update(data[at:end])
    return told.digest()


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """A PNG's chunks: kind, start and end, which the last one of a cut file passes."""
    at = len(SIGNATURE)
    while at + _AROUND <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + _AROUND + length
        yield kind, at, end
        at = end


def _by_pillow(data: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                image.draft("L", _SMALL)  # of a JPEG: all of it is read just the same
                image.load()
    except Exception:  # it raises what it likes
        return False
    return True


def _by_opencv(data: bytes) -> bool:
    import cv2  # takes a while, and only protecting needs it

    quiet = np.frombuffer(_without_opinions(data), np.uint8)
    how = cv2.IMREAD_UNCHANGED
    if data.startswith(_JPEG):
        how = cv2.IMREAD_REDUCED_GRAYSCALE_8  # all of it is read just the same
    with _silent(data.startswith((b"II", b"MM"))):
        try:
            return cv2.imdecode(quiet, how) is not None
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


def _without_opinions(data: bytes) -> bytes:
    """A PNG whose chunks beside the picture have a name of no meaning, or a JPEG whose
    Adobe segments have.

    libpng prints what it thinks of a colour profile or background on standard error,
    and libjpeg what it thinks of an unknown code of colours, but both open the file all
    the same. What matters, the chunks' lengths, stays.
    """
    if data.startswith(_JPEG):
        head = data[: max(0, data.find(_SCAN))]
        return _ADOBE.sub(rb"\1adobe", head) + data[len(head) :]
    if not data.startswith(SIGNATURE):
        return data
    parts, done = [SIGNATURE], len(SIGNATURE)
    for kind, at, done in _chunks(data):
        if kind[0] & _ANCILLARY and kind != b"tRNS" and done <= len(data):
            payload = data[at + 8 : done - 4]
            crc = zlib.crc32(payload, zlib.crc32(_NAMELESS)).to_bytes(4, "big")
            parts += (data[at : at + 4], _NAMELESS, payload, crc)
        else:
            parts.append(data[at:done])
    return b"".join((*parts, data[done:]))
