"""Working sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.invertible.working import levels_for, means, spread

pytestmark = pytest.mark.unit


@pytest.mark.slow
@given(
    st.integers(16, 70),
    st.integers(16, 70),
    st.integers(0, 3),
    st.sampled_from([1, 3]),
    st.integers(0, 2**31),
)
def test_means_move_by_what_their_pixels_are_moved_by(
    height: int, width: int, levels: int, colours: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    image = generator.integers(-300, 600, (height, width, colours))
    before = means(image, levels)
    change = generator.integers(-20, 20, before.shape)
    moved = image + spread(change, levels, height, width)
    assert np.array_equal(means(moved, levels), before + change)


@pytest.mark.slow
@given(st.integers(16, 5000), st.integers(16, 5000), st.integers(0, 2))
def test_the_shorter_side_fits(height: int, width: int, least: int) -> None:
    levels = levels_for(height, width, 128, least)
    side = min(height, width) >> levels
    assert side <= 128
    assert levels == least or min(height, width) >> (levels - 1) > 128


def test_means_are_means() -> None:
    image = np.arange(16 * 16).reshape(16, 16, 1)
    wanted = image.reshape(4, 4, 4, 4, 1).mean((1, 3))
    assert np.abs(means(image, 2) - wanted).max() <= 1


def test_a_strip_stays_as_it_is() -> None:
    change = np.ones((6, 8, 1), np.int16)
    whole = spread(change, 2, 25, 35)
    assert whole.sum() == 24 * 32
    assert (whole[24:] == 0).all()
    assert (whole[:, 32:] == 0).all()
