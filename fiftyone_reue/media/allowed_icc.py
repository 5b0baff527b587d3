"""Colour profiles without what isn't about colour."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fiftyone_reue.media.pictures import holds_picture
from fiftyone_reue.media.plain_text import TextGate, decoded

_HEADER, _ENTRY = 128, 12
_MOST_TAGS = 64
_MOST_CURVE = 4096

_Check = Callable[[bytes, TextGate], bool]


@dataclass(frozen=True)
class _Tag:
    name: bytes
    start: int
    value: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.value)


def rebuilt(profile: bytes, texts: TextGate) -> tuple[bytes | None, list[str]]:
    """Keep of a colour profile what may be handed out.

    Only the tags of the ICC's specification are kept, each of a type that it is known
    to have and with nothing beside that type's fields. If one that colours depend on
    isn't so, or a kept one holds a coded picture, the profile is withheld as a whole.
    Tables (A2B0 and the like) must run along each of their axes as conversions of
    colours do. A profile of which nothing is withheld stays as it is,
    byte by byte.

    Args:
        profile: as a file gave it.
        texts: says which texts are plain.

    Returns:
        The profile (None if it is withheld), and what was withheld, in words.
    """
    tags = _tags(profile)
    if tags is None or not _header_is_fine(profile):
        return None, ["colour profile that can't be read"]
    kept: list[_Tag] = []
    withheld: list[str] = []
    for tag in tags:
        name = tag.name.decode("latin-1")
        if tag.name in _TEXTS:
            if _fits(tag.value, _TEXT_TYPES, texts):
                kept.append(tag)
            else:
                withheld.append(f"colour profile's text {name!r}")
        elif tag.name in _COLOURS:
            if not _fits(tag.value, _COLOUR_TYPES, texts):
                return None, [f"colour profile for its tag {name!r}"]
            kept.append(tag)
        else:
            kind = "tag" if tag.name in _WITHHELD else "private tag"
            withheld.append(f"colour profile's {kind} {name!r}")
    if any(holds_picture(tag.value) for tag in kept):
        return None, ["colour profile with a picture"]
    if not withheld and _is_gapless(profile, tags):
        return profile, []
    if not withheld:
        withheld.append("bytes in the colour profile that no tag holds")
    return _written(profile[:_HEADER], kept), withheld


def _tags(profile: bytes) -> list[_Tag] | None:
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        return None
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    table = _HEADER + 4 + _ENTRY * count
    if not 1 <= count <= _MOST_TAGS or table > len(profile):
        return None
    tags = []
    for at in range(_HEADER + 4, table, _ENTRY):
        name, start, size = struct.unpack_from(">4sII", profile, at)
        if start < table or size < 8 or start + size > len(profile):
            return None
        tags.append(_Tag(name, start, profile[start : start + size]))
    return tags if len({tag.name for tag in tags}) == count else None


def _header_is_fine(profile: bytes) -> bool:
    """Whether the header's fields are names and numbers, its reserved bytes zero."""
    names = [profile[at : at + 4] for at in (4, 12, 16, 20, 40, 48, 52, 80)]
    named = all(n == bytes(4) or (n.isascii() and _is_printable(n)) for n in names)
    return named and not any(profile[100:_HEADER])


def _is_printable(name: bytes) -> bool:
    return name.rstrip(b"\0").decode("latin-1").isprintable()


def _is_gapless(profile: bytes, tags: list[_Tag]) -> bool:
    """Whether the tags fill the profile, but for at most three zeros behind each."""
    table = _HEADER + 4 + _ENTRY * len(tags)
    spans = sorted({(tag.start, tag.end) for tag in tags})
    size = int.from_bytes(profile[:4], "big")
    if size != len(profile) or spans[0][0] != table:
        return False
    spans.append((size, size))
    gaps = [profile[a[1] : b[0]] for a, b in pairwise(spans) if b[0] >= a[1]]
    return all(len(gap) <= 3 and not any(gap) for gap in gaps)


