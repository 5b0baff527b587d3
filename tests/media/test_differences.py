"""Differences of two copies: exact for any two, and refused for any other image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media import differences

pytestmark = pytest.mark.unit

SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from((1, 3)))


@settings(max_examples=30, deadline=None)
@given(data=st.data(), shape=SHAPES, dtype=st.sampled_from((np.uint8, np.uint16)))
def test_any_two_images_have_a_difference(data, shape, dtype) -> None:
    before, after = (data.draw(arrays(dtype, shape)) for _ in range(2))
    packed = differences.between(before, after, shape[2])
    kept = before.copy()
    assert np.array_equal(differences.applied(before, packed, shape[2]), after)
    assert np.array_equal(before, kept)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_any_two_sets_of_coefficients_have_a_difference(data, rows, columns) -> None:
    shape = (rows, columns, 8, 8)
    before, after = (
        [data.draw(arrays(np.int16, shape)) for _ in range(2)] for _ in range(2)
    )
    packed = differences.between_blocks(before, after)
    made = differences.applied_blocks(before, packed)
    assert all(map(np.array_equal, made, after))


def test_small_differences_take_little() -> None:
    generator = np.random.default_rng(0)
    before = generator.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    after = before.copy()
    after[10:20, 10:20] ^= 1
    assert len(differences.between(before, after, 3)) < 250
    blocks = generator.integers(-50, 50, (8, 8, 8, 8)).astype(np.int16)
    moved = blocks.copy()
    moved[:, :, 1, 2] += 1
    assert len(differences.between_blocks([blocks], [moved])) < 100


def test_alpha_stays() -> None:
    before = np.zeros((9, 9, 4), np.uint8)
    after = before.copy()
    after[..., :3] += 7
    packed = differences.between(before, after, 3)
    assert np.array_equal(differences.applied(before, packed, 3), after)
    after[0, 0, 3] = 1
    with pytest.raises(ValueError, match="aren't colour"):
        differences.between(before, after, 3)


def test_of_another_image_it_is_refused() -> None:
    before = np.zeros((9, 9, 3), np.uint8)
    packed = differences.between(before, before + np.uint8(1), 3)
    for other in (np.zeros((9, 8, 3), np.uint8), np.zeros((9, 9, 3), np.uint16)):
        with pytest.raises(DamagedRecordError):
            differences.applied(other, packed, 3)
    blocks = np.zeros((2, 2, 8, 8), np.int16)
    of_blocks = differences.between_blocks([blocks], [blocks + 99])
    for others in ([blocks[:1]], [blocks, blocks], []):
        with pytest.raises(DamagedRecordError):
            differences.applied_blocks(others, of_blocks)


@pytest.mark.parametrize("length", range(0, 60, 3))
def test_cut_short_it_is_refused(length: int) -> None:
    generator = np.random.default_rng(1)
    before, after = generator.integers(0, 256, (2, 9, 9, 3)).astype(np.uint8)
    packed = differences.between(before, after, 3)
    with pytest.raises(DamagedRecordError):
        differences.applied(before, packed[:length], 3)
    blocks = [one[:8, :8, :1].reshape(1, 1, 8, 8).astype(np.int16) for one in (after,)]
    packed = differences.between_blocks(blocks, [blocks[0] + 40])
    with pytest.raises(DamagedRecordError):
        differences.applied_blocks(blocks, packed[: min(length, len(packed) - 1)])
