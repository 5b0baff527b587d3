import struct

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit


def kinds(data: bytes) -> list[bytes]:
    found, at = [], 12
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        found.append(kind)
        at += 8 + length + length % 2
    assert at == len(data) == 8 + int.from_bytes(data[4:8], "little")
    return found


def test_container_order(own_files):
    assert kinds(own_files["WEBP"]) == [
        b"VP8X",
        b"ICCP",
        b"VP8L",
        b"EXIF",
        b"XMP ",
        b"REUE",
    ]


def test_a_bare_image_needs_no_extended_container(rgb):
    assert kinds(encode(Raster(rgb, "WEBP"), "WEBP")) == [b"VP8L"]


@pytest.mark.parametrize("record", [None, b"", b"odd", b"even"])
def test_chunks_are_padded(rgb, record):
    metadata = Metadata(icc=b"abc", xmp=b"de")
    data = encode(Raster(rgb, "WEBP", metadata), "WEBP", record)
    assert len(data) % 2 == 0
    kinds(data)
    assert load(data).record == record


def test_opaque_alpha_and_colour_under_transparency_stay(rgb):
    for alpha in (255, 0):
        samples = np.dstack([rgb, np.full(rgb.shape[:2], alpha, np.uint8)])
        for record in (None, b"r"):
            loaded = load(encode(Raster(samples, "WEBP"), "WEBP", record))
            assert np.array_equal(loaded.raster.samples, samples)


def test_lossy_and_lossless_are_told_apart(foreign_files):
    assert load(foreign_files["webp-lossy"]).raster.format == "WEBP-LOSSY"
    assert load(foreign_files["webp-lossy-alpha"]).raster.channels == 4
    assert load(foreign_files["webp-lossless"]).raster.format == "WEBP"


def test_metadata_of_other_writers(pillow, rgb):
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    data = pillow(rgb, "WEBP", lossless=True, exif=exif, xmp=b"<x/>", icc_profile=b"p")
    metadata = load(data).raster.metadata
    assert metadata == Metadata(icc=b"p", exif=exif[6:], xmp=b"<x/>")


def test_every_cut_is_noticed(own_files, foreign_files):
    for data in (own_files["WEBP"], foreign_files["webp-lossy-alpha"]):
        for size in range(len(data)):
            with pytest.raises((UnreadableImageError, DamagedRecordError)):
                load(data[:size])


def test_a_cut_record_is_told_from_a_cut_image(own_files):
    data = own_files["WEBP"]
    at = data.index(b"REUE")
    for size in range(at + 8, len(data)):
        with pytest.raises(DamagedRecordError, match="cut short"):
            load(data[:size])
    with pytest.raises(UnreadableImageError, match="damaged WebP"):
        load(data[: at - 20])
    too_long = data[: at + 4] + b"\xff\xff\0\0" + data[at + 8 :]
    with pytest.raises(DamagedRecordError, match="cut short"):
        load(too_long)
    assert load(own_files["WEBP"] + b"trailing junk").record == bytes(range(60))


def test_animations_are_refused(pillow, rgb):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    data = pillow(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True
    )
    with pytest.raises(UnsupportedImageError, match="has 2 frames"):
        load(data)


def test_gray_is_refused(rgb):
    with pytest.raises(UnsupportedImageError, match=r"gray.*PNG"):
        encode(Raster(np.ascontiguousarray(rgb[:, :, :1]), "PNG"), "WEBP")


def test_the_largest_sides(pillow):
    raster = Raster(np.zeros((16382, 1, 3), np.uint8), "WEBP")
    assert load(encode(raster, "WEBP")).raster.height == 16382
    foreign = pillow(np.full((16383, 1, 3), 7, np.uint8), "WEBP", lossless=True)
    assert np.unique(load(foreign).raster.samples).tolist() == [7]


@pytest.mark.parametrize("name", ["webp-lossy", "webp-lossless"])
def test_chunks_that_are_left_out_are_named(foreign_files, name):
    data = foreign_files[name]
    assert load(data).left_out == ()
    more = b"prev\4\0\0\0abcd"
    longer = len(data) - 8 + len(more)
    whole = data[:4] + struct.pack("<I", longer) + data[8:] + more
    assert load(whole).left_out == ("WebP chunk 'prev'",)
    assert load(data + more).left_out == ("bytes after the end",)
    again = data[12:]
    twice = data[:4] + struct.pack("<I", len(data) - 8 + len(again)) + data[8:] + again
    assert load(twice).left_out[0] in ("WebP chunk 'VP8 '", "WebP chunk 'VP8L'")


def test_own_files_leave_nothing_out(own_files):
    loaded = load(own_files["WEBP"])
    assert (loaded.left_out, loaded.stored) == ((), None)
