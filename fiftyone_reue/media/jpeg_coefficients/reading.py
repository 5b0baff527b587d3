"""From a JPEG file to its coefficients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients import huffman, library, markers
from fiftyone_reue.media.jpeg_coefficients.coefficients import (
    ZIGZAG,
    Coefficients,
    Component,
    Process,
    Scan,
    colour_of,
    native_scan,
    stretches_of,
    units_of,
)
from fiftyone_reue.media.jpeg_coefficients.markers import Placed, Segment, damaged

MOST_PIXELS = 1 << 26
"""By default; each takes up to eight bytes of memory."""

_NAMES: tuple[Process, ...] = ("baseline", "extended", "progressive")
_PROCESSES = dict(zip(markers.READ, _NAMES, strict=True))
_COUNTS = (1, 3, 4)
_MOST_BLOCKS_A_UNIT = 10
_MOST_SCANS = 100
_MOST_BLOCKS_READ = 1 << 26  # in all scans together


def read(data: bytes, *, max_pixels: int = MOST_PIXELS) -> Coefficients:
    """Read a JPEG file's quantised coefficients and what is around them.

    Whatever a decoder would have to guess at is refused: codes and restart markers
    that don't fit, missing data, missing scans.

    Args:
        data: the file.
        max_pixels: width times height may not be more.

    Raises:
        UnreadableImageError: the file is cut short or damaged.
        UnsupportedImageError: lossless, hierarchical or arithmetic-coded, more than 8
            bits a sample, two components, too large, or in too many scans.

    Example:
        >>> luma = read(data).components[0]
        >>> luma.blocks.shape, luma.quantisation[0, 0]
        ((28, 28, 8, 8), 8)
    """
    found = lay_out(data, max_pixels=max_pixels)
    scans = []
    for scan in found.scans:
        at, until = scan.span
        native = native_scan(scan, found)
        try:
            end, paddings = library.read_scan(
                data, at, native, stretches_of(scan, found)
            )
        except ValueError as error:
            raise damaged(str(error)) from None
        if end > until:
            raise damaged("its scans run into each other")
        scans.append(replace(scan, paddings=paddings, span=(at, end)))
    return replace(found, scans=tuple(scans))


def lay_out(
    data: bytes, *, max_pixels: int = MOST_PIXELS, coded: bool = True
) -> Coefficients:
    """Read everything but coded data, and make room for the coefficients.

    Args:
        data: the file.
        max_pixels: width times height may not be more.
        coded: whether the file has its coded data; without it, its size says nothing.

    Returns:
        The content with coefficients of zero. A scan's span reaches to the marker that
        follows it.

    Raises:
        UnreadableImageError: the file is cut short or damaged.
        UnsupportedImageError: as :func:`read`.
    """
    state = _State()
    end = 0
    for one in markers.placed(data):
        state.take(one)
        end = one.end
    if state.frame is None or not state.scans:
        raise damaged("it holds no image")
    frame = state.frame
    _check_whole(frame, state.scans)
    components = _room(
        frame, state.quantisation, state.scans, len(data) if coded else None, max_pixels
    )
    _check_work(components, state.scans)
    return Coefficients(
        frame.width,
        frame.height,
        frame.process,
        colour_of(frame.names, state.segments),
        components,
        tuple(state.scans),
        tuple(state.segments),
        data[end:],
    )


@dataclass(frozen=True)
class _Frame:
    process: Process
    width: int
    height: int
    names: tuple[int, ...]
    sampling: list[tuple[int, int]]
    tables: tuple[int, ...]


@dataclass
class _State:
    """What the segments said so far."""

    frame: _Frame | None = None
    steps: dict[int, np.ndarray] = field(default_factory=dict)
    quantisation: dict[int, np.ndarray] = field(default_factory=dict)
    dc: dict[int, bytes] = field(default_factory=lambda: dict(huffman.STANDARD_DC))
    ac: dict[int, bytes] = field(default_factory=lambda: dict(huffman.STANDARD_AC))
    restart: int = 0
    scans: list[Scan] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    def take(self, one: Placed) -> None:
        marker, payload = one.segment.marker, one.segment.payload
        if marker in markers.FRAMES:
            if self.frame is not None:
                raise damaged("it has two frames")
            self.frame = _frame(marker, payload)
        elif marker == markers.SOS:
            self.scans.append(self._scan(payload, (one.end, one.until)))
        elif marker == markers.DQT:
            self._take_steps(payload)
        elif marker == markers.DHT:
            self._take_tables(payload)
        elif marker == markers.DRI:
            if len(payload) != 2:
                raise damaged("its restart interval can't be read")
            self.restart = int.from_bytes(payload, "big")
        elif one.segment.is_metadata:
            if not self.scans:  # viewers have begun to draw, and read no others
                self.segments.append(one.segment)
        elif marker == markers.DNL:
            if self.frame is None or payload != self.frame.height.to_bytes(2, "big"):
                raise damaged("it says two heights")
        elif marker not in (markers.EOI, markers.DAC):
            raise damaged(f"it has a segment of an unknown kind (0x{marker:02X})")

    def _take_steps(self, payload: bytes) -> None:
        at = 0
        while at < len(payload):
            wide, number = payload[at] >> 4, payload[at] & 15
            size = 64 << wide
            if wide > 1 or number > 3 or at + 1 + size > len(payload):
                raise damaged("a quantisation table can't be read")
            kind = ">u2" if wide else "u1"
            steps = np.empty(64, np.uint16)
            steps[ZIGZAG] = np.frombuffer(payload, kind, 64, at + 1)
            if not steps.all():
                raise damaged("a quantisation table has a step of 0")
            self.steps[number] = steps.reshape(8, 8)
            at += 1 + size

    def _take_tables(self, payload: bytes) -> None:
        at = 0
        while at < len(payload):
            kind, number = payload[at] >> 4, payload[at] & 15
            end = at + 17 + sum(payload[at + 1 : at + 17])
            if kind > 1 or number > 3 or end > len(payload) or end - at - 17 > 256:
                raise damaged("a Huffman table can't be read")
            (self.ac if kind else self.dc)[number] = payload[at + 1 : end].ljust(
                272, b"\0"
            )
            at = end

    def _scan(self, payload: bytes, span: tuple[int, int]) -> Scan:
        frame = self.frame
        count = payload[0] if payload else 0
        if frame is None or not 1 <= count <= 4 or len(payload) != 4 + 2 * count:
            raise damaged("a scan's header can't be read")
        components, dc, ac, places = [], [], [], []
        first, last, bits = payload[1 + 2 * count :]
        high, low = bits >> 4, bits & 15
        for name, tables in zip(
            payload[1 : 1 + 2 * count : 2], payload[2 : 2 + 2 * count : 2], strict=True
        ):
            if name not in frame.names:
                raise damaged("a scan is of a component that there isn't")
            index = frame.names.index(name)
            components.append(index)
            if index not in self.quantisation:
                if frame.tables[index] not in self.steps:
                    raise damaged("a quantisation table is missing")
                self.quantisation[index] = self.steps[frame.tables[index]]
            places.append((tables >> 4, tables & 15))
        if sorted(set(components)) != components:
            raise damaged("a scan's components are out of order")
        if frame.process != "progressive":
            # Some encoders write other numbers here, which decoders pass over.
            first, last, high, low = 0, 63, 0, 0
        elif (
            first > last
            or last > 63
            or (first == 0 and last > 0)
            or (first > 0 and count > 1)
            or low > 13
            or (high and high != low + 1)
        ):
            raise damaged("a scan's header makes no sense")
        blocks = sum(frame.sampling[i][0] * frame.sampling[i][1] for i in components)
        if count > 1 and blocks > _MOST_BLOCKS_A_UNIT:
            raise damaged("a scan's units have too many blocks")
        for one, two in places:
            needs_dc, needs_ac = first == 0 and not high, last > 0
            if (needs_dc and one not in self.dc) or (needs_ac and two not in self.ac):
                raise damaged("a Huffman table is missing")
            dc.append(self.dc.get(one, bytes(272)))
            ac.append(self.ac.get(two, bytes(272)))
        return Scan(
            tuple(components),
            tuple(dc),
            tuple(ac),
            first,
            last,
            high,
            low,
            self.restart,
            b"",
            tuple(places),
            span,
        )


def _frame(marker: int, payload: bytes) -> _Frame:
    kind = markers.KINDS.get(marker)
    if kind is None and payload and payload[0] != 8:
        kind = f"{payload[0]}-bit"
    if kind:
        raise UnsupportedImageError(
            f"{kind} JPEG can't be carried, only 8-bit baseline, extended and "
            "progressive; convert it first"
        )
    count = payload[5] if len(payload) >= 6 else 0
    if len(payload) != 6 + 3 * count:
        raise damaged("its frame can't be read")
    if count not in _COUNTS:
        raise UnsupportedImageError(
            f"JPEG with {count} components can't be carried, only 1, 3 or 4; convert "
            "it first"
        )
    height, width = (int.from_bytes(payload[at : at + 2], "big") for at in (1, 3))
    if not height:
        raise UnsupportedImageError(
            "JPEG that says its height after its picture can't be carried; re-save it"
        )
    if not width:
        raise damaged("it has no width")
    names = tuple(payload[6::3])
    sampling = [(both >> 4, both & 15) for both in payload[7::3]]
    if len(set(names)) != count or not all(
        1 <= h <= 4 and 1 <= v <= 4 for h, v in sampling
    ):
        raise damaged("its frame's components make no sense")
    process = _PROCESSES[marker]
    return _Frame(process, width, height, names, sampling, tuple(payload[8::3]))


def _room(
    frame: _Frame,
    quantisation: dict[int, np.ndarray],
    scans: list[Scan],
    size: int | None,
    max_pixels: int,
) -> tuple[Component, ...]:
    """The components with coefficients of zero, once it is known that they may be.

    Raises:
        UnreadableImageError: the file is far too short for its picture.
        UnsupportedImageError: the picture is too large.
    """
    if frame.width * frame.height > max_pixels:
        raise UnsupportedImageError(
            f"{frame.width}x{frame.height} pixels are more than the limit of "
            f"{max_pixels}; make it smaller, or raise the limit"
        )
    widest = max(h for h, _ in frame.sampling)
    highest = max(v for _, v in frame.sampling)
    units = units_of(frame.width, frame.height, frame.sampling)
    sizes = []
    for h, v in frame.sampling:
        rows = -(-frame.height * v // (8 * highest))
        columns = -(-frame.width * h // (8 * widest))
        sizes.append((rows, columns))
    coded = sum(rows * columns for rows, columns in sizes)
    if size is not None and 8 * size < coded:
        raise damaged("it is cut short")  # a block takes a bit at least
    components = []
    for index, ((h, v), (rows, columns)) in enumerate(
        zip(frame.sampling, sizes, strict=True)
    ):
        shape = (units[0] * v, units[1] * h, 8, 8)
        components.append(
            Component(
                frame.names[index],
                h,
                v,
                quantisation[index],
                rows,
                columns,
                np.zeros(shape, np.int16),
            )
        )
    return tuple(components)


def _check_work(components: tuple[Component, ...], scans: list[Scan]) -> None:
    """Refuse what would take very long to read.

    Raises:
        UnsupportedImageError: there are far too many scans.
    """
    blocks = 0
    for scan in scans:
        for index in scan.components:
            blocks += components[index].stored.size // 64
    if len(scans) > _MOST_SCANS or blocks > _MOST_BLOCKS_READ:
        raise UnsupportedImageError(
            f"the JPEG has {len(scans)} scans, which would take very long to read; "
            "re-save it"
        )


def _check_whole(frame: _Frame, scans: list[Scan]) -> None:
    """Refuse what lacks scans, has one twice, or has them out of order.

    Raises:
        UnreadableImageError: it is so.
    """
    unsent = 255
    sent = np.full((len(frame.names), 64), unsent)
    for scan in scans:
        for index in scan.components:
            before = sent[index, scan.first : scan.last + 1]
            if scan.first > 0 and sent[index, 0] == unsent:
                raise damaged("its scans are out of order")
            if (before != (scan.high if scan.high else unsent)).any():
                raise damaged("its scans are out of order")
            sent[index, scan.first : scan.last + 1] = scan.low
    if sent.any():
        raise damaged("its picture is cut short: scans are missing")
