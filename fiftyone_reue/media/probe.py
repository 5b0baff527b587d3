"""What a file is, by its first bytes, and whether it is small enough to decode."""

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError

_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
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
}


def sniff(data: bytes) -> str:
    """Name the container of a file's bytes.

    Args:
        data: the whole file or at least its first 32 bytes.

    Returns:
        ``"PNG"``, ``"JPEG"``, ``"WEBP"``, ``"TIFF"``, ``"BMP"``, ``"GIF"`` or
        ``"PNM"``.

    Raises:
        UnreadableImageError: the file is empty or isn't an image.
        UnsupportedImageError: an image in a container that can't be carried.
    """
    if not data:
        raise UnreadableImageError("the file is empty; replace or remove it")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(_TIFF_MAGICS):
        return "TIFF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"P5", b"P6")) and data[2:3].isspace():
        return "PNM"
    raise _foreign(data)


def _foreign(data: bytes) -> UnreadableImageError | UnsupportedImageError:
    name = _BRANDS.get(data[8:12]) if data[4:8] == b"ftyp" else None
    for magic, foreign in _FOREIGN_MAGICS.items():
        if data.startswith(magic):
            name = foreign
    if name:
        return UnsupportedImageError(
            f"{name} files can't be carried exactly; convert it to PNG first"
        )
    return UnreadableImageError(
        "not an image file, whatever its name says; replace or remove it"
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
