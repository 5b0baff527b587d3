import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.matched_filter import (
    AMPLITUDE,
    MatchedFilter,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")


def textures(count: int, side: int, seed: int) -> np.ndarray:
    """Noise of every scale, away from both rails."""
    draw = np.random.default_rng(seed)
    total = np.full((count, side, side, 3), 128.0)
    for cell in (1, 2, 4, 8, 16):
        small = -(-side // cell)
        coarse = draw.normal(0, 7, (count, small, small, 1))
        total += coarse.repeat(cell, 1).repeat(cell, 2)[:, :side, :side]
    return total.clip(20, 235).astype(np.uint8)


def holdings(side: int, images: int = 24, clean: int = 176) -> Holdings:
    originals, labels = textures(images, side, 0), np.arange(images) % 4
    method = create_method("rue")
    protected = method.perturb(originals, labels, epsilon=AMPLITUDE, key=b"k" * 32)
    others = textures(clean, side, 1)
    return Holdings(protected, labels, 4, originals, others, np.zeros(clean, np.int64))


def prepared(given: Holdings):
    steps = MatchedFilter().prepare(given, effort=Effort(), context=CONTEXT)
    return finish(steps)


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float((one.astype(float) - other).std())


@pytest.mark.slow
@pytest.mark.parametrize(("side", "clean"), [(64, 176), (100, 60), (258, 20)])
def test_most_of_the_bands_are_taken_off(side, clean):
    given = holdings(side, 8, clean)
    made = prepared(given)
    assert made.images.dtype == np.uint8
    assert np.array_equal(made.labels, given.labels)
    left = error(made.images, given.originals)
    assert left < 0.65 * error(given.images, given.originals)


def test_small_images_have_no_bands_and_stay():
    given = holdings(32, 4, 4)
    assert np.array_equal(prepared(given).images, given.images)


def test_it_says_what_it_needs():
    with pytest.raises(InputError, match="clean images"):
        prepared(holdings(64, 4, 0))
