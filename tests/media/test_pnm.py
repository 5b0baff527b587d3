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


def test_pnm_of_both_depths():
    gray = load(b"P5 # a comment\n2 1\n65535\n\x01\x02\xff\xff").raster
    assert gray.samples.dtype == np.uint16
    assert gray.samples.ravel().tolist() == [0x102, 65535]
    colour = load(b"P6\n1\n1\n255\n\1\2\3 trailing").raster
    assert colour.samples.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (b"P6 1 1 255\n\1\2", UnreadableImageError, "cut short"),
        (b"P6 1 one 255\n\1\2\3", UnreadableImageError, "no header"),
        (b"P5 1 1 63\n\1", UnsupportedImageError, "63"),
        (b"P5 999999999 999999999 255\n", UnsupportedImageError, "--max-pixels"),
        (b"P5 0 1 255\n", UnreadableImageError, "0 x 1"),
    ],
)
def test_refused_pnm(data, error, why):
    with pytest.raises(error, match=why):
        load(data)
