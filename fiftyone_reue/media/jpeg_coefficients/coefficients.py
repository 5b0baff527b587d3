"""What a JPEG file holds, as its coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.library import TABLE
from fiftyone_reue.media.jpeg_coefficients.markers import APP0, APP14, Segment

ZIGZAG = np.array(
    sorted(
        range(64),
        key=lambda at: (
            at // 8 + at % 8,
            at // 8 if (at // 8 + at % 8) % 2 else at % 8,
        ),
    )
)
"""Of each place in zigzag order the place in the block, row by row."""

Process = Literal["baseline", "extended", "progressive"]
Colour = Literal["gray", "ycbcr", "rgb", "cmyk", "ycck"]


@dataclass(frozen=True)
class Component:
    """One component: a channel as the file has it, often of lower resolution.

    Attributes:
        name: its number in the file.
        h: horizontal sampling factor, 1 to 4.
        v: vertical sampling factor, 1 to 4.
        quantisation: (8, 8) uint16, the steps.
        rows: blocks from top to bottom that the picture reaches into.
        columns: blocks from left to right that the picture reaches into.
        stored: (rows or more, columns or more, 8, 8) int16, all that the file has: an
            encoder fills the last units up with blocks that nobody sees.
    """

    name: int
    h: int
    v: int
    quantisation: np.ndarray
    rows: int
    columns: int
    stored: np.ndarray

    @property
    def blocks(self) -> np.ndarray:
        """(rows, columns, 8, 8) int16, a view: vertical frequency before horizontal."""
        return self.stored[: self.rows, : self.columns]


@dataclass(frozen=True)
class Scan:
    """How one scan codes its part.

    Attributes:
        components: places of its components among the file's.
        dc: of each of them the Huffman table, 16 counts and 256 symbols.
        ac: the same.
        first: the first coefficient, in zigzag order.
        last: the last one.
        high: the lowest bit that was sent before, or 0.
        low: the lowest bit that is sent.
        restart: units between restart markers, or 0.
        paddings: a byte for each stretch between restart markers: 255 where ones fill
            its last byte, else the bits that do.
        places: of each component the numbers of its two tables.
        span: where its coded data begins and ends in the file.
    """

    components: tuple[int, ...]
    dc: tuple[bytes, ...]
    ac: tuple[bytes, ...]
    first: int
    last: int
    high: int
    low: int
    restart: int
    paddings: bytes
    places: tuple[tuple[int, int], ...]
    span: tuple[int, int]

    def with_tables(self, tables: dict[tuple[int, int], bytes]) -> Scan:
        """The same with other Huffman tables.

        Args:
            tables: of each kind (0 for DC, 1 for AC) and number the table.
        """
        dc = [tables.get((0, number), bytes(TABLE)) for number, _ in self.places]
        ac = [tables.get((1, number), bytes(TABLE)) for _, number in self.places]
        return replace(self, dc=tuple(dc), ac=tuple(ac))

    @property
    def needs_dc(self) -> bool:
        """Whether DC tables are used."""
        return self.first == 0 and self.high == 0

    @property
    def needs_ac(self) -> bool:
        """Whether AC tables are used."""
        return self.last > 0


@dataclass(frozen=True)
class Coefficients:
    """A JPEG file's content.

    Attributes:
        width: pixels.
        height: pixels.
        process: how it is coded.
        colour: what its components are.
        components: one to four.
        scans: in order.
        segments: APPn segments and comments, in order.
        trailing: bytes after the end of the image.
    """

    width: int
    height: int
    process: Process
    colour: Colour
    components: tuple[Component, ...]
    scans: tuple[Scan, ...]
    segments: tuple[Segment, ...]
    trailing: bytes

    @property
    def units(self) -> tuple[int, int]:
        """Units of several components, from top to bottom and from left to right."""
        sampling = [(one.h, one.v) for one in self.components]
        return units_of(self.width, self.height, sampling)

    @property
    def restart(self) -> int:
        """Units between restart markers in the first scan, or 0."""
        return self.scans[0].restart

    def with_blocks(self, blocks: list[np.ndarray]) -> Coefficients:
        """The same with other coefficients; unseen blocks stay as they are.

        Args:
            blocks: of each component (rows, columns, 8, 8), integers.

        Raises:
            ValueError: a shape doesn't fit, or a coefficient isn't of 16 bits.
        """
        if len(blocks) != len(self.components):
            raise ValueError(f"{len(blocks)} components given")
        changed = []
        for component, new in zip(self.components, blocks, strict=True):
            if new.shape != component.blocks.shape:
                raise ValueError(f"blocks of shape {new.shape} don't fit")
            if new.size and not -32768 <= new.min() <= new.max() <= 32767:
                raise ValueError("a coefficient is out of range")
            stored = component.stored.copy()
            stored[: component.rows, : component.columns] = new
            changed.append(replace(component, stored=stored))
        return replace(self, components=tuple(changed))


def with_usual_edges(coefficients: Coefficients) -> Coefficients:
    """The same with what encoders of libjpeg's kind put beyond the picture's edge.

    Tools that save a file again without loss put it there as well, whatever was there:
    blocks of one shade, that of the block before them in the order in which they are
    coded.
    """
    filled = []
    for one in coefficients.components:
        if not _has_usual_edges(one):  # a copy of a large picture takes much memory
            one = _with_usual_edges(one)
        filled.append(one)
    return replace(coefficients, components=tuple(filled))


def has_usual_edges(coefficients: Coefficients) -> bool:
    """Whether :func:`with_usual_edges` changes nothing."""
    return all(map(_has_usual_edges, coefficients.components))


def _has_usual_edges(one: Component) -> bool:
    if not np.array_equal(one.stored[: one.rows, one.columns :], _usual_right(one)):
        return False
    return all(
        np.array_equal(one.stored[row], _usual_below(one, one.stored[row - 1]))
        for row in range(one.rows, len(one.stored))
    )


def _with_usual_edges(one: Component) -> Component:
    stored = one.stored.copy()
    stored[: one.rows, one.columns :] = _usual_right(one)
    for row in range(one.rows, len(stored)):
        stored[row] = _usual_below(one, stored[row - 1])
    return replace(one, stored=stored)


def _usual_right(one: Component) -> np.ndarray:
    """What is right of the picture: of each row its last block's shade."""
    found = np.zeros_like(one.stored[: one.rows, one.columns :])
    found[..., 0, 0] = one.stored[: one.rows, one.columns - 1, 0, 0][:, None]
    return found


