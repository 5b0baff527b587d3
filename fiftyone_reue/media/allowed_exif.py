"""EXIF blocks built anew from tags that are known not to hold a picture.

Nor where it was taken, by whose camera, and under which id: whoever hands out
photographs seldom means to say where people live, and each of these tells which
photograph it is. The camera's make and model stay, and GeoTIFF's tags: an image of the
earth is of no use without.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from PIL.ExifTags import TAGS

from fiftyone_reue.media import ifd
from fiftyone_reue.media.ifd import Entry, Layout
from fiftyone_reue.media.plain_text import TextGate, decoded

_Check = Callable[[Entry, str, TextGate], bool]


def rebuilt(block: bytes, texts: TextGate) -> tuple[bytes | None, list[str]]:
    """Keep of an EXIF block what may be handed out.

    Each tag that is kept has one of the types that it is known to have, no more values
    than its meaning needs, and plain text if it is text. The block is written anew, so
    nothing that no tag points to survives.

    Args:
        block: TIFF-structured, without an ``Exif\\0\\0`` prefix.
        texts: says which texts are plain.

    Returns:
        The new block (None if nothing is kept), and what was withheld, in words.
    """
    withheld: list[str] = []
    try:
        layout, offset = ifd.read_header(block)
        kept, following = _kept(block, offset, layout, _ROOT, texts, withheld)
    except ifd.DirectoryError:
        return None, ["EXIF that can't be read"]
    if following:
        withheld.append("EXIF thumbnail")
    elif _has_gap(block, offset, layout):
        withheld.append("bytes in EXIF that no tag points to")
    if not kept:
        return None, withheld
    head = block[:2] + struct.pack(f"{layout.order}HI", 42, 8)
    return head + ifd.write_directory(kept, layout.order, 8), withheld


@dataclass(frozen=True)
class _Directory:
    """What may stand in a directory.

    Attributes:
        tags: what each tag's value must be.
        below: the directories that tags point to.
        names: the tags' names, for a person.
    """

    tags: dict[int, _Check]
    below: dict[int, _Directory]
    names: dict[int, str]


def _kept(
    block: bytes,
    offset: int,
    layout: Layout,
    directory: _Directory,
    texts: TextGate,
    withheld: list[str],
) -> tuple[list[Entry], int]:
    """The entries of a directory that are kept, and the next directory's offset."""
    tags, following = ifd.list_tags(block, offset, layout)
    known = directory.tags.keys() | directory.below.keys()
    values = _values(block, offset, layout, frozenset(tags) - known)
    kept: list[Entry] = []
    for tag in tags:
        entry, whole = values.get(tag), False
        if entry is not None and tag in directory.below:
            entry, whole = _kept_below(
                block, entry, layout, directory.below[tag], texts, withheld
            )
        elif entry is not None:
            whole = directory.tags[tag](entry, layout.order, texts)
            entry = entry if whole else None
        if entry is not None:
            kept.append(entry)
        if not whole:
            withheld.append(f"EXIF tag {directory.names.get(tag, tag)}")
    return kept, following


def _kept_below(
    block: bytes,
    pointer: Entry,
    layout: Layout,
    directory: _Directory,
    texts: TextGate,
    withheld: list[str],
) -> tuple[Entry | None, bool]:
    """What is kept of the directory that a tag points to, and whether that's one."""
    offsets = pointer.integers(layout.order)
    if len(offsets) != 1:
        return None, False
    try:
        below, following = _kept(block, offsets[0], layout, directory, texts, withheld)
    except ifd.DirectoryError:
        return None, False
    if not below:
        return None, not following
    return Entry(pointer.tag, ifd.LONG, 1, bytes(4), tuple(below)), not following


def _values(
    block: bytes, offset: int, layout: Layout, skip: frozenset[int]
) -> dict[int, Entry]:
    """A directory's entries but for those that are skipped or lie outside the block."""
    while True:
        try:
            return ifd.read_directory(block, offset, layout, skip, below={})[0]
        except ifd.DirectoryError as error:
            if error.tag is None or error.tag in skip:
                raise
            skip |= {error.tag}


def _has_gap(block: bytes, offset: int, layout: Layout) -> bool:
    spans = [(0, 16 if layout.big else 8)]
    try:
        ifd.read_directory(block, offset, layout, spans=spans)
    except ifd.DirectoryError:
        return False  # a tag that lies outside the block was named already
    return ifd.has_gap(block, spans)


def _numbers(kinds: tuple[int, ...], most: int, least: int = 1) -> _Check:
    def check(entry: Entry, order: str, texts: TextGate) -> bool:
        return entry.kind in kinds and least <= entry.count <= most

    return check


def _integers(most: int = 1) -> _Check:
    return _numbers((ifd.BYTE, ifd.SHORT, ifd.LONG), most)


def _ratios(most: int = 1) -> _Check:
    # Some writers put measures down as floating-point numbers.
    kinds = (ifd.RATIONAL, ifd.SIGNED_RATIONAL, ifd.FLOAT, ifd.DOUBLE)
    return _numbers(kinds, most)


