import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.media.codec import load
from fiftyone_reue.media.square import to_square

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(8, 8), (100, 20), (32, 32), (9, 501)])
def test_any_image_becomes_an_eight_bit_square(channels, dtype, shape):
    draw = np.random.default_rng(0)
    samples = draw.integers(0, np.iinfo(dtype).max, (*shape, channels)).astype(dtype)
    colours = 1 if channels < 3 else 3
    square = to_square(samples, colours, 32)
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8
    scale = 1 if dtype == np.uint8 else 257
    wanted = samples[..., :colours].mean() / scale
    assert abs(float(square.mean()) - wanted) < 12
    if colours == 1:
        assert (square[..., 0] == square[..., 2]).all()


def test_the_right_size_is_left_alone():
    samples = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    assert np.array_equal(to_square(samples, 3, 32), samples)


@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette", "key", "gif"])
def test_what_is_transparent_is_seen_as_by_those_who_train(kind):
    """Loaders of image folders convert to RGB, which drops alpha."""
    draw = np.random.default_rng(0)
    samples = draw.integers(0, 256, (32, 32, 4), np.uint8)
    samples[:9, :, 3] = 0
    image, options = Image.fromarray(samples), {}
    if kind in ("palette", "gif"):
        image = image.convert("RGB").quantize(200)
        options = {"transparency": 3}
    elif kind == "key":
        image = image.convert("RGB")
        options = {"transparency": tuple(map(int, samples[5, 5, :3]))}
    else:
        image = image.convert(kind)
    file = io.BytesIO()
    image.save(file, "GIF" if kind == "gif" else "PNG", **options)
    raster = load(file.getvalue()).raster
    assert raster.has_alpha
    shown = np.asarray(Image.open(file).convert("RGB"))
    assert np.array_equal(to_square(raster.samples, raster.colour_channels, 32), shown)
