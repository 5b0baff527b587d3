"""Hatching."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.perturb.deep_hiding.hatching import (
    BENT,
    DARK,
    INVERTED,
    LIGHT,
    Hatching,
    hatched,
    light_parts,
    scene_in,
)

pytestmark = pytest.mark.unit

BOTH = pytest.mark.parametrize("hatching", [BENT, INVERTED])


def _scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width)).astype(np.uint8)


def _square() -> np.ndarray:
    scene = np.zeros((64, 64), np.uint8)
    scene[16:44, 8:36] = 200
    return scene


@pytest.mark.slow
@given(st.integers(8, 80), st.integers(8, 80), st.integers(5, 15))
def test_it_is_dark_and_light_alone(height: int, width: int, cycles: int) -> None:
    result = hatched(_scene(height, width), [(cycles, 0)], [17])
    assert result.shape == (height, width)
    assert set(np.unique(result)) <= {DARK, LIGHT}


@given(st.integers(0, 99), st.sampled_from([60, 200]))
def test_a_mostly_light_scene_is_parted_too(share: int, shade: int) -> None:
    scene = np.full((20, 20), shade, np.uint8)
    scene.flat[: 4 * share] = 120
    light = light_parts(scene)
    if 0 < share < 100:
        assert np.unique(light).size == 2
        assert len(np.unique(scene[light])) == 1


@BOTH
def test_a_plain_scene_is_its_stripes(hatching: Hatching) -> None:
    scene = np.zeros((64, 64), np.uint8)
    result = hatched(scene, [(0, 7)], [100], hatching).astype(float)
    assert (result == result[0]).all()
    power = np.abs(np.fft.rfft(result[0] - result[0].mean()))
    assert power.argmax() == 7


def test_inverted_parts_exchange_dark_and_light() -> None:
    plain = hatched(np.zeros((64, 64), np.uint8), [(6, 0), (0, 9)], [0, 500], INVERTED)
    drawn = hatched(_square(), [(6, 0), (0, 9)], [0, 500], INVERTED)
    assert np.array_equal(drawn != plain, _square() > 0)


def test_bent_stripes_are_shifted_by_a_quarter_without_a_break() -> None:
    drawn = hatched(_square(), [(8, 0)], [0])  # a stripe and its gap take 8 rows
    for column, phase in ((2, 256), (20, 0), (60, 256)):
        wave = np.cos(2 * np.pi * (8 * np.arange(64) / 64 + phase / 1024))
        inside = slice(20, 40)
        sure = np.abs(wave[inside]) > 0.1
        agree = (drawn[inside, column] == LIGHT) == (wave[inside] > 0)
        assert agree[sure].all()
    changes = (np.diff(drawn.astype(int), axis=0) != 0).sum(0)
    assert changes.min() >= 14  # no stripe is lost anywhere
    assert changes.max() <= 18


@BOTH
@pytest.mark.parametrize("waves", [[(7, 0)], [(0, 13)], [(9, 0), (0, 11)]])
def test_the_scene_is_seen_in_it_again(
    hatching: Hatching, waves: list[tuple[int, int]]
) -> None:
    phases = [300] * len(waves)
    drawn = hatched(_square(), waves, phases, hatching).astype(float)
    noise = np.random.default_rng(0).normal(0, 60, drawn.shape)
    noisy = (0.5 * drawn + 64 + noise).clip(0, 255).astype(np.uint8)
    seen = scene_in(noisy, waves, phases, hatching)
    assert seen.shape == drawn.shape
    assert seen.dtype == np.uint8
    assert _agreement(seen, light_parts(_square())) > 0.6
    others = [(down and down + 2, across and across + 2) for down, across in waves]
    wrong = scene_in(noisy, others, phases, hatching)
    assert abs(_agreement(wrong, light_parts(_square()))) < 0.4


def test_a_flat_image_shows_nothing() -> None:
    seen = scene_in(np.full((40, 30), 90, np.uint8), [(7, 0)], [3])
    assert seen.shape == (40, 30)
    assert np.ptp(seen) == 0


@pytest.mark.parametrize(
    ("hatching", "expected"),
    [(INVERTED, "81aa69b2432b4f8c"), (BENT, "62b02bcbe7318c68")],
)
def test_bytes_are_the_same_everywhere(hatching: Hatching, expected: str) -> None:
    result = hatched(_scene(48, 40), [(5, 0), (0, 11)], [3, 1000], hatching)
    assert hashlib.sha256(result.tobytes()).hexdigest()[:16] == expected


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
