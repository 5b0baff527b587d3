"""BMP, uncompressed, read and written here: numpy is all that it takes."""

import struct
import zlib

import numpy as np

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media.carrier import Carrier, begins
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Metadata, Raster

# A trailer holds the record: START, the record, its CRC-32, its length, END. Viewers
# stop at the size that the file header gives; both marks let a cut be noticed.
_START, _END = b"reUE-start", b"reUE-end"
_TAIL = struct.Struct("<IQ8s")

_RGB, _BITFIELDS, _ALPHABITFIELDS = 0, 3, 6
_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_EMBEDDED_PROFILE = b"DEBM"  # 'MBED', little-endian
_LINKED_PROFILE = b"KNIL"  # 'LINK', little-endian
_SRGB = b"BGRs"  # 'sRGB', little-endian
_MASKS_555 = (0x7C00, 0x03E0, 0x001F, 0)
_MASKS_888 = (0xFF0000, 0xFF00, 0xFF, 0)
_METRES_AN_INCH = 0.0254
_MAX_BYTES = 2**32 - 1
_MAX_SIDE = 2**31 - 1


def decode(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a BMP of 1, 4, 8, 16, 24 or 32 bits a pixel.

    A palette of grays gives gray samples, any other palette RGB.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: compressed, or too large.
        DamagedRecordError: the record's trailer is damaged or cut short.
    """
    if len(data) < 26:
        raise _damaged("it is cut short")
    declared, offset, header_size = struct.unpack_from("<I4xII", data, 2)
    if header_size not in _HEADER_SIZES or 14 + header_size > len(data):
        raise _damaged("its header is cut short or unknown")
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = colours = x_density = y_density = 0
    else:
        fields = struct.unpack_from("<iiHHIIiiI", data, 18)
        width, height, _, bits, compression, _, x_density, y_density, colours = fields
    top_down, height = height < 0, abs(height)
    check_size(width, height, max_pixels)
    _check_kind(bits, compression)
    stride = (width * bits + 31) // 32 * 4
    if offset < 14 + header_size or offset + stride * height > len(data):
        raise _damaged("its image data is cut short")
    rows = np.frombuffer(data, np.uint8, stride * height, offset)
    rows = rows.reshape(height, stride)
    if not top_down:
        rows = rows[::-1]
    if bits <= 8:
        palette = _palette(data, header_size, colours or 1 << bits, offset)
        samples = palette[_indices(rows, width, bits, len(palette))]
        stored = None if _is_ramp(palette) else "a palette"
    elif bits == 24:
        samples = rows[:, : 3 * width].reshape(height, width, 3)[:, :, ::-1]
        stored = None
    else:
        masks = _masks(data, header_size, bits, compression, offset)
        samples = _masked(rows, width, bits, masks)
        depths = sorted({mask.bit_count() for mask in masks if mask} - {8})
        stored = f"{'- and '.join(map(str, depths))}-bit samples" if depths else None
    metadata = Metadata(
        icc=_profile(data, header_size),
        dpi=(x_density * _METRES_AN_INCH, y_density * _METRES_AN_INCH)
        if x_density > 0 and y_density > 0
        else None,
    )
    record = _read_record(data, declared) if want_record else None
    left_out = _left_out(data, header_size, bits, offset, offset + stride * height)
    if bits == 32 and samples.shape[2] == 3 and rows[:, 3 : 4 * width : 4].any():
        left_out.append("fourth bytes that aren't alpha")
    return Loaded(
        Raster(np.ascontiguousarray(samples), "BMP", metadata),
        record,
        tuple(left_out),
        stored,
    )


def encode(raster: Raster, record: bytes | None) -> bytes:
    """Write a BMP: 8 bits with a gray palette, 24 bits, or 32 bits with alpha.

    Raises:
        UnsupportedImageError: gray with alpha, 16-bit, EXIF or XMP, or over 4 GiB.
    """
    why = refusal(raster)
    if why:
        raise UnsupportedImageError(f"BMP can't hold {why}; save it as PNG")
    height, width, channels = raster.samples.shape
    palette = b""
    if channels == 1:
        ramp = np.arange(256, dtype=np.uint8)
        palette = np.stack((ramp, ramp, ramp, 0 * ramp), 1).tobytes()
    icc = raster.metadata.icc
    header_size = 124 if icc is not None or channels == 4 else 40
    offset = 14 + header_size + len(palette)
    pixels = _packed_rows(raster.samples)
    x_density, y_density = _densities(raster.metadata.dpi)
    info = struct.pack(
        "<IiiHHIIiiII",
        header_size,
        width,
        height,
        1,
        8 * channels,
        _BITFIELDS if channels == 4 else _RGB,
        len(pixels),
        x_density,
        y_density,
        256 if channels == 1 else 0,
        0,
    )
    if header_size == 124:
        masks = (*_MASKS_888[:3], 0xFF000000) if channels == 4 else (0, 0, 0, 0)
        info += struct.pack("<IIII", *masks)
        info += (_SRGB if icc is None else _EMBEDDED_PROFILE) + bytes(48)
        at = header_size + len(palette) + len(pixels) if icc else 0
        info += struct.pack("<IIII", 4, at, len(icc or b""), 0)
    size = offset + len(pixels) + len(icc or b"")
    if size > _MAX_BYTES:
        raise UnsupportedImageError("it is too long for a BMP; save it as PNG")
    head = struct.pack("<2sIII", b"BM", size, 0, offset)
    return b"".join((head, info, palette, pixels, icc or b"", _trailer(record)))


def refusal(raster: Raster) -> str | None:
    """What of the raster a BMP can't hold, in words, or None."""
    if raster.depth != 8:
        return "16-bit samples"
    if raster.channels == 2:
        return "gray images with alpha"
    if raster.metadata.exif is not None or raster.metadata.xmp is not None:
        return "EXIF or XMP metadata"
    if max(raster.height, raster.width) > _MAX_SIDE:
        return f"{raster.width} x {raster.height} pixels"
    return None


def _check_kind(bits: int, compression: int) -> None:
    if bits not in (1, 4, 8, 16, 24, 32):
        raise _damaged(f"its header says {bits} bits a pixel")
    masked = compression in (_BITFIELDS, _ALPHABITFIELDS) and bits in (16, 32)
    if compression != _RGB and not masked:
        raise UnsupportedImageError(
            "compressed BMP files can't be carried exactly; re-save it as PNG"
        )


def _palette(data: bytes, header_size: int, colours: int, offset: int) -> np.ndarray:
    """``(colours, 1 or 3)`` uint8."""
    size = 3 if header_size == 12 else 4
    start = 14 + header_size
    colours = min(colours, (offset - start) // size)
    if not 1 <= colours <= 1 << 16 or start + colours * size > len(data):
        raise _damaged("its palette is cut short")
    table = np.frombuffer(data, np.uint8, colours * size, start)
    table = table.reshape(colours, size)[:, 2::-1]
    gray = (table == table[:, :1]).all()
    return table[:, :1] if gray else table


def _is_ramp(palette: np.ndarray) -> bool:
    """Whether a palette's indices are gray samples themselves."""
    return palette.shape == (256, 1) and bool((palette[:, 0] == np.arange(256)).all())


def _left_out(
    data: bytes, header_size: int, bits: int, offset: int, end: int
) -> list[str]:
    """Kinds of what lies where neither header, palette, samples nor profile do."""
    found = []
    used = 14 + header_size
    if header_size == 40 and bits in (16, 32):
        used += 16  # masks behind the header
    if bits <= 8:
        used += (3 if header_size == 12 else 4) << bits
    if any(data[used:offset]):
        found.append("bytes between header and picture")
    rest = data[end:]
    if header_size == 124 and data[14 + 56 : 14 + 60] == _EMBEDDED_PROFILE:
        at, size = struct.unpack_from("<II", data, 14 + 112)
        if 14 + at >= end:
            rest = data[end : 14 + at] + data[14 + at + size :]
    elif header_size == 124 and data[14 + 56 : 14 + 60] == _LINKED_PROFILE:
        found.append("link to a colour profile")
    if rest and not (rest.startswith(_START) and rest.endswith(_END)):
        found.append("bytes after the end")
    return found


def _indices(rows: np.ndarray, width: int, bits: int, colours: int) -> np.ndarray:
    if bits == 1:
        indices = np.unpackbits(rows, axis=1)
    elif bits == 4:
        indices = np.stack((rows >> 4, rows & 15), 2).reshape(len(rows), -1)
    else:
        indices = rows
    indices = indices[:, :width]
    if int(indices.max()) >= colours:
        raise _damaged("a pixel's colour is not in its palette")
    return indices


def _masks(
    data: bytes, header_size: int, bits: int, compression: int, offset: int
) -> tuple[int, ...]:
    """The bits of red, green, blue and alpha in a pixel."""
    if compression == _RGB:
        return _MASKS_555 if bits == 16 else _MASKS_888
    with_alpha = header_size >= 56 or compression == _ALPHABITFIELDS
    count = 4 if with_alpha else 3
    if 54 + 4 * count > min(offset, len(data)):
        raise _damaged("its colour masks are cut short")
    masks = struct.unpack_from(f"<{count}I", data, 54)
    return masks if with_alpha else (*masks, 0)


def _masked(
    rows: np.ndarray, width: int, bits: int, masks: tuple[int, ...]
) -> np.ndarray:
    pixels = rows[:, : width * bits // 8]
    pixels = np.ascontiguousarray(pixels).view(f"<u{bits // 8}")
    planes = [_plane(pixels, mask) for mask in (masks if masks[3] else masks[:3])]
    return np.stack(planes, 2)


def _plane(pixels: np.ndarray, mask: int) -> np.ndarray:
    low = (mask & -mask).bit_length() - 1 if mask else 0
    peak = mask >> low
    if not 1 <= peak <= 255 or peak & (peak + 1):
        raise UnsupportedImageError(
            f"its colour mask {mask:#x} isn't one run of at most 8 bits; re-save it "
            "as PNG"
        )
    values = (pixels >> low) & peak
    if peak == 255:
        return values.astype(np.uint8)
    return (values.astype(np.uint16) * 255 // peak).astype(np.uint8)


def _profile(data: bytes, header_size: int) -> bytes | None:
    if header_size != 124 or data[14 + 56 : 14 + 60] != _EMBEDDED_PROFILE:
        return None
    at, size = struct.unpack_from("<II", data, 14 + 112)
    if not size or 14 + at + size > len(data):
        raise _damaged("its colour profile is cut short")
    return data[14 + at : 14 + at + size]


def _packed_rows(samples: np.ndarray) -> bytes:
    """Rows from the bottom up, blue first, padded to four bytes."""
    height, width, channels = samples.shape
    stride = (width * channels + 3) // 4 * 4
    rows = np.zeros((height, stride), np.uint8)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    packed = rows[:, : width * channels].reshape(height, width, channels)
    for index, channel in enumerate(order):
        packed[:, :, index] = samples[::-1, :, channel]
    if not np.shares_memory(packed, rows):
        rows[:, : width * channels] = packed.reshape(height, -1)
    return rows.tobytes()


def _densities(dpi: tuple[float, float] | None) -> tuple[int, int]:
    if dpi is None:
        return 0, 0
    x, y = (min(round(dots / _METRES_AN_INCH), _MAX_SIDE) for dots in dpi)
    return x, y


def _trailer(record: bytes | None) -> bytes:
    if record is None:
        return b""
    tail = _TAIL.pack(zlib.crc32(record), len(record), _END)
    return b"".join((_START, record, tail))


def _read_record(data: bytes, declared: int) -> bytes | None:
    after = data[declared : declared + len(_START)]
    started = bool(after) and _START.startswith(after)
    if not started and not data.endswith(_END):
        return None
    if len(data) >= _TAIL.size:
        crc, length, end = _TAIL.unpack_from(data, len(data) - _TAIL.size)
        start = len(data) - _TAIL.size - length
        if end == _END and start >= len(_START):
            record = data[start : start + length]
            marked = data.startswith(_START, start - len(_START))
            if marked and zlib.crc32(record) == crc:
                return record
    raise DamagedRecordError(
        "its record is damaged or cut short; use the file as it was delivered"
    )


def _damaged(why: str) -> UnreadableImageError:
    return UnreadableImageError(f"damaged BMP: {why}; replace or remove it")


CARRIER = Carrier("BMP", (".bmp", ".dib"), begins(b"BM"), decode, encode, refusal)