def _written(header: bytes, tags: list[_Tag]) -> bytes:
    at = _HEADER + 4 + _ENTRY * len(tags)
    offsets: dict[bytes, int] = {}
    for tag in tags:  # tags may share a value, as three equal curves do
        if tag.value not in offsets:
            offsets[tag.value] = at
            at += len(tag.value) + -len(tag.value) % 4
    table = b"".join(
        struct.pack(">4sII", tag.name, offsets[tag.value], len(tag.value))
        for tag in tags
    )
    body = b"".join(value + bytes(-len(value) % 4) for value in offsets)
    # The profile's own checksum is of what it was: zero says that there is none.
    head = at.to_bytes(4, "big") + header[4:84] + bytes(16) + header[100:]
    return head + struct.pack(">I", len(tags)) + table + body


def _fits(value: bytes, types: dict[bytes, _Check], texts: TextGate) -> bool:
    check = types.get(value[:4])
    try:
        return check is not None and value[4:8] == bytes(4) and check(value, texts)
    except struct.error:
        return False


def _length(*sizes: int) -> _Check:
    return lambda value, texts: len(value) in sizes


def _text(value: bytes, texts: TextGate) -> bool:
    return _is_plain(value[8:], texts)


def _is_plain(value: bytes, texts: TextGate) -> bool:
    return texts.lets(decoded(value.rstrip(b"\0")))


def _description(value: bytes, texts: TextGate) -> bool:
    """A description of version 2: ASCII, Unicode, and Macintosh's 67 bytes."""
    (length,) = struct.unpack_from(">I", value, 8)
    at = 12 + length
    (wide,) = struct.unpack_from(">I", value, at + 4)
    end = at + 8 + 2 * wide
    mac = value[end + 3 : end + 70]
    used = min(value[end + 2], 67) if len(value) > end + 2 else 0
    if len(value) - (end + 70) not in range(-3, 4) or any(value[end + 70 :]):
        return False
    return (
        _is_plain(value[12:at], texts)
        and _is_wide_plain(value[at + 8 : end], texts)
        and _is_plain(mac[:used], texts)
        and not any(mac[used:])
    )


def _is_wide_plain(value: bytes, texts: TextGate) -> bool:
    try:
        return texts.lets(value.decode("utf-16-be").rstrip("\0"))
    except UnicodeDecodeError:
        return False


def _localised(value: bytes, texts: TextGate) -> bool:
    """A text in several languages, of version 4."""
    count, size = struct.unpack_from(">II", value, 8)
    end = 16 + 12 * count
    if size != 12 or not 1 <= count <= 100 or end > len(value):
        return False
    spans = set()
    for at in range(16, end, 12):
        code, length, start = struct.unpack_from(">4sII", value, at)
        if not (code.isalpha() or code[2:] == bytes(2)):
            return False
        if start < end or start + length > len(value):
            return False
        spans.add((start, start + length))
    ordered = sorted(spans)
    edges = [(end, end), *ordered, (len(value), len(value))]
    gapless = all(b[0] - a[1] <= 3 for a, b in pairwise(edges))
    return gapless and all(_is_wide_plain(value[a:b], texts) for a, b in ordered)


def _curve_length(value: bytes, at: int = 0) -> int:
    """The length of the curve at a place, or 0 if it isn't one that colours follow."""
    kind, count = struct.unpack_from(">4s4xI", value, at)
    if kind == b"para":
        (form,) = struct.unpack_from(">H", value, at + 8)
        return 12 + 4 * (1, 3, 4, 5, 7)[form] if form < 5 else 0
    if kind != b"curv" or count > _MOST_CURVE or at + 12 + 2 * count > len(value):
        return 0
    entries = np.frombuffer(value, ">u2", count, at + 12)
    return 12 + 2 * count if _is_monotone(entries) else 0


def _is_monotone(entries: np.ndarray) -> bool:
    steps = np.diff(entries.astype(np.int32))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _curve(value: bytes, texts: TextGate) -> bool:
    length = _curve_length(value)
    return bool(length) and 0 <= len(value) - length <= 3 and not any(value[length:])


