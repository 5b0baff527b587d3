"""TIFF, one page, read and written here, with imagecodecs for the compressions.

Readers of TIFF differ in what they make of missing or short strips, most fill them up
in silence. Here each strip or tile must give every sample it stands for.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media import ifd, jpeg, lzw, tiff_further
from fiftyone_reue.media.carrier import Carrier, begins
from fiftyone_reue.media.ifd import Entry
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Metadata, Raster

RECORD_TAG = 65123

# libdeflate at level 1 is both the fastest and the smallest on photographs under noise
# (512 x 512, horizontal differences: 508 kB in 6 ms; level 6 512 kB in 10 ms).
_LEVEL = 1
_STRIP_BYTES = 1 << 20
_AT_A_TIME = 16 << 20
_MOST_SEGMENTS = 1 << 20
_LARGEST_TILE = 4096  # a side; or twice the picture's

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_FILL_ORDER, _STRIP_OFFSETS, _CHANNELS, _ROWS, _STRIP_COUNTS = 266, 273, 277, 278, 279
_X_RESOLUTION, _Y_RESOLUTION, _PLANAR, _RESOLUTION_UNIT = 282, 283, 284, 296
_PREDICTOR, _COLOUR_MAP, _TILE_WIDTH, _TILE_HEIGHT = 317, 320, 322, 323
_TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT, _JPEG_TABLES = 324, 325, 338, 339, 347
_XMP, _ICC, _PHOTOSHOP_LAYERS = 700, 34675, 37724
# Tags that say how the pixels are stored are written afresh, and Photoshop's layers
# dropped, for they hold the image once more. All others, EXIF and georeferencing among
# them, are carried.
_LAYOUT = (*range(254, 267), 273, *range(277, 282), 284, *range(288, 294), 297, 301)
_CODING = (*range(317, 326), 330, 332, *range(339, 343), 347, *range(512, 533))
_STRUCTURE = frozenset((*_LAYOUT, *_CODING, _XMP, _ICC, _PHOTOSHOP_LAYERS, RECORD_TAG))
_INFORMATION = {
    263: "Threshholding",
    264: "CellWidth",
    265: "CellLength",
    280: "MinSampleValue",
    281: "MaxSampleValue",
    290: "GrayResponseUnit",
    291: "GrayResponseCurve",
    297: "PageNumber",
    301: "TransferFunction",
    318: "WhitePoint",
    319: "PrimaryChromaticities",
    321: "HalftoneHints",
    330: "SubIFDs",
    332: "InkSet",
    340: "SMinSampleValue",
    341: "SMaxSampleValue",
    _PHOTOSHOP_LAYERS: "ImageSourceData (Photoshop layers)",
}
_NONE, _LZW, _JPEG, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _ZSTD = (
    1,
    5,
    7,
    8,
    32773,
    32946,
    50000,
)
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_REFUSED_PHOTOMETRICS = {5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab"}
_UNASSOCIATED_ALPHA = 2


@dataclass(frozen=True)
class _Page:
    """What the structure tags say."""

    width: int
    height: int
    bits: int
    channels: int
    compression: int
    photometric: int
    predictor: int
    planar: bool
    tiled: bool
    segment_width: int
    segment_height: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    jpeg_tables: bytes | None


def decode(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a TIFF of one page: 1 to 8 or 16 bits; gray, RGB, alpha, palette.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: several pages, planes or pictures, a band that isn't
            alpha, float or 32-bit samples, CMYK, another compression, or too large.
        DamagedRecordError: the record's tag is cut short.
    """
    try:
        layout, offset = ifd.read_header(data)
        skip = () if want_record else (RECORD_TAG,)
        listed, _ = ifd.list_tags(data, offset, layout)
        spans: list[tuple[int, int]] = [(0, 16 if layout.big else 8)]
        tags, _ = ifd.read_directory(data, offset, layout, skip, spans=spans)
        tiff_further.check_one_picture(data, offset, layout, tags)
    except ifd.DirectoryError as error:
        if error.tag == RECORD_TAG:
            raise DamagedRecordError(
                "its record is cut short; use the file as it was delivered"
            ) from None
        raise _damaged(str(error)) from None
    # Copies that carry a record must open even if an earlier version made them.
    is_copy = RECORD_TAG in listed
    if not is_copy:  # first, for a volume's strips or tiles are more than a plane's
        tiff_further.check_one_plane(tags, layout.order)
    page = _page(tags, layout.order, max_pixels)
    if not is_copy and page.channels in (2, 4):
        tiff_further.check_alpha(tags, layout.order, page.channels)
    samples = _decode_pixels(data, page, layout.order)
    samples = _displayed(samples, page, tags, layout.order)
    record = tags.get(RECORD_TAG)
    if record and record.kind != ifd.UNDEFINED:
        raise DamagedRecordError(
            "its record's tag was rewritten; use the file as it was delivered"
        )
    metadata = Metadata(
        icc=tags[_ICC].value if _ICC in tags else None,
        exif=_carried_block(tags, layout.order),
        xmp=tags[_XMP].value if _XMP in tags else None,
        dpi=ifd.resolution(tags, layout.order),
    )
    left_out = [*_dropped(tags), *_unread(listed, tags)]
    spans += ((at, at + n) for at, n in zip(page.offsets, page.counts, strict=True))
    if want_record and ifd.has_gap(data, spans):
        left_out.append("data that no tag points to")
    return Loaded(
        Raster(samples, "TIFF", metadata),
        record.value if record else None,
        tuple(left_out),
        _stored_as(page),
    )


