"""A JPEG file out of its coefficients and a few bytes.

Most files are their marker segments, and coded data that can be written anew bit for
bit. Where an encoder chose otherwise than libjpeg would, the coded data's difference is
kept, or the whole file, packed as JPEG XL packs JPEG files, or as it is: whichever is
smallest.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from typing import Literal

import zstandard

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media.jpeg_coefficients import huffman, markers
from fiftyone_reue.media.jpeg_coefficients.coefficients import (
    Coefficients,
    Scan,
    stretches_of,
)
from fiftyone_reue.media.jpeg_coefficients.markers import APP0, Segment
from fiftyone_reue.media.jpeg_coefficients.reading import lay_out, read
from fiftyone_reue.media.jpeg_coefficients.writing import (
    best_tables,
    coded_with,
    frame_segments,
    header,
)
from fiftyone_reue.media.parts import joined, parted

How = Literal["re-encoded", "difference", "JPEG XL", "whole"]

_HOWS: tuple[How, ...] = ("re-encoded", "difference", "JPEG XL", "whole")
_BEST_TABLES = 0x10
_DIGEST = 16
_LEVEL = 12
_MOST_FOR_JPEG_XL = 64 << 20
_MOST_BYTES = 1 << 30
_ROOM = 1 << 12
_ONES = 0xFF


@dataclass(frozen=True)
class Description:
    """What is kept of a file beside its coefficients.

    Attributes:
        content: for :func:`rebuild`.
        how: what it holds: only the markers' segments, the coded data's difference
            too, or the whole file in one of two packings.
    """

    content: bytes
    how: How


def describe(
    data: bytes, coefficients: Coefficients | None = None, *, known: bytes = b""
) -> Description:
    """Describe a file, and make sure that it can be rebuilt.

    Args:
        data: the file.
        coefficients: what :func:`~.reading.read` gave of it, if that was done before.
        known: bytes that :func:`rebuild` will be given too, such as the segments that
            a copy carries; what they have in common with the file takes no room.

    Raises:
        UnreadableImageError: the file is cut short or damaged.
        UnsupportedImageError: it is of a kind that isn't read.

    Example:
        >>> description = describe(data)
        >>> rebuild(description.content, read(data)) == data
        True
    """
    found = read(data) if coefficients is None else coefficients
    digest = hashlib.sha256(data).digest()[:_DIGEST]
    skeleton = _without(data, [scan.span for scan in found.scans])
    wanted = [data[slice(*scan.span)] for scan in found.scans]
    made = [
        coded_with(found, scan, len(coded) + _ROOM, scan.paddings)
        for scan, coded in zip(found.scans, wanted, strict=True)
    ]
    best = not all(map(_has_standard_tables, found.scans))
    dictionary = _dictionary(found, best) + known
    paddings = b"".join(scan.paddings for scan in found.scans)
    if paddings.count(_ONES) == len(paddings):
        paddings = b""
    differences = [
        b"" if coded == original else _packed(original, coded or b"")
        for coded, original in zip(made, wanted, strict=True)
    ]
    if not any(differences):
        body = _packed(joined(skeleton, paddings), dictionary)
        # What was written above is what rebuilding writes, if it reads the same.
        _check_layout(_unpacked(body, dictionary), found, data)
        return _described("re-encoded", best, digest, body)
    ways: list[tuple[How, bytes]] = [
        ("difference", _packed(joined(skeleton, paddings, *differences), dictionary)),
        ("whole", _packed(data, known)),
    ]
    transcoded = _jpeg_xl(data)
    if transcoded is not None:
        ways.append(("JPEG XL", transcoded))
    how, body = min(ways, key=lambda way: len(way[1]))
    description = _described(how, best, digest, body)
    if rebuild(description.content, found, known=known) != data:
        raise _damaged()
    return description


def rebuild(content: bytes, coefficients: Coefficients, *, known: bytes = b"") -> bytes:
    """Undo :func:`describe`.

    Args:
        content: of the description.
        coefficients: the file's, whatever segments and Huffman tables they came with.
        known: as it was given to :func:`describe`.

    Returns:
        The file.

    Raises:
        DamagedRecordError: the description can't be read, or isn't of these
            coefficients.
    """
    try:
        how, best = _HOWS[content[0] & ~_BEST_TABLES], bool(content[0] & _BEST_TABLES)
        digest, body = content[1 : 1 + _DIGEST], content[1 + _DIGEST :]
        if how == "JPEG XL":
            data = _from_jpeg_xl(body)
        elif how == "whole":
            data = _unpacked(body, known)
        else:
            dictionary = _dictionary(coefficients, best) + known
            skeleton, paddings, *differences = parted(_unpacked(body, dictionary))
            data = _put_together(skeleton, paddings, differences, coefficients)
    except (
        IndexError,
        ValueError,
        struct.error,
        zstandard.ZstdError,
        UnreadableImageError,
        UnsupportedImageError,
    ) as error:
        raise _damaged() from error
    if hashlib.sha256(data).digest()[:_DIGEST] != digest:
        raise _damaged()
    return data


def _described(how: How, best: bool, digest: bytes, body: bytes) -> Description:
    first = _HOWS.index(how) | (_BEST_TABLES if best else 0)
    return Description(bytes((first,)) + digest + body, how)


def _check_layout(content: bytes, found: Coefficients, data: bytes) -> None:
    """Make sure that a description's skeleton is read as the file was."""
    skeleton, paddings = (*parted(content), b"")[:2]
    layout = lay_out(skeleton, max_pixels=found.width * found.height, coded=False)
    filled = paddings or bytes((_ONES,)) * sum(len(s.paddings) for s in found.scans)
    same = filled == b"".join(scan.paddings for scan in found.scans)
    shift, parts = 0, []
    for made, scan in zip(layout.scans, found.scans, strict=True):
        start, end = scan.span
        same = same and made == replace(scan, paddings=b"", span=made.span)
        same = same and made.span[0] == start - shift
        shift += end - start
        parts.append((start, end))
    if not same or skeleton != _without(data, parts):
        raise _damaged()


