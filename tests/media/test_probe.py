import struct

import pytest

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.carriers import CARRIERS, FALLBACK, named, sniff, writer

pytestmark = pytest.mark.unit

TGA = bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 2, 0, 24, 0]) + bytes(24)


@pytest.mark.parametrize("kind", b"1234567")
def test_every_pnm_is_known(kind):
    assert sniff(b"P%c\n" % kind).name == "PNM"
    assert sniff(b"P%c# comment\n" % kind).name == "PNM"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (TGA, "TGA"),
        (b"anything" * 9 + b"TRUEVISION-XFILE.\0", "TGA"),
        (bytes(128) + b"DICM" + bytes(9), "DICOM"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg/>', "SVG"),
        (b"PF\n1 1\n-1.0\n" + bytes(12), "PFM"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"SIMPLE  =                    T", "FITS"),
        (b"\x8aMNG\r\n\x1a\n", "MNG"),
        (b"\0\0\1\0\1\0", "icon"),
        (b"Image type: RGB image\r\n", "IM"),
        (b"/* XPM */\nstatic char", "XPM"),
    ],
)
def test_formats_that_are_not_read_are_named(data, name):
    with pytest.raises(UnsupportedImageError, match=f"^{name} files .*PNG"):
        sniff(data)


@pytest.mark.parametrize("size", [40, 108, 124])
@pytest.mark.parametrize("height", [9, -9])
def test_a_bitmap_without_its_file_header_is_known(size, height):
    dib = struct.pack("<IiiHH", size, 8, height, 1, 24) + bytes(size + 300)
    with pytest.raises(UnsupportedImageError, match=r"a DIB.*save it as BMP"):
        sniff(dib)
    for wrong in (
        struct.pack("<IiiHH", size + 1, 8, height, 1, 24),
        struct.pack("<IiiHH", size, 8, height, 2, 24),
        struct.pack("<IiiHH", size, 0, height, 1, 24),
        struct.pack("<IiiHH", size, 8, height, 1, 23),
        struct.pack("<I", size),
    ):
        with pytest.raises(UnreadableImageError, match="not an image"):
            sniff(wrong)


def test_carriers_have_names_and_suffixes_of_their_own():
    names = [name for one in CARRIERS for name in (one.name, *one.variants)]
    suffixes = [suffix for one in CARRIERS for suffix in one.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)
    assert all(named(name) in CARRIERS for name in names)


def test_what_is_written_instead_can_hold_everything():
    assert FALLBACK.encode is not None
    assert writer(FALLBACK.name) is FALLBACK
    assert writer("GIF") is writer("WEBP-LOSSY") is writer("png") is None
