import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, features

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.foreign import decode

pytestmark = pytest.mark.unit


def written(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def picture(rgb) -> Image.Image:
    return Image.fromarray(rgb)


@pytest.mark.parametrize("format", ["JPEG2000", "TGA", "PCX", "SGI", "DDS"])
def test_exact_kinds_that_no_carrier_takes_are_read(format):
    shown = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    data = written(Image.fromarray(shown), format)
    found = load(data, ending=f".{format.lower()}", any_kind=True)
    assert np.array_equal(found.raster.samples[..., :3], shown)
    assert found.record is None


def test_avif_is_read(picture, rgb):
    if not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    data = written(picture, "AVIF", quality=100)
    with pytest.raises(UnsupportedImageError, match="AVIF files can't be carried"):
        load(data)
    samples = load(data, any_kind=True).raster.samples
    assert samples.shape == rgb.shape


@pytest.mark.parametrize(("mode", "channels"), [("CMYK", 3), ("YCbCr", 3), ("LAB", 3)])
def test_a_tiff_of_other_colours_is_read(picture, mode, channels):
    data = written(picture.convert("RGB").convert(mode), "TIFF")
    with pytest.raises(UnsupportedImageError, match="TIFF with"):
        load(data)
    found = load(data, any_kind=True)
    assert found.raster.channels == channels


def test_transparency_is_kept(picture):
    turned = picture.convert("RGBA")
    turned.putalpha(7)
    data = written(turned, "TGA")
    assert (load(data, any_kind=True).raster.samples[..., 3] == 7).all()
    assert (
        load(
            written(picture.convert("1"), "PCX"), ending=".pcx", any_kind=True
        ).raster.channels
        == 1
    )


def test_several_pictures_and_numbers_are_refused_as_before(picture):
    frames = {"save_all": True, "append_images": [picture.rotate(90)]}
    for data, says in (
        (written(picture, "GIF", **frames), "frames"),
        (written(picture, "TIFF", **frames), "pages"),
        (written(picture.convert("F"), "TIFF"), "floating-point"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ):
        with pytest.raises((UnsupportedImageError, UnreadableImageError), match=says):
            load(data, any_kind=True)


def test_a_raw_files_preview_is_no_suspect(picture):
    data = written(picture, "TIFF")
    with pytest.raises(UnsupportedImageError, match="DNG files can't be carried"):
        load(data, ending=".dng", any_kind=True)


def test_too_many_pixels_are_refused_before_they_are_decoded(picture):
    data = written(picture.resize((100, 100)), "JPEG2000")
    assert decode(data, max_pixels=10_000) is not None
    with pytest.raises(UnsupportedImageError, match="more than the limit of 9999"):
        decode(data, max_pixels=9_999)
    claims = bytearray(written(picture, "PCX"))
    claims[8:12] = b"\xff\x7f\xff\x7f"
    with pytest.raises(UnsupportedImageError, match=r"more (than|pixels)"):
        load(bytes(claims), ending=".pcx", any_kind=True)


@pytest.mark.parametrize("format", ["JPEG2000", "TGA", "PCX", "SGI", "DDS"])
def test_any_cut_or_damage_gives_one_of_our_errors(picture, format):
    whole = written(picture.resize((32, 32)), format)
    draw = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole[: draw.integers(4, len(whole) + 1)])
        data[draw.integers(4, len(data) + 1) - 1] ^= int(draw.integers(1, 256))
        try:
            found = load(bytes(data), ending=f".{format.lower()}", any_kind=True)
        except (UnreadableImageError, UnsupportedImageError):
            continue
        assert found.raster.samples.size


def test_tiles_that_are_larger_than_their_picture_are_refused():
    file = io.BytesIO()
    samples = np.zeros((32, 32, 4), np.uint8)
    tifffile.imwrite(file, samples, photometric="separated", tile=(16, 16))
    data = file.getvalue()
    assert decode(data, max_pixels=25_000_000) is not None
    for tag in (322, 323):
        at = data.index(struct.pack("<HHI", tag, 4, 1))
        data = data[:at] + struct.pack("<HHII", tag, 4, 1, 60_000) + data[at + 12 :]
    with pytest.raises(UnsupportedImageError, match="60000 x 60000 pixels are more"):
        decode(data, max_pixels=25_000_000)


def test_an_icon_is_not_read_since_what_it_holds_may_be_larger(picture):
    with pytest.raises(UnsupportedImageError, match="icon files can't be carried"):
        load(written(picture, "ICO"), any_kind=True)
