"""TIFF directories (the structure of TIFF files and of EXIF blocks), value by value."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
POINTERS = (_EXIF, _GPS)
"""Tags of a first directory that point to others, which are read with it."""
_PADDING = 16  # bytes; writers align what they write
Below = dict[int, dict[int, Any]]
"""Which tags point to further directories, by the tag of their directory."""

_BELOW_ROOT: Below = {_EXIF: {_INTEROPERABILITY: {}}, _GPS: {}}

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
SIGNED_RATIONAL, FLOAT, DOUBLE = 10, 11, 12
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
MOST_INTEGERS = 1024
"""So many whole numbers of a value are read, unless more are asked for."""
_MOST_ENTRIES = 1 << 16
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


class DirectoryError(ValueError):
    """A directory or a value of it lies outside the data.

    Attributes:
        tag: the tag whose value is missing, or None.
    """

    def __init__(self, why: str, tag: int | None = None) -> None:
        super().__init__(why)
        self.tag = tag


@dataclass(frozen=True)
class Entry:
    """One value of a directory.

    Attributes:
        tag: what it is.
        kind: its TIFF type (1 BYTE .. 18 IFD8).
        count: how many values of that type.
        value: their bytes, in the byte order of the file.
        children: the entries of the directory that it points to, if it does.
    """

    tag: int
    kind: int
    count: int
    value: bytes
    children: tuple["Entry", ...] = ()

    def integers(self, order: str, most: int = MOST_INTEGERS) -> tuple[int, ...]:
        """The value as integers; empty if it isn't of an integer type.

        Args:
            order: of the bytes.
            most: of them, the first ones; a file may hold as many as it has bytes, and
                each takes many times as much memory here.
        """
        code = _INTEGERS.get(self.kind)
        if not code:
            return ()
        return struct.unpack_from(f"{order}{min(self.count, most)}{code}", self.value)


@dataclass(frozen=True)
class Layout:
    """How directories are written: byte order (``<`` or ``>``), classic or BigTIFF."""

    order: str
    big: bool = False


def read_header(data: bytes) -> tuple[Layout, int]:
    """The layout of a TIFF structure and the offset of its first directory.

    Raises:
        DirectoryError: the data isn't TIFF-structured.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order and len(data) >= 8:
        (version,) = struct.unpack_from(f"{order}H", data, 2)
        if version == 42:
            return Layout(order), struct.unpack_from(f"{order}I", data, 4)[0]
        if version == 43 and len(data) >= 16:
            return Layout(order, True), struct.unpack_from(f"{order}Q", data, 8)[0]
    raise DirectoryError("no TIFF header")


def list_tags(data: bytes, offset: int, layout: Layout) -> tuple[list[int], int]:
    """The tags of one directory, whether their values can be read or not.

    Args:
        data: the whole file or block.
        offset: where the directory starts.
        layout: byte order and entry size.

    Returns:
        The tags, each once, in the file's order, and the offset of the next directory.

    Raises:
        DirectoryError: the directory lies outside the data.
    """
    offsets, following = _entry_offsets(data, offset, layout)
    tags = [struct.unpack_from(f"{layout.order}H", data, at)[0] for at in offsets]
    return list(dict.fromkeys(tags)), following


def read_directory(
    data: bytes,
    offset: int,
    layout: Layout,
    skip: Iterable[int] = (),
    below: Below = _BELOW_ROOT,
    spans: list[tuple[int, int]] | None = None,
) -> tuple[dict[int, Entry], int]:
    """Read one directory and the EXIF, GPS and interoperability ones it points to.

    Args:
        data: the whole file or block.
        offset: where the directory starts.
        layout: byte order and entry size.
        skip: tags not to look at.
        below: the tags that point to directories to be read as well.
        spans: given a list, adds to it where each directory and each value lies.

    Returns:
        The entries by tag (the first, if a tag comes twice), and the offset of the
        next directory (0: none).

    Raises:
        DirectoryError: something lies outside the data.
    """
    # Values of an honest file don't overlap, so together they are at most the file.
    # Without this bound a small file could name its own bytes thousands of times.
    return _read(data, offset, layout, frozenset(skip), [len(data)], below, spans)


