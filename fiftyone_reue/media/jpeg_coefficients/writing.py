"""From coefficients to an ordinary JPEG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fiftyone_reue.media.jpeg_coefficients import huffman, library, markers
from fiftyone_reue.media.jpeg_coefficients.coefficients import (
    ZIGZAG,
    Coefficients,
    Process,
    Scan,
    colour_of,
    native_scan,
)
from fiftyone_reue.media.jpeg_coefficients.markers import Segment

_FRAMES = {"baseline": 0xC0, "extended": 0xC1, "progressive": 0xC2}
_ROOM_A_BLOCK, _ROOM = 16, 4096
_MOST_TOGETHER = 10  # blocks of a unit of several components


def write(
    coefficients: Coefficients,
    segments: Sequence[Segment] | None = None,
    *,
    optimise: bool | None = None,
) -> bytes:
    """Write a JPEG of the same process, sampling, scans and restart intervals.

    Nothing of the file is taken over that isn't named here: no segment that isn't
    given, and nothing behind the end.

    Args:
        coefficients: what is written.
        segments: APPn segments and comments, in order; by default those that say how
            colours are coded, see :func:`colour_segments`.
        optimise: make the best Huffman tables. By default the standard's tables stay
            where a scan had them and they suffice, and others are made anew.

    Raises:
        ValueError: a segment is too long, isn't an APPn segment or a comment, the
            segments change what colours the components are, or a coefficient is out
            of range.

    Example:
        >>> found = read(data)
        >>> read(write(found)).components[0].blocks is found.components[0].blocks
        False
    """
    if segments is None:
        segments = colour_segments(coefficients)
    if not all(segment.is_metadata for segment in segments):
        raise ValueError("a segment is neither an APPn segment nor a comment")
    names = tuple(one.name for one in coefficients.components)
    if colour_of(names, segments) != coefficients.colour:
        raise ValueError("the segments say other colours than the components have")
    parts = [b"\xff\xd8"]
    parts += [segment.pack() for segment in segments]
    parts += frame_segments(coefficients)
    tables: dict[tuple[int, int], bytes] = {}
    restart = 0
    for scan in coefficients.scans:
        made, coded = _coded(coefficients, scan, optimise)
        for (kind, number), table in made.items():
            if tables.get((kind, number)) != table:
                tables[kind, number] = table
                packed = huffman.packed(kind, number, table)
                parts.append(Segment(markers.DHT, packed).pack())
        if scan.restart != restart:
            restart = scan.restart
            parts.append(Segment(markers.DRI, restart.to_bytes(2, "big")).pack())
        parts += [header(coefficients, scan).pack(), coded]
    parts.append(b"\xff\xd9")
    return b"".join(parts)


def in_one_go(coefficients: Coefficients) -> Coefficients:
    """The same picture, coded in the way that is written and read the quickest.

    All decoders show the same of it: in one scan if one can have so many components,
    without restart markers, with the standard's tables.
    """
    places = tuple((min(i, 1), min(i, 1)) for i in range(len(coefficients.components)))
    together = sum(one.h * one.v for one in coefficients.components) <= _MOST_TOGETHER
    groups = (
        [tuple(range(len(places)))] if together else [(i,) for i in range(len(places))]
    )
    scans = [
        Scan(
            group,
            tuple(huffman.STANDARD_DC[places[i][0]] for i in group),
            tuple(huffman.STANDARD_AC[places[i][1]] for i in group),
            first=0,
            last=63,
            high=0,
            low=0,
            restart=0,
            paddings=b"",
            places=tuple(places[i] for i in group),
            span=(0, 0),
        )
        for group in groups
    ]
    process: Process = "baseline" if coefficients.process == "baseline" else "extended"
    return replace(coefficients, process=process, scans=tuple(scans))


def colour_segments(coefficients: Coefficients) -> tuple[Segment, ...]:
    """The file's segments that say how its colours are coded, and nothing else.

    A JFIF segment comes without its thumbnail; its resolution stays.
    """
    kept = []
    for segment in coefficients.segments:
        payload = segment.payload
        if segment.marker == markers.APP0 and payload.startswith(b"JFIF\0"):
            if len(payload) >= 14:
                kept.append(Segment(markers.APP0, payload[:12] + b"\0\0"))
        elif segment.marker == markers.APP14 and payload.startswith(b"Adobe"):
            kept.append(Segment(markers.APP14, payload[:12]))
    return tuple(kept)


def coded_with(
    coefficients: Coefficients, scan: Scan, room: int, paddings: bytes | None = None
) -> bytes | None:
    """One scan's coded data with the tables that it names.

    Args:
        coefficients: what is written.
        scan: how.
        room: bytes that it may take at first.
        paddings: as a scan has them; by default ones.

    Returns:
        The data, or None where a table lacks a code.

    Raises:
        ValueError: a coefficient, or a step between two, is out of range.
    """
    return library.write_scan(native_scan(scan, coefficients), paddings, room)


def best_tables(coefficients: Coefficients, scan: Scan) -> dict[tuple[int, int], bytes]:
    """The Huffman tables that make a scan shortest, as libjpeg makes them.

    Returns:
        Of each kind (0 for DC, 1 for AC) and number the table, in the order in which
        libjpeg writes them.

    Raises:
        ValueError: a coefficient, or a step between two, is out of range.
    """
    counts = library.count_symbols(native_scan(scan, coefficients))
    sums: dict[tuple[int, int], np.ndarray] = {}
    for place, numbers in enumerate(scan.places):
        for kind, needed in enumerate((scan.needs_dc, scan.needs_ac)):
            if needed:
                of = (kind, numbers[kind])
                sums[of] = sums.get(of, 0) + counts[place, kind].astype(np.int64)
    return {of: huffman.best(count) for of, count in sums.items()}


def header(coefficients: Coefficients, scan: Scan) -> Segment:
    """A scan's header."""
    payload = bytearray((len(scan.components),))
    for index, (dc, ac) in zip(scan.components, scan.places, strict=True):
        payload += bytes((coefficients.components[index].name, dc << 4 | ac))
    payload += bytes((scan.first, scan.last, scan.high << 4 | scan.low))
    return Segment(markers.SOS, bytes(payload))