def _usual_below(one: Component, row: np.ndarray) -> np.ndarray:
    """What is below a row, beyond the picture: of each unit its last block's shade."""
    found = np.zeros_like(row)
    found[:, 0, 0] = row[one.h - 1 :: one.h, 0, 0].repeat(one.h)
    return found


def same_picture(one: Coefficients, other: Coefficients) -> bool:
    """Whether two files show the same picture by the same steps, coded in any way."""
    return (
        (one.width, one.height, one.colour) == (other.width, other.height, other.colour)
        and len(one.components) == len(other.components)
        and all(
            (a.h, a.v) == (b.h, b.v)
            and np.array_equal(a.quantisation, b.quantisation)
            and np.array_equal(a.blocks, b.blocks)
            for a, b in zip(one.components, other.components, strict=True)
        )
    )


def native_scan(scan: Scan, coefficients: Coefficients) -> library.Scan:
    """A scan as the entropy coder takes it; the coefficients must outlive it."""
    high, wide = coefficients.units
    native = library.Scan(
        count=len(scan.components),
        progressive=coefficients.process == "progressive",
        first=scan.first,
        last=scan.last,
        high_bit=scan.high,
        low_bit=scan.low,
        restart=scan.restart,
        high=high,
        wide=wide,
    )
    for place, index in enumerate(scan.components):
        component = coefficients.components[index]
        if (
            component.stored.dtype != np.int16
            or not component.stored.flags.c_contiguous
        ):
            raise ValueError("coefficients must be int16, without gaps")
        one = native.components[place]
        one.blocks = component.stored.ctypes.data
        one.stride = component.stored.shape[1]
        one.high, one.wide = component.rows, component.columns
        one.h, one.v = component.h, component.v
        one.dc, one.ac = scan.dc[place], scan.ac[place]
    return native


def units_of(
    width: int, height: int, sampling: list[tuple[int, int]]
) -> tuple[int, int]:
    """Units of all components, from top to bottom and from left to right.

    Args:
        width: pixels.
        height: pixels.
        sampling: of each component the horizontal and vertical factor.
    """
    widest = max(h for h, _ in sampling)
    highest = max(v for _, v in sampling)
    return -(-height // (8 * highest)), -(-width // (8 * widest))


def stretches_of(scan: Scan, coefficients: Coefficients) -> int:
    """How many stretches lie between a scan's restart markers."""
    high, wide = coefficients.units
    count = high * wide
    if len(scan.components) == 1:
        only = coefficients.components[scan.components[0]]
        count = only.rows * only.columns
    return -(-count // scan.restart) if scan.restart else 1


def colour_of(names: tuple[int, ...], segments: Sequence[Segment]) -> Colour:
    """What a file's components are, as libjpeg decides.

    Args:
        names: the components' numbers in the file.
        segments: APPn segments and comments.
    """
    if len(names) == 1:
        return "gray"
    transform = _adobe_transform(segments)
    if len(names) == 4:
        return "cmyk" if transform in (None, 0) else "ycck"
    if any(map(_is_jfif, segments)):
        return "ycbcr"
    if transform is not None:
        return "ycbcr" if transform else "rgb"
    return "rgb" if names == (82, 71, 66) else "ycbcr"


def _is_jfif(segment: Segment) -> bool:
    return (
        segment.marker == APP0
        and segment.payload.startswith(b"JFIF\0")
        and len(segment.payload) >= 14
    )


def _adobe_transform(segments: Sequence[Segment]) -> int | None:
    """What the last Adobe segment says of colours: 0 none, 1 YCbCr, 2 YCCK."""
    found = None
    for segment in segments:
        payload = segment.payload
        adobe = segment.marker == APP14 and payload.startswith(b"Adobe")
        if adobe and len(payload) >= 12:
            found = payload[11]
    return found