def encode(raster: Raster, record: bytes | None) -> bytes:
    """Write a TIFF in deflated strips, in the byte order of its EXIF block.

    Raises:
        UnsupportedImageError: over 4 GiB, or the EXIF block isn't TIFF-structured.
    """
    order, carried = _carried_tags(raster.metadata.exif)
    rows = max(1, _STRIP_BYTES // (raster.width * raster.channels * raster.depth // 8))
    strips = [
        _packed_strip(raster.samples[at : at + rows], order)
        for at in range(0, raster.height, rows)
    ]
    offsets, at = [], 8
    for strip in strips:
        offsets.append(at)
        at += len(strip)
    if not raster.has_alpha or (_EXTRA in carried and carried[_EXTRA].count != 1):
        carried.pop(_EXTRA, None)
    entries = dict(carried)
    for entry in _structure(raster, record, order, rows, offsets, strips, carried):
        entries[entry.tag] = entry
    size = at + 1 + sum(len(e.value) + 1000 for e in entries.values())
    if size > 2**32 - 1:
        raise UnsupportedImageError("it is too long for a TIFF; save it as PNG")
    padding = b"\0" * (at % 2)
    directory = at + len(padding)
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(f"{order}HI", 42, directory)
    body = ifd.write_directory(entries.values(), order, directory)
    return b"".join((head, *strips, padding, body))


def _dropped(tags: dict[int, Entry]) -> list[str]:
    """Tags that are about the image and yet not carried."""
    return [
        f"TIFF tag {_INFORMATION[tag]}" for tag in sorted(tags) if tag in _INFORMATION
    ]


def _unread(listed: list[int], tags: dict[int, Entry]) -> list[str]:
    known = tags.keys() | {RECORD_TAG, *ifd.POINTERS}
    return [f"TIFF tag {tag} of an unknown type" for tag in listed if tag not in known]


def _stored_as(page: _Page) -> str | None:
    words = []
    if page.photometric == _PALETTE:
        words.append("a palette")
    elif page.bits < 8:
        words.append(f"{page.bits}-bit samples")
    if page.photometric == _MIN_IS_WHITE:
        words.append("zero as white")
    return " and ".join(words) or None


def _page(tags: dict[int, Entry], order: str, max_pixels: int) -> _Page:
    def numbers(tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        found = tags[tag].integers(order) if tag in tags else ()
        if not found and not default:
            raise _damaged(f"its tag {tag} is missing")
        return found or default

    def number(tag: int, default: int | None = None) -> int:
        return numbers(tag, () if default is None else (default,))[0]

    width, height = number(_WIDTH), number(_HEIGHT)
    check_size(width, height, max_pixels)
    channels = number(_CHANNELS, 1)
    bits = numbers(_BITS, (1,))
    tiled = _TILE_OFFSETS in tags
    if tiled:
        segment = number(_TILE_WIDTH), number(_TILE_HEIGHT)
        check_size(*segment, max_pixels)
    else:
        segment = width, min(number(_ROWS, height), height)
        check_size(*segment, max_pixels)
    across = math.ceil(width / segment[0])
    down = math.ceil(height / segment[1])
    planar = number(_PLANAR, 1) == 2 and channels > 1
    expected = across * down * (channels if planar else 1)

    def integers(tag: int) -> tuple[int, ...]:
        number(tag)
        fits = tags[tag].count == expected <= _MOST_SEGMENTS
        return tags[tag].integers(order, expected) if fits else ()

    page = _Page(
        width,
        height,
        bits[0],
        channels,
        number(_COMPRESSION, _NONE),
        number(_PHOTOMETRIC),
        number(_PREDICTOR, 1),
        planar,
        tiled,
        *segment,
        integers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS),
        integers(_TILE_COUNTS if tiled else _STRIP_COUNTS),
        tags[_JPEG_TABLES].value if _JPEG_TABLES in tags else None,
    )
    _check_supported(page, bits, numbers(_FORMAT, (1,)), number(_FILL_ORDER, 1))
    if expected > _MOST_SEGMENTS:
        raise UnsupportedImageError(
            f"has more than {_MOST_SEGMENTS} strips or tiles; re-save it with larger "
            "ones"
        )
    if any(
        one > max(2 * side, _LARGEST_TILE)
        for one, side in zip(segment, (width, height), strict=True)
    ):
        raise _damaged("its tiles are far larger than its picture")
    if len(page.offsets) != expected or len(page.counts) != expected:
        raise _damaged("strips or tiles are missing")
    return page


def _check_supported(
    page: _Page, bits: tuple[int, ...], formats: tuple[int, ...], fill_order: int
) -> None:
    why = None
    if any(f not in (1, 4) for f in formats):
        why = "signed or floating-point samples"
    elif len(set(bits)) != 1 or page.bits not in (1, 2, 4, 8, 16):
        why = f"samples of {page.bits} bits"
    elif not 1 <= page.channels <= 4:
        why = f"{page.channels} channels"
    elif page.compression not in _DECODERS:
        why = f"compression {page.compression}"
    elif page.photometric == _YCBCR and page.compression == _JPEG:
        why = None if page.channels == 3 and not page.planar else "its kind of YCbCr"
    elif page.photometric in _REFUSED_PHOTOMETRICS:
        why = f"{_REFUSED_PHOTOMETRICS[page.photometric]} colour"
    elif page.photometric > _PALETTE:
        why = f"photometric interpretation {page.photometric}"
    elif page.photometric == _RGB and page.channels < 3:
        why = f"RGB with {page.channels} channels"
    elif page.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK) and page.channels > 2:
        why = f"gray with {page.channels} channels"
    elif page.photometric == _PALETTE and (page.channels > 1 or page.bits > 8):
        why = "its kind of palette"
    elif page.bits < 8 and page.channels > 1:
        why = f"{page.channels} channels of {page.bits} bits"
    elif page.predictor not in (1, 2) or (page.predictor == 2 and page.bits < 8):
        why = f"predictor {page.predictor}"
    elif page.compression == _JPEG and (page.bits != 8 or page.predictor != 1):
        why = "its kind of JPEG compression"
    elif fill_order != 1:
        why = "reversed bits"
    if why:
        raise UnsupportedImageError(
            f"TIFF with {why} can't be carried exactly; re-save it as 8- or 16-bit PNG"
        )


