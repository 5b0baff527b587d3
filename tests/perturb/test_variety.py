import numpy as np
import pytest

from fiftyone_reue.perturb.variety import MAX_ROLL, vary

pytestmark = pytest.mark.unit


def test_a_variant_is_chosen_flipped_and_rolled_by_the_key():
    draw = np.random.default_rng(0)
    variants = draw.integers(-9, 10, (3, 16, 16, 1)).astype(np.int8)
    keys = [bytes(draw.integers(0, 256, 32).tolist()) for _ in range(3000)]
    made = [vary(variants, key) for key in keys]
    wanted = {
        np.roll(variant[:, ::step], (down, right), (0, 1)).tobytes()
        for variant in variants
        for step in (1, -1)
        for down in range(-MAX_ROLL, MAX_ROLL + 1)
        for right in range(-MAX_ROLL, MAX_ROLL + 1)
    }
    assert {one.tobytes() for one in made} == wanted
    assert all(one.flags.c_contiguous and one.dtype == np.int8 for one in made)
    assert np.array_equal(vary(variants, keys[0]), made[0])


def test_the_key_is_all_that_counts():
    variants = np.arange(64, dtype=np.int8).reshape(1, 8, 8, 1)
    before = variants.copy()
    vary(variants, b"\x00\x01\x04\x03" + bytes(28))[:] = 0
    assert np.array_equal(variants, before)
