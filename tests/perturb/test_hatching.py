"""Hatching."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.perturb.hatching import DARK, LIGHT, hatched

pytestmark = pytest.mark.unit


def _scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width)).astype(np.uint8)


@given(st.integers(8, 80), st.integers(8, 80), st.integers(5, 15))
def test_it_is_dark_and_light_alone(height: int, width: int, cycles: int) -> None:
    result = hatched(_scene(height, width), [(cycles, 0)], [17])
    assert result.shape == (height, width)
    assert set(np.unique(result)) <= {DARK, LIGHT}


def test_a_plain_scene_is_its_stripes() -> None:
    result = hatched(np.zeros((64, 64), np.uint8), [(0, 7)], [100]).astype(float)
    assert (result == result[0]).all()
    power = np.abs(np.fft.rfft(result[0] - result[0].mean()))
    assert power.argmax() == 7


def test_light_parts_exchange_dark_and_light() -> None:
    scene = np.zeros((64, 64), np.uint8)
    plain = hatched(scene, [(6, 0), (0, 9)], [0, 500])
    scene[16:40, 8:30] = 200
    drawn = hatched(scene, [(6, 0), (0, 9)], [0, 500])
    assert np.array_equal(drawn != plain, scene > 0)


def test_bytes_are_the_same_everywhere() -> None:
    result = hatched(_scene(48, 40), [(5, 0), (0, 11)], [3, 1000])
    assert hashlib.sha256(result.tobytes()).hexdigest()[:16] == "81aa69b2432b4f8c"