def _decode_pixels(data: bytes, page: _Page, order: str) -> np.ndarray:
    """``(H, W, channels)`` uint8 or uint16; sub-byte samples not scaled."""
    dtype = np.uint16 if page.bits == 16 else np.uint8
    shape = page.height, page.width, page.channels
    if (
        page.compression == _NONE
        and sum(page.counts) < math.prod(shape) * page.bits / 8
    ):
        raise _damaged("its image data is cut short")
    for start, count in zip(page.offsets, page.counts, strict=True):
        if not count or start + count > len(data):
            raise _damaged("its image data is cut short")
    if sum(page.counts) > len(data):
        # However often some bytes are named, they are copied each time.
        raise UnsupportedImageError("its strips or tiles share data; re-save it")
    raws = [
        data[start : start + count]
        for start, count in zip(page.offsets, page.counts, strict=True)
    ]
    out = np.empty(shape, dtype)
    try:
        segments = _unlzw(raws, page) if page.compression == _LZW else iter(raws)
        for raw, (top, left, plane) in zip(segments, _segments(page), strict=True):
            rows = min(page.segment_height, page.height - top)
            columns = min(page.segment_width, page.width - left)
            segment = _segment(raw, page, rows, order)[:rows, :columns]
            out[top : top + rows, left : left + columns, plane] = segment
    except (RuntimeError, ValueError) as error:
        raise _damaged(str(error)) from None
    return out


