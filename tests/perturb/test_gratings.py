import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.gratings import (
    CELLS,
    HIGHEST,
    LOWEST,
    class_codes,
    grating,
    grating_tables,
    soft_grating,
    summed_waves,
)

pytestmark = pytest.mark.unit


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(2, 1210))
def test_every_class_has_a_code_of_its_own_inside_the_band(classes):
    codes = class_codes(classes)
    assert len(codes) == len({frozenset(code) for code in codes}) == classes
    for code in codes:
        assert all(min(wave) == 0 for wave in code)
        assert all(LOWEST <= max(wave) <= HIGHEST for wave in code)


@pytest.mark.parametrize(("classes", "waves"), [(10, 1), (22, 1), (100, 2), (1000, 3)])
def test_classes_get_as_few_waves_as_tell_them_apart(classes, waves):
    assert {len(code) for code in class_codes(classes)} == {waves}


def test_too_many_classes_are_refused():
    with pytest.raises(InputError, match="1211 classes are more than the 1210"):
        class_codes(1211)


def test_a_gratings_energy_is_at_its_frequency():
    made = grating([(0, 8)], np.array([0.1]), CELLS, 6)
    assert made.shape == (CELLS, CELLS, 1)
    assert made.dtype == np.int8
    assert set(np.unique(made)) == {-6, 6}
    spectrum = np.abs(np.fft.fft2(made[..., 0]))
    down, across = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert (down, across) in {(0, 8), (0, CELLS - 8)}


def test_a_sum_has_both_of_its_lines():
    made = grating([(5, 0), (0, 11)], np.array([0.3, 0.8]), CELLS, 6)
    spectrum = np.abs(np.fft.fft2(made[..., 0]))
    strongest = set(np.argsort(spectrum.ravel())[-4:])
    assert strongest == {5 * CELLS, 27 * CELLS, 11, 21}


def test_tables_are_keyed_and_differ_between_classes_and_variants():
    tables = grating_tables(10, 2, 7, np.random.default_rng(1))
    assert tables.shape == (10, 2, CELLS, CELLS, 1)
    assert len({table.tobytes() for table in tables.reshape(20, -1)}) == 20
    again = grating_tables(10, 2, 7, np.random.default_rng(1))
    assert np.array_equal(again, tables)
    other = grating_tables(10, 2, 7, np.random.default_rng(2))
    assert not np.array_equal(other, tables)


def test_variants_of_a_class_are_the_same_lines():
    tables = grating_tables(4, 2, 7, np.random.default_rng(1))
    lines = np.abs(np.fft.fft2(tables[..., 0])).reshape(4, 2, -1).argmax(-1)
    halves = np.minimum(lines, CELLS * CELLS - lines)
    for one, two in lines:
        assert two in {one, -one % CELLS, -one % (CELLS * CELLS)}
    assert len(np.unique(halves[:, 0])) == 4


@pytest.mark.slow
@given(st.integers(8, 80), st.integers(LOWEST, HIGHEST), st.integers(0, 1023))
def test_a_wave_is_a_cosine(side, cycles, phase):
    made = summed_waves([(0, cycles)], [phase], 4, side)
    assert made.shape == (4, side)
    turns = cycles * np.arange(side) / side + phase / 1024
    assert np.abs(made[0] / 2**14 - np.cos(2 * np.pi * turns)).max() < 2 * np.pi / 1024


@pytest.mark.slow
@given(
    st.sampled_from([[(0, 7)], [(9, 0), (0, 11)], [(5, 0), (8, 0), (0, 12)]]),
    st.integers(32, 90),
    st.integers(0, 1023),
)
def test_a_soft_grating_has_its_strength(waves, strength, phase):
    made = soft_grating(waves, [phase] * len(waves), CELLS, strength)
    assert made.shape == (CELLS, CELLS, 1)
    assert made.dtype == np.int8
    levels = np.sqrt(np.mean(made.astype(float) ** 2))
    # Of one wave a tile has few different values, which may all be rounded one way:
    # of any strength and phase drawn here by 0.27 at most.
    assert levels == pytest.approx(strength / 16, abs=0.28)


def test_soft_gratings_are_the_same_everywhere():
    made = soft_grating([(5, 0), (0, 11)], [3, 1000], CELLS, 40)
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == "242df8679c3171ff"
