import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.codec import load

pytestmark = pytest.mark.unit


def test_gif_of_one_frame(foreign_files, pillow):
    raster = load(foreign_files["gif"]).raster
    assert (raster.format, raster.channels) == ("GIF", 3)
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 1, 2, 3])
    image.putpixel((1, 0), 1)
    keyed = load(pillow(image, "GIF", transparency=1)).raster
    assert keyed.samples[0, :, 3].tolist() == [255, 0]
    assert keyed.samples[0, 0].tolist() == [9, 8, 7, 255]


def test_gif_of_several_frames(pillow, rgb):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    data = pillow(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImageError, match="has 2 frames"):
        load(data)


def test_cut_gif_is_noticed_or_whole(foreign_files):
    data = foreign_files["gif"]
    expected = load(data).raster.samples
    for size in range(len(data)):
        try:
            samples = load(data[:size]).raster.samples
        except UnreadableImageError:
            continue
        # Without its closing byte the picture is complete all the same.
        assert size >= len(data) - 2
        assert np.array_equal(samples, expected)


@pytest.mark.parametrize("interlace", [0, 1])
def test_rows_in_any_order(pillow, rgb, interlace):
    image = Image.fromarray(rgb).quantize(16)
    loaded = load(pillow(image, "GIF", interlace=interlace))
    assert np.array_equal(loaded.raster.samples, np.asarray(image.convert("RGB")))
    assert ("interlacing" in loaded.stored) == bool(interlace)


@pytest.mark.parametrize("key", [None, 3])
def test_a_picture_smaller_than_its_canvas(pillow, rgb, key):
    image = Image.fromarray(rgb).quantize(16)
    options = {} if key is None else {"transparency": key}
    data = bytearray(pillow(image, "GIF", **options))
    data[6:10] = b"\x28\0\x1e\0"  # 40 x 30
    at = data.index(b"\x2c\0\0\0\0\x1f\0")
    data[at + 1], data[at + 3] = 2, 5
    raster = load(bytes(data)).raster
    with Image.open(io.BytesIO(data)) as shown:
        expected = np.asarray(shown.convert("RGB" if key is None else "RGBA"))
    assert np.array_equal(raster.samples, expected)


def test_a_picture_larger_than_its_canvas_is_refused(pillow, rgb):
    data = bytearray(pillow(Image.fromarray(rgb).quantize(16), "GIF"))
    data[6] -= 1
    with pytest.raises(UnreadableImageError, match="larger than its canvas"):
        load(bytes(data))


def test_what_is_left_out_is_named(pillow, rgb):
    image = Image.fromarray(rgb).quantize(16)
    assert load(pillow(image, "GIF")).left_out == ()
    data = pillow(image, "GIF", comment=b"words", loop=0)
    names = ("GIF comment", "GIF application extension 'NETSCAPE2.0'")
    assert set(load(data).left_out) == set(names)
    assert load(pillow(image, "GIF") + b"more").left_out == ("bytes after the end",)