def _unlzw(raws: list[bytes], page: _Page) -> Iterator[bytes]:
    """The segments unpacked, plane by plane, some at a time."""
    size = _row_bytes(page) * page.segment_height
    last_rows = page.segment_height
    if not page.tiled:
        last_rows = (page.height - 1) % page.segment_height + 1
    each = len(raws) // (page.channels if page.planar else 1)
    some = max(1, _AT_A_TIME // size)
    for first in range(0, len(raws), each):
        for start in range(first, first + each, some):
            end = min(start + some, first + each)
            last = last_rows if end == first + each else page.segment_height
            rows = lzw.decode(
                raws[start:end], _row_bytes(page), page.segment_height, last
            )
            yield from (rows[at : at + size] for at in range(0, len(rows), size))


def _row_bytes(page: _Page) -> int:
    channels = 1 if page.planar else page.channels
    return (page.segment_width * channels * page.bits + 7) // 8


def _segments(page: _Page) -> Iterator[tuple[int, int, slice]]:
    """Top, left and channels of each strip or tile, in the file's order."""
    planes = [slice(None)]
    if page.planar:
        planes = [slice(c, c + 1) for c in range(page.channels)]
    for plane in planes:
        for top in range(0, page.height, page.segment_height):
            for left in range(0, page.width, page.segment_width):
                yield top, left, plane


def _segment(raw: bytes, page: _Page, rows: int, order: str) -> np.ndarray:
    """``(at least rows, segment width, channels)``."""
    channels = 1 if page.planar else page.channels
    width = page.segment_width
    if page.compression == _JPEG:
        return _jpeg_segment(raw, page, rows, channels)
    row = _row_bytes(page)
    # The last strip may be padded to full height, or not.
    unpacked = _DECODERS[page.compression](raw, row * page.segment_height)
    if len(unpacked) < row * rows:
        raise _damaged("its image data is cut short")
    samples: np.ndarray = np.frombuffer(unpacked, np.uint8, row * rows)
    if page.bits == 16:
        samples = samples.view(f"{order}u2").astype(np.uint16, copy=False)
    elif page.bits < 8:
        samples = _unpacked_bits(samples.reshape(rows, row), page.bits)[:, :width]
    samples = samples.reshape(rows, width, channels)
    if page.predictor == 2:
        return np.cumsum(samples, axis=1, dtype=samples.dtype)
    return samples


def _unpacked_bits(rows: np.ndarray, bits: int) -> np.ndarray:
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    values = (rows[:, :, None] >> shifts) & ((1 << bits) - 1)
    return values.reshape(len(rows), -1)


def _jpeg_segment(raw: bytes, page: _Page, rows: int, channels: int) -> np.ndarray:
    # libjpeg fills the rest with gray when a stream ends early; its end mark tells.
    if not raw.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise _damaged("its image data is cut short")
    colour = {_YCBCR: "YCBCR", _RGB: "RGB"}.get(page.photometric, "GRAYSCALE")
    if channels == 1:
        colour = "GRAYSCALE"
    elif channels == 4:
        raise UnsupportedImageError(
            "JPEG-compressed TIFF with alpha can't be carried; re-save it as PNG"
        )
    height, width = jpeg.sides(raw) or (0, 0)
    if width != page.segment_width or not rows <= height <= page.segment_height:
        raise _damaged("a strip or tile has the wrong size")
    samples = imagecodecs.jpeg8_decode(
        raw,
        tables=page.jpeg_tables,
        colorspace=colour,
        outcolorspace="GRAYSCALE" if channels == 1 else "RGB",
    )
    samples = samples.reshape(*samples.shape[:2], -1)
    if samples.shape[0] < rows or samples.shape[1:] != (page.segment_width, channels):
        raise _damaged("a strip or tile has the wrong size")
    return samples


def _inflate(raw: bytes, size: int) -> bytes | bytearray:
    return imagecodecs.zlib_decode(raw, out=size)


def _unpackbits(raw: bytes, size: int) -> bytes | bytearray:
    return imagecodecs.packbits_decode(raw, out=size)


def _unzstd(raw: bytes, size: int) -> bytes | bytearray:
    return imagecodecs.zstd_decode(raw, out=size)


def _stored(raw: bytes, size: int) -> bytes | bytearray:
    return raw[:size]


_DECODERS: dict[int, Callable[[bytes, int], bytes | bytearray]] = {
    _NONE: _stored,
    _LZW: _stored,
    _JPEG: _stored,
    _DEFLATE: _inflate,
    _OLD_DEFLATE: _inflate,
    _PACKBITS: _unpackbits,
    _ZSTD: _unzstd,
}


def _displayed(
    samples: np.ndarray, page: _Page, tags: dict[int, Entry], order: str
) -> np.ndarray:
    """Palette and sub-byte samples as 8-bit colours, zero as black."""
    if page.photometric == _PALETTE:
        table = tags[_COLOUR_MAP].integers(order) if _COLOUR_MAP in tags else ()
        if len(table) != 3 << page.bits:
            raise _damaged("its palette is missing or cut short")
        colours: np.ndarray = np.array(table, np.uint16).reshape(3, -1).T
        if colours.max() > 255:  # some writers use 8 bits against the specification
            colours = colours >> 8
        return np.ascontiguousarray(colours.astype(np.uint8)[samples[:, :, 0]])
    if page.bits < 8:
        samples = samples * np.uint8(255 // ((1 << page.bits) - 1))
    if page.photometric == _MIN_IS_WHITE:
        samples[:, :, 0] = np.iinfo(samples.dtype).max - samples[:, :, 0]
    return samples


def _carried_block(tags: dict[int, Entry], order: str) -> bytes | None:
    """The tags that aren't about structure, as an EXIF block."""
    carried = [entry for tag, entry in tags.items() if tag not in _STRUCTURE]
    if not carried:
        return None
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(f"{order}HI", 42, 8)
    return head + ifd.write_directory(carried, order, 8)


def _carried_tags(exif: bytes | None) -> tuple[str, dict[int, Entry]]:
    if exif is None:
        return "<", {}
    try:
        layout, offset = ifd.read_header(exif)
        tags, _ = ifd.read_directory(exif, offset, layout, _STRUCTURE)
    except ifd.DirectoryError as error:
        raise UnsupportedImageError(
            f"TIFF can't hold its damaged EXIF block ({error}); save it as PNG"
        ) from None
    return layout.order, tags


def _packed_strip(samples: np.ndarray, order: str) -> bytes:
    """Horizontal differences, deflated."""
    stored = np.dtype(f"{order}u{samples.itemsize}")
    differences: np.ndarray = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    differences = differences.astype(stored, copy=False)
    return bytes(imagecodecs.deflate_encode(differences.tobytes(), _LEVEL, raw=False))


def _structure(
    raster: Raster,
    record: bytes | None,
    order: str,
    rows: int,
    offsets: list[int],
    strips: list[bytes],
    carried: dict[int, Entry],
) -> Iterator[Entry]:
    def integers(tag: int, kind: int, *values: int) -> Entry:
        code = "H" if kind == ifd.SHORT else "I"
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
        return Entry(tag, kind, len(values), packed)

    meta, channels = raster.metadata, raster.channels
    photometric = _RGB if raster.colour_channels == 3 else _MIN_IS_BLACK
    yield integers(_WIDTH, ifd.LONG, raster.width)
    yield integers(_HEIGHT, ifd.LONG, raster.height)
    yield integers(_BITS, ifd.SHORT, *([raster.depth] * channels))
    yield integers(_COMPRESSION, ifd.SHORT, _DEFLATE)
    yield integers(_PHOTOMETRIC, ifd.SHORT, photometric)
    yield integers(_STRIP_OFFSETS, ifd.LONG, *offsets)
    yield integers(_CHANNELS, ifd.SHORT, channels)
    yield integers(_ROWS, ifd.LONG, rows)
    yield integers(_STRIP_COUNTS, ifd.LONG, *map(len, strips))
    yield integers(_PLANAR, ifd.SHORT, 1)
    yield integers(_PREDICTOR, ifd.SHORT, 2)
    # An EXTRASAMPLES that came with the image (premultiplied, or not alpha at all)
    # says more than its channel count does.
    if raster.has_alpha and _EXTRA not in carried:
        yield integers(_EXTRA, ifd.SHORT, _UNASSOCIATED_ALPHA)
    if meta.dpi and not {_X_RESOLUTION, _Y_RESOLUTION} & carried.keys():
        for tag, dots in zip((_X_RESOLUTION, _Y_RESOLUTION), meta.dpi, strict=True):
            ratio = struct.pack(
                f"{order}II", min(round(dots * 10000), 2**32 - 1), 10000
            )
            yield Entry(tag, ifd.RATIONAL, 1, ratio)
        yield integers(_RESOLUTION_UNIT, ifd.SHORT, 2)
    if meta.xmp is not None:
        yield Entry(_XMP, ifd.BYTE, len(meta.xmp), meta.xmp)
    if meta.icc is not None:
        yield Entry(_ICC, ifd.UNDEFINED, len(meta.icc), meta.icc)
    if record is not None:
        yield Entry(RECORD_TAG, ifd.UNDEFINED, len(record), record)


def _damaged(why: str) -> UnreadableImageError:
    return UnreadableImageError(f"damaged TIFF: {why}; replace or remove it")


CARRIER = Carrier(
    "TIFF",
    (".tif", ".tiff"),
    begins(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    decode,
    encode,
)
