import io
import re
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.codec import encode, load, release_format
from tests.media.jpeg_coefficients import encoded

pytestmark = pytest.mark.unit


def test_samples_are_pillows(foreign_files):
    for name, channels in (("jpeg", 3), ("jpeg-progressive", 1)):
        raster = load(foreign_files[name]).raster
        shown = np.asarray(Image.open(io.BytesIO(foreign_files[name])))
        assert raster.format == "JPEG"
        assert raster.channels == channels
        assert np.array_equal(raster.samples, shown.reshape(raster.samples.shape))


def test_orientation_is_kept_not_applied(pillow, rgb):
    exif = Image.Exif()
    exif[274] = 6
    data = pillow(
        rgb, "JPEG", exif=exif, icc_profile=b"profile", dpi=(96, 96), xmp=b"<x/>"
    )
    first = load(data).raster
    assert first.samples.shape == rgb.shape
    metadata = load(encode(first, release_format(first))).raster.metadata
    assert metadata.exif == exif.tobytes().removeprefix(b"Exif\0\0")
    assert (metadata.icc, metadata.xmp) == (b"profile", b"<x/>")
    assert metadata.dpi == pytest.approx((96, 96), abs=0.02)


def test_every_cut_is_noticed(foreign_files):
    for name in ("jpeg", "jpeg-progressive"):
        data = foreign_files[name]
        for size in range(len(data)):
            with pytest.raises(UnreadableImageError):
                load(data[:size])


