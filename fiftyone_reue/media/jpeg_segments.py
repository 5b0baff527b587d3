"""What a copy's JPEG file carries beside its picture: metadata, and the record."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from fiftyone_reue.errors import DamagedRecordError, UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients.markers import APP0, LONGEST_PAYLOAD, Segment
from fiftyone_reue.media.raster import Metadata

RECORD_MARKER = APP0 + 9
RECORD_MAGIC = b"reUE\0"

_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"
_APP1, _APP2 = APP0 + 1, APP0 + 2
_COUNTED = 4  # a part's number and how many there are, u16 each
_CRC = 4
_MOST_PARTS = 0xFFFF
_MOST_PROFILE_PARTS = 0xFF


def metadata_segments(metadata: Metadata) -> list[Segment]:
    """EXIF and the colour profile as segments.

    Raises:
        UnsupportedImageError: one of them is longer than a JPEG holds.
    """
    made = []
    if metadata.exif is not None:
        payload = _EXIF + metadata.exif
        if len(payload) > LONGEST_PAYLOAD:
            raise _too_long("EXIF block")
        made.append(Segment(_APP1, payload))
    if metadata.icc is not None:
        room = LONGEST_PAYLOAD - len(_ICC) - 2
        parts = _cut(metadata.icc, room)
        if len(parts) > _MOST_PROFILE_PARTS:
            raise _too_long("colour profile")
        made += [
            Segment(_APP2, _ICC + bytes((number, len(parts))) + part)
            for number, part in enumerate(parts, 1)
        ]
    return made


def record_segments(record: bytes) -> list[Segment]:
    """A record, cut into segments.

    Raises:
        UnsupportedImageError: it is longer than a JPEG holds.
    """
    room = LONGEST_PAYLOAD - len(RECORD_MAGIC) - _COUNTED - _CRC
    parts = _cut(record, room)
    if len(parts) > _MOST_PARTS:
        raise _too_long("record")
    count = len(parts).to_bytes(2, "big")
    return [_record_segment(number, count, part) for number, part in enumerate(parts)]


def is_record(segment: Segment) -> bool:
    """Whether a segment is a part of a record."""
    return segment.marker == RECORD_MARKER and segment.payload.startswith(RECORD_MAGIC)


def joined_record(payloads: Iterable[bytes]) -> bytes | None:
    """The record out of its segments' payloads, in order; None without any.

    Raises:
        DamagedRecordError: a part is missing, doubled or damaged.
    """
    parts = list(payloads)
    if not parts:
        return None
    at = len(RECORD_MAGIC)
    count = int.from_bytes(parts[0][at + 2 : at + _COUNTED], "big")
    if count != len(parts):
        raise DamagedRecordError(
            f"its record has {len(parts)} of {count} parts; use the file as it was "
            "delivered"
        )
    record = []
    for number, payload in enumerate(parts):
        part = payload[at + _COUNTED : -_CRC]
        again = _record_segment(number, count.to_bytes(2, "big"), part).payload
        if again != payload:
            raise DamagedRecordError(
                "its record is damaged: its checksum is wrong; use the file as it was "
                "delivered"
            )
        record.append(part)
    return b"".join(record)


def with_record(data: bytes, record: bytes | None) -> bytes:
    """A JPEG file with this record instead of the one that it has.

    It stands behind the other segments that a file begins with.

    Args:
        data: a whole JPEG file.
        record: the record, or None for none.
    """
    kept: list[bytes] = [data[:2]]
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segment = Segment(marker, data[at + 4 : at + 2 + length])
        if not segment.is_metadata:
            break
        if not is_record(segment):
            kept.append(data[at : at + 2 + length])
        at += 2 + length
    made = [] if record is None else record_segments(record)
    return b"".join((*kept, *(segment.pack() for segment in made), data[at:]))


def without_record(segments: Sequence[Segment]) -> list[Segment]:
    """Segments but for those of a record."""
    return [one for one in segments if not is_record(one)]


def _record_segment(number: int, count: bytes, part: bytes) -> Segment:
    body = number.to_bytes(2, "big") + count + part
    checksum = zlib.crc32(body).to_bytes(_CRC, "big")
    return Segment(RECORD_MARKER, RECORD_MAGIC + body + checksum)


def _cut(data: bytes, room: int) -> list[bytes]:
    return [data[at : at + room] for at in range(0, max(len(data), 1), room)]


def _too_long(what: str) -> UnsupportedImageError:
    return UnsupportedImageError(
        f"its {what} is longer than a JPEG holds; strip it, or take --carrier pixels"
    )
