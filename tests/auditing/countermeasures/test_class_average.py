import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.class_average import (
    ClassAverage,
    align,
    high_pass,
    power_spectrum,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")

AMPLITUDE = 8


@pytest.fixture(scope="module")
def originals() -> np.ndarray:
    """Blotches with edges and a little grain, away from black and white."""
    draw = np.random.default_rng(0)
    blotches = draw.normal(0, 1, (64, 8, 8, 3)).cumsum(1).cumsum(2)
    blotches /= np.abs(blotches).max(axis=(1, 2, 3), keepdims=True)
    images = 128 + 90 * blotches.repeat(4, axis=1).repeat(4, axis=2)
    return np.rint(images + draw.normal(0, 3, images.shape)).astype(np.uint8)


LABELS = np.arange(64) % 2


def cleaned(images: np.ndarray, labels: np.ndarray = LABELS) -> np.ndarray:
    held = Holdings(images, labels, 2, images, images, labels)
    made = finish(ClassAverage().prepare(held, effort=Effort(), context=CONTEXT))
    assert made.images.dtype == np.uint8
    assert np.array_equal(made.labels, labels)
    return made.images


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference.astype(float) ** 2).mean()))


def signs(cell: int) -> np.ndarray:
    """``(2, 32, 32, 1)``, a gray pattern a class."""
    draw = np.random.default_rng(1).choice([-AMPLITUDE, AMPLITUDE], (2, 32, 32, 1))
    coarse = draw[:, : 32 // cell, : 32 // cell]
    return coarse.repeat(cell, axis=1).repeat(cell, axis=2)


@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize("cell", [1, 2])
def test_a_planted_pattern_is_removed(originals, cell, varied):
    """Up to what both classes have in common, which tells nothing."""
    patterns = signs(cell)[LABELS]
    if varied:
        draw = np.random.default_rng(2)
        for n in range(64):
            if draw.random() < 0.5:
                patterns[n] = patterns[n, :, ::-1]
            rolls = tuple(draw.integers(-4, 5, 2))
            patterns[n] = np.roll(patterns[n], rolls, axis=(0, 1))
    found = cleaned((originals + patterns).astype(np.uint8))
    left = found - originals.astype(float)
    assert rms(left - left.mean(axis=0)) < 0.45 * AMPLITUDE
    assert rms(patterns - patterns.mean(axis=0)) > 0.6 * AMPLITUDE


def test_unprotected_images_hardly_change(originals):
    change = rms(cleaned(originals) - originals.astype(int))
    assert 20 * np.log10(255 / change) > 35


def test_what_all_classes_have_in_common_stays(originals):
    """Or the classes would be told apart by what is left."""
    shared = signs(1)[:1]
    found = cleaned((originals + shared).astype(np.uint8))
    assert rms(found - (originals + shared)) < 0.5 * AMPLITUDE


def test_a_class_of_one_image_stays(originals):
    labels = np.zeros(64, np.int64)
    labels[5] = 1
    assert np.array_equal(cleaned(originals, labels)[5], originals[5])


def test_the_flip_and_the_roll_are_found():
    template = np.random.default_rng(3).normal(size=(32, 32, 3)).astype(np.float32)
    residuals = np.stack(
        [
            template,
            np.roll(template, (3, -4), (0, 1)),
            np.roll(template[:, ::-1], (-8, 8), (0, 1)),
        ]
    )
    power = power_spectrum(residuals)
    flipped, down, right = align(residuals, template, power)
    assert flipped.tolist() == [False, False, True]
    assert down.tolist() == [0, 3, -8]
    assert right.tolist() == [0, -4, 8]


def test_the_filter_keeps_detail_and_drops_what_is_even():
    even = np.full((1, 16, 16, 3), 77, np.uint8)
    assert np.abs(high_pass(even)).max() < 1e-4
    checks = (np.indices((16, 16)).sum(0) % 2 * 16 - 8)[None, :, :, None]
    assert np.abs(high_pass(checks) - checks).max() < 2
