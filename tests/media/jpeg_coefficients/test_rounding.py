"""Offsets have as much as there can be of what is wanted, and never too much."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.media.jpeg_coefficients.library import stop
from fiftyone_reue.media.jpeg_coefficients.limits import largest_change
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.rounding import PARTS, fitted, strength
from fiftyone_reue.media.jpeg_coefficients.transform import forward
from fiftyone_reue.media.jpeg_coefficients.writing import write
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.unit

ONES = np.ones((8, 8), np.uint16)


def parts(wanted: np.ndarray) -> np.ndarray:
    return np.rint(np.multiply(wanted, PARTS)).astype(np.int32)


def got(wanted: np.ndarray, offsets: np.ndarray, steps: np.ndarray) -> float:
    return float((offsets * steps * wanted).sum() / (wanted * wanted).sum())


def smooth(count: int = 200, size: int = 8, seed: int = 0) -> np.ndarray:
    """(count, 8, 8) float64: wanted coefficients of gentle patterns."""
    rng = np.random.default_rng(seed)
    wanted = np.zeros((count, 8, 8))
    wanted[:, :4, :4] = rng.normal(0, size, (count, 4, 4))
    return wanted


def steps_of(quality: int) -> np.ndarray:
    return (
        read(pillow(picture(16, 16), "L", quality=quality)).components[0].quantisation
    )


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    wanted=st.lists(st.integers(-1500, 1500), min_size=64, max_size=64),
    step=st.one_of(st.integers(1, 255), st.integers(1, 65535)),
    limit=st.one_of(st.floats(0, 20), st.floats(0, 1000)),
)
def test_no_block_exceeds_its_limit(wanted: list[int], step: int, limit: float):
    target = np.array(wanted, float).reshape(1, 8, 8)
    steps = np.full((8, 8), step, np.uint16)
    offsets = fitted(parts(target), steps, limit)
    assert largest_change(offsets, steps).max() <= limit + 1e-2 * (1 + limit)
    assert (offsets * np.sign(target) >= 0).all()


def test_small_steps_give_all_of_it():
    wanted = smooth()
    offsets = fitted(parts(wanted), ONES, 255)
    assert np.abs(offsets - wanted).max() < 0.51


def test_nothing_is_wanted():
    assert not fitted(parts(np.zeros((3, 4, 8, 8))), ONES, 8).any()
    assert fitted(parts(np.zeros((0, 8, 8))), ONES, 8).shape == (0, 8, 8)


def test_each_block_has_its_limit():
    wanted = forward(np.full((3, 8, 8), 8))
    offsets = fitted(parts(wanted), ONES, np.array([8.0, 3.0, 0.0]))
    assert offsets[:, 0, 0].tolist() == [64, 24, 0]


@pytest.mark.parametrize(("quality", "least"), [(50, 0.5), (75, 0.8), (95, 0.9)])
def test_much_is_left_where_steps_are_larger(quality: int, least: float):
    """A change of 2 gray levels or so, of which rounding alone leaves less."""
    steps, wanted = steps_of(quality), smooth(size=6)
    offsets = fitted(parts(wanted), steps, 255)
    rounded = np.rint(wanted / steps)
    assert got(wanted, offsets, steps) >= max(least, got(wanted, rounded, steps) - 0.05)
    assert got(wanted, offsets, steps) < 1.05


def test_more_is_left_than_by_cutting_down():
    """Patterns that are at their limit everywhere exceed it once they are rounded."""
    rng = np.random.default_rng(0)
    signs = np.sign(rng.normal(size=(300, 4, 4))).repeat(2, 1).repeat(2, 2)
    wanted, steps = forward((8 * signs).astype(int)), steps_of(75)
    offsets = fitted(parts(wanted), steps, 8)
    assert largest_change(offsets, steps).max() <= 8.01
    scaled = np.rint(wanted / steps)
    share = 8 / np.maximum(largest_change(scaled.astype(np.int16), steps), 8)
    cut = np.trunc(scaled * share[:, None, None])
    assert got(wanted, offsets, steps) > got(wanted, cut, steps) + 0.1


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_opposite_gets_the_opposite(quality: int):
    """So a pattern is fitted once, whatever signs it is used with."""
    wanted, steps = smooth(size=30), steps_of(quality)
    assert np.array_equal(
        fitted(parts(-wanted), steps, 8), -fitted(parts(wanted), steps, 8)
    )


def test_far_too_much():
    with pytest.raises(ValueError, match="too large"):
        fitted(parts(np.full((8, 8), 9000.0)), ONES, 8)


@pytest.mark.parametrize("with_base", [False, True])
def test_coefficients_stay_in_range(with_base: bool):
    found = read(pillow(picture(40, 32), "L"))
    blocks = found.components[0].blocks.copy()
    blocks[0, 0, 0, 0], blocks[0, 1, 3, 3] = 1020, -1020
    blocks[0, 2, 2, 2] = blocks[0, 3, 2, 2] = 2000  # as no encoder writes
    wanted = np.zeros(blocks.shape, np.int16)
    wanted[0, 0, 0, 0], wanted[0, 1, 3, 3], wanted[0, 2, 2, 2] = 50, -50, -5
    wanted[0, 3, 1, 1], wanted[0, 4, 0, 0] = 5, 5
    offsets = wanted.copy()
    if with_base:
        blocks[0, 0, 0, 0], blocks[0, 4, 0, 0] = 960, 1023
    found = found.with_blocks([blocks])
    stopped = stop(found.components[0].blocks, offsets)
    expected = [not with_base, True, True, False, with_base]
    assert stopped[0].tolist() == expected
    assert not stopped[1:].any()
    assert np.array_equal(offsets, np.where(stopped[..., None, None], 0, wanted))
    again = read(write(found.with_blocks([blocks + offsets])))
    assert np.array_equal(again.components[0].blocks, blocks + offsets)


def test_strength():
    found = read(pillow(picture(32, 32)))
    luma = found.components[0]
    pattern = smooth(luma.rows * luma.columns).reshape(luma.blocks.shape)
    wanted = [parts(pattern), None, None]
    none = [np.zeros(one.blocks.shape, np.int16) for one in found.components]
    assert strength(wanted, none, found) == 0
    half = [np.rint(pattern / 2 / luma.quantisation).astype(np.int16), *none[1:]]
    assert strength(wanted, half, found) == pytest.approx(
        got(pattern, half[0], luma.quantisation), rel=1e-3
    )
    assert strength([None] * 3, none, found) == 0