def _put_together(
    skeleton: bytes,
    paddings: bytes,
    differences: list[bytes],
    coefficients: Coefficients,
) -> bytes:
    layout = lay_out(
        skeleton, max_pixels=coefficients.width * coefficients.height, coded=False
    )
    shapes = [one.stored.shape for one in layout.components]
    if shapes != [one.stored.shape for one in coefficients.components]:
        raise ValueError("the coefficients are of another picture")
    content = replace(layout, components=coefficients.components)
    parts, before, taken = [], 0, 0
    for index, scan in enumerate(layout.scans):
        count = stretches_of(scan, content)
        filled = paddings[taken : taken + count] if paddings else None
        taken += count
        if filled is not None and len(filled) != count:
            raise ValueError("what fills the last bits is missing")
        room = _ROOM + sum(
            content.components[i].stored.size // 4 for i in scan.components
        )
        coded = coded_with(content, scan, room, filled) or b""
        if differences and differences[index]:
            coded = _unpacked(differences[index], coded)
        parts += [skeleton[before : scan.span[0]], coded]
        before = scan.span[0]
    return b"".join((*parts, skeleton[before:]))


def _without(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    parts, at = [], 0
    for start, end in spans:
        parts.append(data[at:start])
        at = end
    return b"".join((*parts, data[at:]))


def _has_standard_tables(scan: Scan) -> bool:
    standard = (*huffman.STANDARD_DC.values(), *huffman.STANDARD_AC.values())
    dc = all(table in standard for table in scan.dc) or not scan.needs_dc
    return dc and (all(table in standard for table in scan.ac) or not scan.needs_ac)


def _dictionary(coefficients: Coefficients, best: bool) -> bytes:
    """What files like this one usually have, most likely last."""
    parts = [_COMMON, *frame_segments(coefficients)]
    for scan in coefficients.scans:
        if best:
            for (kind, number), table in best_tables(coefficients, scan).items():
                packed = huffman.packed(kind, number, table)
                parts.append(Segment(markers.DHT, packed).pack())
        parts.append(header(coefficients, scan).pack())
    return b"".join((*parts, b"\xff\xd9"))


def _common() -> bytes:
    jfif = Segment(APP0, b"JFIF\0\1\1\0\0\1\0\1\0\0").pack()
    inches = Segment(APP0, b"JFIF\0\1\1\1\0\x48\0\x48\0\0").pack()
    adobe = Segment(markers.APP14, b"Adobe\0\x64\0\0\0\0\0").pack()
    tables = [
        huffman.packed(kind, number, table)
        for number in (0, 1)
        for kind, named in ((0, huffman.STANDARD_DC), (1, huffman.STANDARD_AC))
        for table in (named[number],)
    ]
    together = Segment(markers.DHT, b"".join(tables)).pack()
    apart = [Segment(markers.DHT, table).pack() for table in tables]
    return b"".join((adobe, together, b"\xff\xd8", inches, b"\xff\xd8", jfif, *apart))


_COMMON = _common()


def _packed(raw: bytes, dictionary: bytes) -> bytes:
    window = min(max((len(raw) + len(dictionary)).bit_length(), 10), 30)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, window_log=window, write_dict_id=False
    )
    packer = zstandard.ZstdCompressor(
        dict_data=_raw(dictionary) if dictionary else None,
        compression_params=parameters,
    )
    return packer.compress(raw)


def _unpacked(packed: bytes, dictionary: bytes) -> bytes:
    if not 0 <= zstandard.frame_content_size(packed) <= _MOST_BYTES:
        raise ValueError("a part has no size, or one that no file has")
    unpacker = zstandard.ZstdDecompressor(
        dict_data=_raw(dictionary) if dictionary else None, max_window_size=1 << 31
    )
    return unpacker.decompress(packed, allow_extra_data=False)


def _raw(dictionary: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(
        dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )


def _jpeg_xl(data: bytes) -> bytes | None:
    """The file as JPEG XL packs it, or None where it can't or gives another back."""
    import imagecodecs

    if len(data) > _MOST_FOR_JPEG_XL:
        return None
    try:
        packed = bytes(imagecodecs.jpegxl_encode_jpeg(data, numthreads=1))
        return packed if _from_jpeg_xl(packed) == data else None
    except (imagecodecs.JpegxlError, ValueError):
        return None


def _from_jpeg_xl(packed: bytes) -> bytes:
    import imagecodecs

    try:
        return bytes(imagecodecs.jpegxl_decode_jpeg(packed, numthreads=1))
    except imagecodecs.JpegxlError as error:
        raise ValueError(str(error)) from None


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The record is damaged: what it holds of the original file doesn't fit these "
        "coefficients"
    )