def _bytes(most: int) -> _Check:
    return _numbers((ifd.UNDEFINED,), most)


def _doubles(most: int, least: int = 1) -> _Check:
    def check(entry: Entry, order: str, texts: TextGate) -> bool:
        if entry.kind != ifd.DOUBLE or not least <= entry.count <= most:
            return False
        values = struct.unpack(f"{order}{entry.count}d", entry.value)
        # Pixels read as doubles are of any magnitude; measures of the earth aren't.
        return all(v == 0 or 1e-15 < abs(v) < 1e15 for v in values)

    return check


def _text(entry: Entry, order: str, texts: TextGate) -> bool:
    return entry.kind == ifd.ASCII and texts.lets(decoded(entry.value.rstrip(b"\0")))


def _wide_text(entry: Entry, order: str, texts: TextGate) -> bool:
    """Text as Windows writes it: UTF-16 in bytes."""
    return entry.kind == ifd.BYTE and _is_utf16(entry.value, "<", texts)


def _comment(entry: Entry, order: str, texts: TextGate) -> bool:
    """Text behind eight bytes that name its coding."""
    coding, value = entry.value[:8], entry.value[8:]
    if entry.kind not in (ifd.BYTE, ifd.UNDEFINED):
        return False
    if coding == b"UNICODE\0":
        return _is_utf16(value, order, texts)
    if coding in (b"ASCII\0\0\0", bytes(8)):
        return texts.lets(decoded(value.rstrip(b"\0")))
    return not entry.value


def _is_utf16(value: bytes, order: str, texts: TextGate) -> bool:
    try:
        text = value.decode("utf-16-le" if order == "<" else "utf-16-be")
    except UnicodeDecodeError:
        return False
    return texts.lets(text.rstrip("\0").removeprefix("\ufeff"))


def _geo_keys(entry: Entry, order: str, texts: TextGate) -> bool:
    """A version, how many keys, and four numbers for each, the keys ascending."""
    if entry.kind != ifd.SHORT or not 4 <= entry.count <= 260 or entry.count % 4:
        return False
    values = entry.integers(order)
    keys = values[4::4]
    locations = {0, 34735, 34736, 34737}
    return (
        values[0] == 1
        and values[3] == len(keys)
        and list(keys) == sorted(set(keys))
        and all(1024 <= key <= 5119 for key in keys)
        and locations.issuperset(values[5::4])
    )


def _each(check: _Check, *tags: int) -> dict[int, _Check]:
    return dict.fromkeys(tags, check)


_INTEROPERABILITY = _Directory({1: _text, 2: _bytes(4)}, {}, {1: "Index", 2: "Version"})
_GPS = 34853
_EXIF = _Directory(
    {
        **_each(_ratios(), 33434, 33437, 37122, *range(37377, 37383), 37386),
        **_each(_ratios(), *range(37888, 37894), 41483, 41486, 41487, 41493, 41988),
        **_each(_ratios(), 42240),
        **_each(_integers(), 34850, 34864, *range(34865, 34870), *range(37383, 37386)),
        **_each(_integers(), 40961, 40962, 40963, 41488, 41495, *range(41985, 41988)),
        **_each(_integers(), 41989, 41990, *range(41991, 41995), 41996, 42080),
        **_each(_integers(3), 34855),
        **_each(_integers(4), 37396),
        **_each(_integers(2), 41492, 42081),
        **_each(_text, 36867, 36868, *range(36880, 36883), *range(37520, 37523)),
        # Not 42016, 42032, 42033 and 42037: an image's own id, the camera's owner, and
        # the serial numbers of body and lens.
        **_each(_text, 40964, 42035, 42036, *range(42038, 42046)),
        **_each(_bytes(4), 36864, 37121, 40960),
        **_each(_bytes(1), 41728, 41729),
        41730: _bytes(8),  # a sensor's colour filter of two by two
        37510: _comment,
        42034: _ratios(4),
    },
    {40965: _INTEROPERABILITY},
    dict(TAGS),
)
_ROOT = _Directory(
    {
        **_each(_text, *range(269, 273), 285, 305, 306, 315, 316, 33432),
        **_each(_integers(), 274, 296, 531, 18246, 18249),
        **_each(_ratios(), 282, 283, 286, 287),
        **_each(_ratios(3), 529),
        **_each(_ratios(6), 318, 319, 532),
        **_each(_wide_text, *range(40091, 40096)),
        338: _integers(2),
        # Where an image of the earth lies: GeoTIFF's tags and GDAL's.
        33550: _doubles(3, 3),
        33922: _doubles(96, 6),
        34264: _doubles(16, 16),
        34735: _geo_keys,
        34736: _doubles(64),
        34737: _text,
        42112: _text,
        42113: _text,
        50844: _doubles(92, 92),
    },
    {34665: _EXIF},
    dict(TAGS) | {_GPS: "GPSInfo, where it was taken"},
)
