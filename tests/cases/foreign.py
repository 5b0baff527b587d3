"""What isn't supported, or no image: each has to be named, none passed over."""

import struct
from collections.abc import Iterator

from tests.cases.case import Case, refused
from tests.cases.jpeg import jpeg
from tests.cases.pictures import noise, photo, saved


def cases() -> Iterator[Case]:
    """All of them."""

    def no(name: str, kind: str, data: bytes, says: str) -> Case:
        return refused(f"other/{name}", kind, data, says)

    def box(brand: bytes) -> bytes:
        return struct.pack(">I4s4sI4s", 24, b"ftyp", brand, 0, b"mif1") + noise(900)

    data = saved(photo(), "TGA")
    data = saved(photo(), "TGA")
    yield no("new.tga", "TGA with its footer", data, "TGA|supported")
    old, _, _ = saved(photo(), "TGA").partition(bytes(8) + b"TRUEVISION")
    yield no("old.tga", "TGA without a footer", old, "TGA|supported|not an image")
    yield no("icon.ico", "icon", saved(photo(), "ICO"), "icon|supported")
    yield no("phone.heic", "HEIC", box(b"heic"), "HEIC")
    yield no("web.avif", "AVIF", box(b"avif"), "AVIF")
    yield no("scan.jp2", "JPEG 2000", saved(photo(), "JPEG2000"), "JPEG 2000")
    yield no("next.jxl", "JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n" + noise(99), "JPEG XL")
    layers = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 80, 96, 8, 3)
    yield no("layers.psd", "Photoshop", layers + noise(99), "Photoshop")
    yield no("linear.exr", "OpenEXR", b"\x76\x2f\x31\x01" + noise(99), "EXR|supported")
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    yield no("drawing.svg", "SVG", drawing, "SVG|supported|not an image")
    yield no("empty.png", "an empty file", b"", "empty")
    yield no("words.png", "text named .png", b"not a picture\n", "not an image")
    yield no("zeros.jpg", "zeros", bytes(4000), "not an image")
    yield Case("other/photo", "no suffix", jpeg(photo()), "either", "suffix")
    yield Case("other/shout.JPG", "suffix in capitals", jpeg(photo()), "file")
    yield no("heic_as.jpg", "HEIC named .jpg", box(b"heic"), "HEIC")