def test_a_cut_large_photo_is_noticed(pillow):
    samples = np.random.default_rng(7).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    data = pillow(samples, "JPEG")
    with pytest.raises(UnreadableImageError, match=r"p\.jpg: damaged JPEG"):
        load(data[: len(data) // 2], name="p.jpg")


def test_cmyk_is_shown_as_rgb(pillow, rgb):
    data = pillow(Image.fromarray(rgb).convert("CMYK"), "JPEG")
    loaded = load(data)
    assert loaded.stored == "CMYK colours"
    with Image.open(io.BytesIO(data)) as image:
        shown = np.asarray(image.convert("RGB"))
    assert np.array_equal(loaded.raster.samples, shown)
    for size in range(0, len(data), 7):
        with pytest.raises(UnreadableImageError):
            load(data[:size])


def test_what_is_written_is_the_file_with_another_record(foreign_files):
    data = foreign_files["jpeg"]
    loaded = load(data)
    again = encode(loaded.raster, "JPEG", b"a record")
    assert load(again).record == b"a record"
    assert np.array_equal(load(again).raster.samples, loaded.raster.samples)
    assert encode(load(again).raster, "JPEG") == data
    with pytest.raises(UnsupportedImageError, match="can't be written exactly"):
        encode(loaded.raster.with_samples(loaded.raster.samples), "JPEG")


def test_two_components_are_refused(foreign_files):
    data = bytearray(foreign_files["jpeg"])
    data[data.index(b"\xff\xc0") + 9] = 2
    with pytest.raises(UnsupportedImageError, match="two-channel"):
        load(bytes(data))


@pytest.mark.parametrize(
    ("marker", "bits", "why"),
    [
        (0xC1, 12, "12-bit"),
        (0xC3, 8, "lossless"),
        (0xC5, 8, "hierarchical"),
        (0xCB, 8, "arithmetic-coded and lossless"),
        (0xF7, 8, r"lossless \(JPEG-LS\)"),
    ],
)
def test_other_kinds_of_jpeg_are_refused(foreign_files, marker, bits, why):
    data = bytearray(foreign_files["jpeg"])
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    with pytest.raises(UnsupportedImageError, match=f"{why} JPEG .*8-bit baseline"):
        load(bytes(data))


@pytest.mark.parametrize("options", [(), ("-progressive",), ("-restart", "1")])
def test_arithmetic_coding_is_read(rgb, options):
    plain, coded = encoded.cjpeg(rgb), encoded.cjpeg(rgb, "-arithmetic", *options)
    if plain is None or coded is None:
        pytest.skip("there is no cjpeg that codes so")
    assert np.array_equal(load(coded).raster.samples, load(plain).raster.samples)
    with pytest.raises(UnreadableImageError, match="cut short"):
        load(coded[:-2])


def test_a_picture_that_arithmetic_coding_makes_tiny_is_read():
    plain = encoded.cjpeg(np.zeros((2000, 2000, 3), np.uint8), "-arithmetic")
    if plain is None:
        pytest.skip("there is no cjpeg that codes so")
    assert 8 * len(plain) < 250 * 250
    assert not load(plain).raster.samples.any()


def test_two_channels_are_refused(foreign_files):
    data = bytearray(foreign_files["jpeg"])
    data[data.index(b"\xff\xc0") + 9] = 2
    with pytest.raises(UnsupportedImageError, match="two-channel"):
        load(bytes(data))


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (segment(0xFE, b"words"), "JPEG comment"),
        (segment(0xED, b"Photoshop 3.0\08BIM"), "IPTC (APP13)"),
        (segment(0xE0, b"JFXX\0\x10"), "JFXX thumbnail"),
        (segment(0xE2, b"MPF\0MM"), "index of further pictures (APP2)"),
        (segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0"), "extended XMP"),
        (segment(0xE1, b"own"), "APP1 segment"),
        (segment(0xE5, b""), "APP5 segment"),
        (segment(0xEE, b"Adobe" + bytes(30)), "APP14 segment"),
        (
            segment(0xE2, b"ICC_PROFILE\0\2\2half"),
            "colour profile in pieces that don't fit",
        ),
    ],
)
def test_segments_that_are_left_out_are_named(foreign_files, part, name):
    data = foreign_files["jpeg"]
    loaded = load(data[:20] + part + part + data[20:])
    assert loaded.left_out == (name,)
    assert loaded.stored is None
    assert loaded.raster.metadata == load(data).raster.metadata


def test_metadata_behind_the_first_scan_is_nobodys(foreign_files):
    """Viewers have read what they read of it before they draw."""
    exif = Image.Exif()
    exif[274] = 6
    late = segment(0xE1, exif.tobytes()) + segment(0xEE, b"Adobe\0\x64" + bytes(5))
    late += segment(0xE2, b"ICC_PROFILE\0\1\1profile")
    for name in ("jpeg", "jpeg-progressive"):
        data = foreign_files[name]
        place = data.rindex(b"\xff\xda") if "progressive" in name else len(data) - 2
        loaded = load(data[:place] + late + data[place:])
        before = load(data)
        assert loaded.raster.metadata == before.raster.metadata
        assert np.array_equal(loaded.raster.samples, before.raster.samples)
        said = "metadata behind the picture's beginning"
        assert loaded.left_out == (*before.left_out, said)


def test_what_lies_behind_the_end_is_named(foreign_files):
    data = foreign_files["jpeg"]
    assert load(data).left_out == ()
    assert load(data + b"more").left_out == ("bytes after the end",)
    assert load(data + data).left_out == ("further pictures after the end",)


def test_the_jfif_segments_other_fields(foreign_files):
    data = bytearray(foreign_files["jpeg"])
    data[13:18] = struct.pack(">BHH", 0, 2, 1)
    assert load(bytes(data)).left_out == ("pixel aspect ratio",)
    thumbnail = b"JFIF\0\1\2\0\0\1\0\1\1\1abc"
    whole = bytes(data[:2]) + segment(0xE0, thumbnail) + bytes(data[20:])
    assert load(whole).left_out == ("JFIF thumbnail",)


def test_blocks_in_several_segments_are_joined(pillow, rgb, foreign_files):
    icc = np.random.default_rng(0).bytes(150_000)
    data = pillow(rgb, "JPEG", icc_profile=icc)
    loaded = load(data)
    assert loaded.raster.metadata.icc == icc
    assert loaded.left_out == ()


def test_the_resolution_of_exif_counts_where_there_is_no_other(pillow, rgb):
    exif = Image.Exif()
    exif[274] = 6
    assert load(pillow(rgb, "JPEG", exif=exif)).raster.metadata.dpi is None
    exif[282] = exif[283] = 118.0
    exif[296] = 3
    dpi = load(pillow(rgb, "JPEG", exif=exif)).raster.metadata.dpi
    assert dpi == pytest.approx((299.72, 299.72))


@pytest.mark.parametrize("how", ["cut", "progressive", "huge"])
def test_an_end_mark_does_not_hide_what_is_missing(
    how: str, capfd: pytest.CaptureFixture
) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (112, 160, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", progressive=how == "progressive")
    data = file.getvalue()
    if how == "huge":
        at = data.index(b"\xff\xc0") + 5
        data = data[:at] + (1400).to_bytes(2, "big") * 2 + data[at + 4 :]
    else:
        data = data[: len(data) // 2] + b"\xff\xd9"
    with pytest.raises(UnreadableImageError, match="cut short"):
        load(data)
    assert capfd.readouterr().err == ""


def test_bytes_that_say_nothing_are_no_damage() -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "JPEG")
    data = file.getvalue()[:-2] + b"\0\0\0\xff\xd9"
    assert load(data).raster.samples.shape == (30, 40, 3)


def scans_of(data: bytes) -> tuple[bytes, list[bytes]]:
    """What is before the first scan, and each scan with the tables before the next."""
    head, *scans = re.split(rb"(?=\xff\xda)", data.removesuffix(b"\xff\xd9"))
    return head, scans


def progressive(samples: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "JPEG", progressive=True, **options)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", [{}, {"quality": 100, "subsampling": 0}])
def test_a_progressive_picture_needs_all_its_scans(
    channels: int, options: dict[str, int]
) -> None:
    samples = np.random.default_rng(3).integers(0, 256, (40, 56, channels), np.uint8)
    data = progressive(samples.squeeze(), **options)
    assert load(data).raster.samples.shape == samples.shape
    head, scans = scans_of(data)
    assert len(scans) == (6 if channels == 1 else 10)
    for count in range(1, len(scans)):
        with pytest.raises(UnreadableImageError, match="cut short: scans are missing"):
            load(head + b"".join(scans[:count]) + b"\xff\xd9")


def baseline_in_scans_of_their_own() -> bytes:
    """A flat block of each of three components, as a program may send them."""
    flat = io.BytesIO()
    Image.new("L", (8, 8), 90).save(flat, "JPEG")
    head, (scan,) = scans_of(flat.getvalue())
    at = head.index(b"\xff\xc0")
    end = at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    components = b"".join(bytes([one, 0x11, 0]) for one in (1, 2, 3))
    frame = segment(0xC0, struct.pack(">BHHB", 8, 8, 8, 3) + components)
    scans = [scan[:5] + bytes([one]) + scan[6:] for one in (1, 2, 3)]
    return head[:at] + frame + head[end:] + b"".join(scans) + b"\xff\xd9"


def test_every_component_needs_its_scan() -> None:
    data = baseline_in_scans_of_their_own()
    assert load(data).raster.samples.shape == (8, 8, 3)
    head, scans = scans_of(data)
    for count in (1, 2):
        with pytest.raises(UnreadableImageError, match="scans are missing"):
            load(head + b"".join(scans[:count]) + b"\xff\xd9")


@pytest.mark.parametrize(("times", "side"), [(12, 24), (5, 15000)])
def test_a_file_in_very_many_scans_is_refused(times: int, side: int) -> None:
    head, scans = scans_of(progressive(np.full((24, 24, 3), 99, np.uint8)))
    at = head.index(b"\xff\xc2") + 5
    head = head[:at] + side.to_bytes(2, "big") * 2 + head[at + 4 :]
    filling = segment(0xEF, bytes(65000)) * (1 + side * side // 8 // 64 // 65000)
    data = head + filling + b"".join(scans) * times + b"\xff\xd9"
    with pytest.raises(UnsupportedImageError, match=rf"has {10 * times} scans"):
        load(data, max_pixels=side * side)
