import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.media.codec import load
from fiftyone_reue.media.previews import without_previews
from fiftyone_reue.media.raster import Metadata

pytestmark = pytest.mark.unit


def test_a_thumbnail_is_blanked_and_the_rest_stays(pillow, rgb):
    thumbnail = pillow(rgb, "JPEG")
    head = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    ifd1 = b"\x1a\0\0\0\x02\0\x01\x02\x04\0\x01\0\0\0\x38\0\0\0\x02\x02\x04\0\x01\0\0\0"
    exif = head + ifd1 + len(thumbnail).to_bytes(4, "little") + bytes(4) + thumbnail
    data = pillow(rgb, "JPEG", exif=b"Exif\0\0" + exif)
    metadata = load(data).raster.metadata
    assert thumbnail in metadata.exif
    blanked = without_previews(metadata)
    assert b"\xff\xd8" not in blanked.exif
    assert len(blanked.exif) == len(exif)
    read = Image.Exif()
    read.load(blanked.exif)
    assert read[274] == 6


def test_a_cut_thumbnail_is_blanked_too():
    exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0\xff\xd8\xff\xe0 no end"
    assert without_previews(Metadata(exif=exif)).exif == exif[:14] + bytes(11)


@pytest.mark.parametrize("exif", [None, b"", b"II*\0\x08\0\0\0\0\0\0\0\0\0"])
def test_without_a_preview_nothing_changes(exif):
    metadata = Metadata(exif=exif, xmp=b"\xff\xd8\xff in XMP is text")
    assert without_previews(metadata) is metadata


def test_photoshops_layers_are_not_carried(tiff):
    layers = (37724, "B", 40, bytes(40), True)
    data = tiff(np.zeros((4, 4), np.uint8), extratags=[layers])
    exif = load(data).raster.metadata.exif
    assert (37724).to_bytes(2, "little") not in exif
