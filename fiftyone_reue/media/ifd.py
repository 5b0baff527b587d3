"""TIFF directories (the structure of TIFF files and of EXIF blocks), value by value."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965
_BELOW_ROOT: dict[int, dict] = {_EXIF: {_INTEROPERABILITY: {}}, _GPS: {}}

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
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

    def integers(self, order: str) -> tuple[int, ...]:
        """The value as integers; empty if it isn't of an integer type."""
        code = _INTEGERS.get(self.kind)
        return struct.unpack(f"{order}{self.count}{code}", self.value) if code else ()


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


def read_directory(
    data: bytes, offset: int, layout: Layout, skip: Iterable[int] = ()
) -> tuple[dict[int, Entry], int]:
    """Read one directory and the EXIF, GPS and interoperability ones it points to.

    Args:
        data: the whole file or block.
        offset: where the directory starts.
        layout: byte order and entry size.
        skip: tags not to look at.

    Returns:
        The entries by tag (the first, if a tag comes twice), and the offset of the
        next directory (0: none).

    Raises:
        DirectoryError: something lies outside the data.
    """
    # Values of an honest file don't overlap, so together they are at most the file.
    # Without this bound a small file could name its own bytes thousands of times.
    return _read(data, offset, layout, frozenset(skip), [len(data)], _BELOW_ROOT)


def _read(
    data: bytes,
    offset: int,
    layout: Layout,
    skip: frozenset[int],
    budget: list[int],
    below: dict[int, dict],
) -> tuple[dict[int, Entry], int]:
    order = layout.order
    count_code, offset_code = ("Q", "Q") if layout.big else ("H", "I")
    inline = 8 if layout.big else 4
    entry_size = 4 + 2 * inline
    start = offset + struct.calcsize(f"={count_code}")
    if start > len(data):
        raise DirectoryError("its directory is cut short")
    (count,) = struct.unpack_from(f"{order}{count_code}", data, offset)
    end = start + count * entry_size
    if end + inline > len(data):
        raise DirectoryError("its directory is cut short")
    entries: dict[int, Entry] = {}
    for at in range(start, end, entry_size):
        tag, kind, n = struct.unpack_from(f"{order}HH{offset_code}", data, at)
        if tag in skip or tag in entries or kind not in _SIZES:
            continue
        size = n * _SIZES[kind]
        where = at + entry_size - inline
        if size > inline:
            (where,) = struct.unpack_from(f"{order}{offset_code}", data, where)
        budget[0] -= size
        if where + size > len(data) or budget[0] < 0:
            raise DirectoryError(f"the value of its tag {tag} is cut short", tag)
        entry = Entry(tag, kind, n, data[where : where + size])
        if tag in below:
            pointer = entry.integers(order)
            if len(pointer) != 1:
                raise DirectoryError(f"its tag {tag} doesn't point to a directory", tag)
            found, _ = _read(data, pointer[0], layout, skip, budget, below[tag])
            if not found:
                continue
            entry = Entry(tag, LONG, 1, b"\0\0\0\0", tuple(found.values()))
        entries[tag] = entry
    return entries, struct.unpack_from(f"{order}{offset_code}", data, end)[0]


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
