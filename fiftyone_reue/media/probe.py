"""What a file is that no carrier takes, and whether one is small enough to decode."""

import re
import struct

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError

_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"crx ": "Canon raw",
}
_FOREIGN_MAGICS = {
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"DDS ": "DDS",
    b"qoif": "QOI",
    b"\0\0\x01\0": "icon",
    b"\x8aMNG": "MNG",
    b"\x8bJNG": "JNG",
    b"PF\n": "PFM",
    b"Pf\n": "PFM",
    b"#?RADIANCE": "Radiance HDR",
    b"SIMPLE  =": "FITS",
    b"\x01\xda": "SGI",
    b"\x59\xa6\x6a\x95": "Sun raster",
    b"icns": "icon",
    b"II\xbc\x01": "JPEG XR",
    b"IIU\0": "Panasonic raw",
    b"IIRO": "Olympus raw",
    b"FUJIFILMCCD-RAW": "Fujifilm raw",
    b"gimp xcf": "GIMP",
    b"AT&TFORM": "DjVu",
    b"BPG\xfb": "BPG",
    b"Image type: ": "IM",
    b"/* XPM */": "XPM",
}
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?"
    rb"(?:<!DOCTYPE[^>]*>\s*)?<svg\b",
    re.DOTALL,
)


def foreign(data: bytes) -> UnreadableImageError | UnsupportedImageError:
    """What to say of a file that no carrier takes, by its first bytes."""
    if _is_bare_dib(data):
        return UnsupportedImageError(
            "a DIB, that is a BMP without its file header; save it as BMP"
        )
    name = _foreign_name(data)
    if name:
        return UnsupportedImageError(
            f"{name} files can't be carried exactly; convert it to PNG first"
        )
    return UnreadableImageError(
        "not an image file, whatever its name says; replace or remove it"
    )


def _foreign_name(data: bytes) -> str | None:
    if data[4:8] == b"ftyp" and data[8:12] in _BRANDS:
        return _BRANDS[data[8:12]]
    for magic, name in _FOREIGN_MAGICS.items():
        if data.startswith(magic):
            return name
    if data[128:132] == b"DICM":
        return "DICOM"
    if _SVG.match(data):
        return "SVG"
    return "TGA" if _is_tga(data) else None


def _is_bare_dib(data: bytes) -> bool:
    """By its header, of which every field is in its range."""
    if len(data) < 16:
        return False
    size, width, height, planes, bits = struct.unpack_from("<IiiHH", data)
    return (
        size in (40, 108, 124)
        and planes == 1
        and bits in (1, 2, 4, 8, 16, 24, 32)
        and width > 0
        and height != 0
    )


def _is_tga(data: bytes) -> bool:
    """By its footer, or by a header of which every field is in its range."""
    if data.endswith(b"TRUEVISION-XFILE.\0"):
        return True
    if len(data) < 19:
        return False
    mapped, kind, depth = data[1], data[2], data[16]
    sides = data[12:14], data[14:16]
    return (
        mapped in (0, 1)
        and kind in (1, 2, 3, 9, 10, 11)
        and depth in (8, 15, 16, 24, 32)
        and (mapped == 1 or not any(data[3:8]))
        and all(map(any, sides))
    )


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse an image before anything of its size is allocated.

    Raises:
        UnreadableImageError: a side is zero.
        UnsupportedImageError: it has more than ``max_pixels`` pixels.
    """
    if width < 1 or height < 1:
        raise UnreadableImageError(f"its header says {width} x {height} pixels")
    if width * height > max_pixels:
        raise UnsupportedImageError(
            f"{width} x {height} pixels are more than the limit of {max_pixels}; if "
            "you trust the file, raise the limit with --max-pixels"
        )
