"""The marker segments of a JPEG file, in order, and what lies between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fiftyone_reue.errors import UnreadableImageError

SOI, EOI, SOS, DQT, DHT, DRI, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
DNL, DAC, DHP, APP0, APP14 = 0xDC, 0xCC, 0xDE, 0xE0, 0xEE
READ = (0xC0, 0xC1, 0xC2)
"""Frames of processes that are read: baseline, extended and progressive."""

ARITHMETIC = (0xC9, 0xCA)
"""Frames of which the picture can be shown, but not the coefficients taken: sequential
and progressive."""

KINDS = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical and lossless",
    0xC9: "arithmetic-coded",
    0xCA: "arithmetic-coded",
    0xCB: "arithmetic-coded and lossless",
    0xCD: "hierarchical and arithmetic-coded",
    0xCE: "hierarchical and arithmetic-coded",
    0xCF: "hierarchical and arithmetic-coded",
    DHP: "hierarchical",
    0xF7: "lossless (JPEG-LS)",
}
"""Frames of those that aren't, and what begins a hierarchy of them, by name."""

FRAMES = frozenset((*READ, *KINDS))
LONGEST_PAYLOAD = 65533

_MOST_SEGMENTS = 20_000
# Neither stuffing, nor a restart marker, nor 0xFF that fills up.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """A marker and what belongs to it.

    Attributes:
        marker: its second byte.
        payload: without marker and length.
    """

    marker: int
    payload: bytes = b""

    @property
    def is_metadata(self) -> bool:
        """Whether it is an APPn segment or a comment."""
        return APP0 <= self.marker <= 0xEF or self.marker == COM

    def pack(self) -> bytes:
        """Its bytes in a file.

        Raises:
            ValueError: the payload is longer than a segment holds.
        """
        if self.marker in (SOI, EOI):
            return bytes((0xFF, self.marker))
        if len(self.payload) > LONGEST_PAYLOAD:
            raise ValueError(f"a segment of {len(self.payload)} bytes is too long")
        length = (len(self.payload) + 2).to_bytes(2, "big")
        return bytes((0xFF, self.marker)) + length + self.payload


@dataclass(frozen=True)
class Placed:
    """A segment, where it ends, and where the next one's marker is.

    Between the two lies coded data, behind a scan's header, or nothing.
    """

    segment: Segment
    end: int
    until: int


def placed(data: bytes) -> Iterator[Placed]:
    """The segments from the second on, up to the end of the image.

    Args:
        data: a JPEG file, or one without its coded data.

    Raises:
        UnreadableImageError: it isn't one, or is cut short.
    """
    following = _MARKER.search(data, 2)
    if not data.startswith(b"\xff\xd8\xff") or following is None:
        raise damaged("it doesn't begin as one")
    at = following.start()
    for _ in range(_MOST_SEGMENTS):
        marker = data[at + 1]
        if marker == EOI:
            yield Placed(Segment(EOI), at + 2, at + 2)
            return
        if marker in (SOI, 0x01):
            raise damaged("a marker is where none may be")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise damaged("it is cut short")
        following = _MARKER.search(data, end)
        if following is None:
            raise damaged("it is cut short")
        payload = data[at + 4 : end]
        at = following.start()
        yield Placed(Segment(marker, payload), end, at)
    raise damaged("it has far too many segments")


def damaged(why: str) -> UnreadableImageError:
    """The error for a file that isn't whole."""
    return UnreadableImageError(f"damaged JPEG: {why}; replace or remove it")
