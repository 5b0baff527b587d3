import numpy as np
import pytest

from fiftyone_reue.perturb.gratings import grating_tables
from fiftyone_reue.perturb.rue.variety import vary

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("reach", "count"), [(2, 2 * 25 * 2), (None, 2 * 24 * 2)])
def test_all_of_the_variety_is_used_and_nothing_else(reach, count):
    draw = np.random.default_rng(0)
    variants = draw.integers(-8, 9, (2, 6, 4, 1)).astype(np.int8)
    keys = [draw.bytes(32) for _ in range(3000)]
    made = [vary(variants, key, reach) for key in keys]
    rolls = [
        np.roll(pattern, (down, right), axis=(0, 1)).tobytes()
        for pattern in [*variants, *variants[:, :, ::-1]]
        for down in (range(6) if reach is None else range(-2, 3))
        for right in (range(4) if reach is None else range(-2, 3))
    ]
    assert {pattern.tobytes() for pattern in made} == set(rolls)
    assert len(rolls) == count
    assert all(p.shape == (6, 4, 1) and p.dtype == np.int8 for p in made)
    assert np.array_equal(vary(variants, keys[0], reach), made[0])


def test_flips_can_be_left_out():
    table = np.arange(12, dtype=np.int8).reshape(1, 3, 4, 1)
    keys = [bytes([0, flip, 0, 0, 0, 0]) for flip in (0, 1)]
    plain, flipped = (vary(table, key, 0) for key in keys)
    assert np.array_equal(flipped, plain[:, ::-1])
    assert np.array_equal(vary(table, keys[1], 0, flips=False), plain)


def test_a_varied_table_is_a_copy():
    variants = np.ones((1, 4, 4, 1), np.int8)
    vary(variants, bytes(32))[:] = 0
    assert variants.all()


@pytest.mark.slow
def test_a_classs_gratings_average_out():
    """What the class mean and a linear model could find isn't there."""
    tables = grating_tables(4, 1, 8, np.random.default_rng(3))
    draw = np.random.default_rng(0)
    for table in tables:
        many = [vary(table, draw.bytes(32)).astype(float) for _ in range(2000)]
        assert np.abs(np.mean(many, axis=0)).max() < 1.0
