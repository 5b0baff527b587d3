import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.media import alpha

pytestmark = pytest.mark.unit


def test_opacity_is_the_share_of_the_peak():
    samples = np.array([[[9, 0], [9, 51], [9, 255]]], np.uint8)
    assert alpha.opacity(samples, 1).tolist() == [[0, np.float32(0.2), 1]]
    deep = samples.astype(np.uint16) * 257
    assert np.array_equal(alpha.opacity(deep, 1), alpha.opacity(samples, 1))
    assert alpha.opacity(samples, 1).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_opaque_has_no_opacity_and_is_seen_in_full(dtype, channels):
    colours = 1 if channels <= 2 else 3
    samples = np.full((4, 5, channels), np.iinfo(dtype).max, dtype)
    assert alpha.opacity(samples, colours) is None
    assert alpha.seen(samples, colours) == 20
    assert np.array_equal(alpha.flattened(samples, colours, 0), samples[..., :colours])


def test_partly_transparent_pixels_are_seen_by_their_share():
    samples = np.zeros((10, 10, 4), np.uint8)
    assert alpha.seen(samples, 3) == 0
    samples[:5, :, 3] = 51
    assert alpha.seen(samples, 3) == pytest.approx(10)


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**32),
    background=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_flattening_is_what_others_do(seed, background):
    samples = np.random.default_rng(seed).integers(0, 256, (9, 7, 4), np.uint8)
    theirs = Image.new("RGBA", (7, 9), (*background, 255))
    theirs.alpha_composite(Image.fromarray(samples))
    ours = alpha.flattened(samples, 3, np.array(background))
    assert ours.dtype == np.uint8
    apart = ours.astype(int) - np.asarray(theirs.convert("RGB"))
    assert np.abs(apart).max() <= 1


def test_sixteen_bits_are_flattened_in_sixteen():
    samples = np.array([[[1000, 0], [1000, 65535], [1000, 32768]]], np.uint16)
    flat = alpha.flattened(samples, 1, 60000.0)
    assert flat.dtype == np.uint16
    assert flat[0, :, 0].tolist() == [60000, 1000, 30500]