def _read(
    data: bytes,
    offset: int,
    layout: Layout,
    skip: frozenset[int],
    budget: list[int],
    below: Below,
    spans: list[tuple[int, int]] | None,
) -> tuple[dict[int, Entry], int]:
    order = layout.order
    offset_code, inline = ("Q", 8) if layout.big else ("I", 4)
    offsets, following = _entry_offsets(data, offset, layout)
    if spans is not None:
        spans.append((offset, offsets.stop + inline))
    entries: dict[int, Entry] = {}
    for at in offsets:
        tag, kind, n = struct.unpack_from(f"{order}HH{offset_code}", data, at)
        if tag in skip or tag in entries or kind not in _SIZES:
            continue
        size = n * _SIZES[kind]
        where = at + offsets.step - inline
        if size > inline:
            (where,) = struct.unpack_from(f"{order}{offset_code}", data, where)
        budget[0] -= size
        if where + size > len(data) or budget[0] < 0:
            raise DirectoryError(f"the value of its tag {tag} is cut short", tag)
        if spans is not None:
            spans.append((where, where + size))
        entry = Entry(tag, kind, n, data[where : where + size])
        if tag in below:
            pointer = entry.integers(order)
            if len(pointer) != 1:
                raise DirectoryError(f"its tag {tag} doesn't point to a directory", tag)
            found, _ = _read(data, pointer[0], layout, skip, budget, below[tag], spans)
            if not found:
                continue
            entry = Entry(tag, LONG, 1, b"\0\0\0\0", tuple(found.values()))
        entries[tag] = entry
    return entries, following


def _entry_offsets(data: bytes, offset: int, layout: Layout) -> tuple[range, int]:
    """Where a directory's entries start, and the offset of the next directory."""
    order = layout.order
    count_code, offset_code = ("Q", "Q") if layout.big else ("H", "I")
    inline = 8 if layout.big else 4
    entry_size = 4 + 2 * inline
    start = offset + struct.calcsize(f"={count_code}")
    if start > len(data):
        raise DirectoryError("its directory is cut short")
    (count,) = struct.unpack_from(f"{order}{count_code}", data, offset)
    if count > _MOST_ENTRIES:
        raise DirectoryError("its directory has more entries than there are tags")
    end = start + count * entry_size
    if end + inline > len(data):
        raise DirectoryError("its directory is cut short")
    (following,) = struct.unpack_from(f"{order}{offset_code}", data, end)
    return range(start, end, entry_size), following


def has_gap(data: bytes, spans: Iterable[tuple[int, int]]) -> bool:
    """Whether data that isn't zero, and more than padding, lies outside of spans.

    Args:
        data: the whole file or block.
        spans: start and end of each part that something points to.
    """
    reached = 0
    for start, end in (*sorted(spans), (len(data), len(data))):
        if start - reached > _PADDING and any(data[reached:start]):
            return True
        reached = max(reached, end)
    return False


def resolution(entries: dict[int, Entry], order: str) -> tuple[float, float] | None:
    """Horizontal and vertical dots per inch, by a directory's tags.

    Args:
        entries: a directory's.
        order: of the entries' values.
    """
    unit = entries[_UNIT].integers(order) if _UNIT in entries else (2,)
    scale = {2: 1.0, 3: 2.54}.get(unit[0]) if unit else None
    found: list[float] = []
    for tag in (_X_RESOLUTION, _Y_RESOLUTION):
        entry = entries.get(tag)
        if entry and entry.kind == RATIONAL and entry.count == 1 and scale:
            above, below = struct.unpack(f"{order}II", entry.value)
            if above and below:
                found.append(above / below * scale)
    return (found[0], found[1]) if len(found) == 2 else None


def block_resolution(block: bytes) -> tuple[float, float] | None:
    """The same of an EXIF block; None if it is damaged."""
    try:
        layout, offset = read_header(block)
        tags, _ = list_tags(block, offset, layout)
        skip = set(tags) - {_X_RESOLUTION, _Y_RESOLUTION, _UNIT}
        entries, _ = read_directory(block, offset, layout, skip)
    except DirectoryError:
        return None
    return resolution(entries, layout.order)


def write_directory(entries: Iterable[Entry], order: str, offset: int) -> bytes:
    """Write a classic directory, its values and the directories below it.

    Args:
        entries: what to write, in any order.
        order: ``<`` or ``>``, the order that the entries' values are in.
        offset: where the result will lie; even.

    Returns:
        The bytes; the next-directory link is 0.
    """
    ordered = sorted(entries, key=lambda entry: entry.tag)
    head = [struct.pack(f"{order}H", len(ordered))]
    at = offset + 2 + 12 * len(ordered) + 4
    bodies: list[bytes] = []
    for entry in ordered:
        body = entry.value
        if entry.children:
            body = write_directory(entry.children, order, at)
        if entry.children or len(body) > 4:
            field = struct.pack(f"{order}I", at)
            body += b"\0" * (len(body) % 2)
            bodies.append(body)
            at += len(body)
        else:
            field = body.ljust(4, b"\0")
        head.append(struct.pack(f"{order}HHI", entry.tag, entry.kind, entry.count))
        head.append(field)
    head.append(b"\0\0\0\0")
    return b"".join(head + bodies)