def _old_table(value: bytes, texts: TextGate) -> bool:
    """Types lut8 and lut16: a matrix, curves, a table, curves."""
    into, out, grid = value[8], value[9], value[10]
    width = 1 if value[:4] == b"mft1" else 2
    first, last, start = 256, 256, 48
    if width == 2:
        first, last, start = *struct.unpack_from(">HH", value, 48), 52
    cells = grid**into * out
    expected = start + width * (first * into + cells + last * out)
    if not _is_table(into, out, grid) or max(first, last) > _MOST_CURVE:
        return False
    if not 0 <= len(value) - expected <= 3 or any(value[expected:]):
        return False
    whole = np.frombuffer(value, f">u{width}", (expected - start) // width, start)
    curves, table = whole[: first * into], whole[first * into :][:cells]
    ends = whole[first * into + cells :]
    monotone = [*curves.reshape(into, first), *ends.reshape(out, last)]
    return all(map(_is_monotone, monotone)) and _is_smooth(table, (grid,) * into)


def _table(value: bytes, texts: TextGate) -> bool:
    """Types lutAToB and lutBToA: curves, a matrix, a table, in places that it says."""
    into, out = value[8], value[9]
    offsets = struct.unpack_from(">5I", value, 12)  # B, matrix, M, table, A
    first, last = (out, into) if value[:4] == b"mAB " else (into, out)
    spans = [(0, 32)]
    for at, count in zip(offsets, (first, 0, 3, 0, last), strict=True):
        for _ in range(count if at else 0):
            length = _curve_length(value, at)
            if not length:
                return False
            spans.append((at, at + length))
            at += length + -length % 4
    if offsets[1]:
        spans.append((offsets[1], offsets[1] + 48))
    if offsets[3]:
        grids = tuple(value[offsets[3] : offsets[3] + into])
        width = value[offsets[3] + 16]
        cells = int(np.prod(grids, dtype=np.int64)) * out
        start = offsets[3] + 20
        end = start + width * cells
        if width not in (1, 2) or end > len(value):
            return False
        if not _is_table(into, out, max(grids)):
            return False
        entries = np.frombuffer(value, f">u{width}", cells, start)
        if not _is_smooth(entries, grids):
            return False
        spans.append((offsets[3], end))
    edges = [*sorted(spans), (len(value), len(value))]
    gaps = [value[a[1] : b[0]] for a, b in pairwise(edges) if b[0] >= a[1]]
    return all(len(gap) <= 3 and not any(gap) for gap in gaps)


def _is_table(into: int, out: int, grid: int) -> bool:
    return into in (1, 3) and out in (1, 3) and 1 <= grid <= 65


def _is_smooth(entries: np.ndarray, grids: tuple[int, ...]) -> bool:
    """Whether a table runs along each axis as conversions of colours do.

    The lines of such a table go from one end to the other nearly without turning, so
    their ends differ by most of what their steps add up to. A picture laid into a table
    turns at random.
    """
    table = entries.astype(np.float64).reshape(*grids, -1)
    for axis, grid in enumerate(grids):
        steps = np.abs(np.diff(table, axis=axis)).sum()
        ends = np.abs(table.take(-1, axis) - table.take(0, axis)).sum()
        if grid > 2 and ends < 0.6 * steps:
            return False
    return True


_TEXT_TYPES: dict[bytes, _Check] = {
    b"text": _text,
    b"desc": _description,
    b"mluc": _localised,
}
_COLOUR_TYPES: dict[bytes, _Check] = {
    b"XYZ ": _length(20),
    b"curv": _curve,
    b"para": _curve,
    b"sf32": _length(44),
    b"chrm": _length(36),
    b"sig ": _length(12),
    b"meas": _length(36),
    b"view": _length(36),
    b"dtim": _length(20),
    b"cicp": _length(12),
    b"mft1": _old_table,
    b"mft2": _old_table,
    b"mAB ": _table,
    b"mBA ": _table,
}
# The specification has these, but no image's colours depend on them.
_WITHHELD = frozenset(
    b"gamt pseq psid clrt clro clot ncl2 nmcl crdi devs resp scrd scrn ps2i ps2s psd0 "
    b"psd1 psd2 psd3 meta".split()
)
_TEXTS = frozenset((b"desc", b"cprt", b"dmnd", b"dmdd", b"vued", b"targ"))
_COLOURS = frozenset(
    b"wtpt bkpt rXYZ gXYZ bXYZ lumi rTRC gTRC bTRC kTRC chad chrm tech meas view calt "
    b"cicp A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 pre0 pre1 pre2 rig0 rig2 ciis".split()
)
