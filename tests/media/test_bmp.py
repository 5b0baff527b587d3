import struct

import numpy as np
import pytest

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit


def assemble(
    bits: int, width: int, height: int, pixels: bytes, palette=b"", compression=0
) -> bytes:
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0
    )
    offset = 54 + len(palette)
    size = offset + len(pixels)
    return struct.pack("<2sIII", b"BM", size, 0, offset) + info + palette + pixels


def test_five_bits_a_channel_are_scaled():
    pixels = struct.pack("<HH", 0b0_11111_00000_10000, 1)
    raster = load(assemble(16, 2, 1, pixels)).raster
    assert raster.samples.ravel().tolist() == [255, 0, 131, 0, 0, 8]


def test_colour_masks():
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    pixels = struct.pack("<HH", 0xFFFF, 0x07E0)
    raster = load(assemble(16, 2, 1, pixels, masks, 3)).raster
    assert raster.samples.ravel().tolist() == [255, 255, 255, 0, 255, 0]


def test_rows_may_run_from_the_top():
    pixels = bytes([1, 2, 3, 0, 4, 5, 6, 0])
    down = load(assemble(24, 1, -2, pixels)).raster.samples
    up = load(assemble(24, 1, 2, pixels)).raster.samples
    assert down.ravel().tolist() == [3, 2, 1, 6, 5, 4]
    assert np.array_equal(up, down[::-1])


@pytest.mark.parametrize(
    ("palette", "expected"),
    [
        (bytes([0, 0, 0, 0, 9, 9, 9, 0]), [9, 0]),
        (bytes([0, 0, 0, 0, 9, 8, 7, 0]), [7, 8, 9, 0, 0, 0]),
    ],
)
def test_palettes(palette, expected):
    data = assemble(1, 2, 1, b"\x80\0\0\0", palette)
    assert load(data).raster.samples.ravel().tolist() == expected


def test_the_old_core_header():
    head = struct.pack("<2sIII", b"BM", 30, 0, 26)
    head += struct.pack("<IHHHH", 12, 1, 1, 1, 24)
    assert load(head + b"\1\2\3\0").raster.samples.ravel().tolist() == [3, 2, 1]


def test_profile_comes_back(own_files):
    assert load(own_files["BMP"]).raster.metadata.icc == b"profile"


@pytest.mark.parametrize("field", ["exif", "xmp"])
def test_metadata_without_a_place_is_refused(rgb, field):
    raster = Raster(rgb, "BMP", Metadata(**{field: b"x"}))
    with pytest.raises(UnsupportedImageError, match="EXIF or XMP"):
        encode(raster, "BMP")


def test_gray_with_alpha_is_refused(rgb):
    raster = Raster(np.ascontiguousarray(rgb[:, :, :2]), "PNG")
    with pytest.raises(UnsupportedImageError, match="gray images with alpha"):
        encode(raster, "BMP")


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (assemble(8, 2, 2, bytes(8), b"", 1), UnsupportedImageError, "compressed"),
        (assemble(7, 2, 2, bytes(8)), UnreadableImageError, "7 bits"),
        (assemble(24, 0, 2, bytes(8)), UnreadableImageError, "0 x 2"),
        (assemble(24, 2, 2, bytes(15)), UnreadableImageError, "cut short"),
        (assemble(8, 1, 1, b"\5\0\0\0", bytes(16)), UnreadableImageError, "palette"),
        (assemble(24, 2**31 - 1, 9, b""), UnsupportedImageError, "--max-pixels"),
        (
            assemble(32, 1, 1, bytes(4), struct.pack("<III", 5, 2, 8), 3),
            UnsupportedImageError,
            "0x5",
        ),
    ],
)
def test_refused(data, error, why):
    with pytest.raises(error, match=why):
        load(data)


def test_every_cut_is_noticed_but_the_one_that_leaves_a_whole_bmp(own_files):
    data = own_files["BMP"]
    whole = int.from_bytes(data[2:6], "little")
    for size in range(len(data)):
        if size == whole:
            assert load(data[:size]).record is None
            continue
        error = UnreadableImageError if size < whole else DamagedRecordError
        with pytest.raises(error):
            load(data[:size])


def test_an_edited_record_is_noticed(own_files):
    data = own_files["BMP"]
    start = data.index(b"reUE-start")
    for at in range(start, len(data)):
        edited = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        with pytest.raises(DamagedRecordError):
            load(edited)
        assert load(edited, ignore_record=True).record is None


def test_other_programs_trailers_are_no_records(own_files, rgb):
    data = encode(Raster(rgb, "BMP"), "BMP")
    assert load(data + b"something else").record is None


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (assemble(24, 1, 1, bytes(4)), None),
        (assemble(32, 1, 1, bytes(4)), None),
        (assemble(16, 1, 1, bytes(4)), "5-bit samples"),
        (
            assemble(16, 1, 1, bytes(4), struct.pack("<III", 0xF800, 0x7E0, 0x1F), 3),
            "5- and 6-bit samples",
        ),
        (assemble(1, 1, 1, bytes(4), bytes(8)), "a palette"),
        (assemble(8, 1, 1, bytes(4), bytes(1024)), "a palette"),
        (
            assemble(
                8, 1, 1, bytes(4), bytes(v for n in range(256) for v in (n, n, n, 0))
            ),
            None,
        ),
    ],
)
def test_how_samples_were_stored(data, stored):
    loaded = load(data)
    assert (loaded.stored, loaded.left_out) == (stored, ())


def test_what_is_left_out_is_named(own_files):
    data = assemble(24, 1, 1, bytes(4))
    assert load(data + b"more").left_out == ("bytes after the end",)
    gap = data[:10] + struct.pack("<I", 60) + data[14:54] + b"hidden" + data[54:]
    assert load(gap).left_out == ("bytes between header and picture",)
    fourth = assemble(32, 1, 1, b"\1\2\3\4")
    assert load(fourth).left_out == ("fourth bytes that aren't alpha",)
    loaded = load(own_files["BMP"])
    assert (loaded.left_out, loaded.stored) == ((), None)