def _coded(
    coefficients: Coefficients, scan: Scan, optimise: bool | None
) -> tuple[dict[tuple[int, int], bytes], bytes]:
    """The tables that a scan is coded with, and its coded data."""
    shown = [coefficients.components[i].stored for i in scan.components]
    room = _ROOM + _ROOM_A_BLOCK * sum(one.size // 64 for one in shown)
    named = _named_tables(scan)
    if not optimise and all(map(_is_standard, named.values())):
        coded = coded_with(coefficients, scan, room)
        if coded is not None:
            return named, coded
    made = best_tables(coefficients, scan)
    coded = coded_with(coefficients, scan.with_tables(made), room)
    if coded is None:
        raise ValueError("a symbol has no code")  # which best_tables sees to
    return made, coded


def _named_tables(scan: Scan) -> dict[tuple[int, int], bytes]:
    named = {}
    for place, numbers in enumerate(scan.places):
        if scan.needs_dc:
            named[0, numbers[0]] = scan.dc[place]
        if scan.needs_ac:
            named[1, numbers[1]] = scan.ac[place]
    return named


def _is_standard(table: bytes) -> bool:
    both = (huffman.STANDARD_DC, huffman.STANDARD_AC)
    return any(table in tables.values() for tables in both)


def frame_segments(coefficients: Coefficients) -> list[bytes]:
    """The quantisation tables' segments and the frame's."""
    steps: list[bytes] = []
    payload = bytearray((8,))
    payload += coefficients.height.to_bytes(2, "big")
    payload += coefficients.width.to_bytes(2, "big")
    payload.append(len(coefficients.components))
    for one in coefficients.components:
        zigzag = one.quantisation.reshape(64)[ZIGZAG]
        wide = bool(zigzag.max() > 255)
        packed = bytes((wide << 4,)) + zigzag.astype(">u2" if wide else "u1").tobytes()
        if packed not in steps:
            steps.append(packed)
        payload += bytes((one.name, one.h << 4 | one.v, steps.index(packed)))
    tables = [
        Segment(markers.DQT, bytes((packed[0] | number,)) + packed[1:]).pack()
        for number, packed in enumerate(steps)
    ]
    return [*tables, Segment(_FRAMES[coefficients.process], bytes(payload)).pack()]
