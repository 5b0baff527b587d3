import numpy as np
import pytest

from benchmarks import naming
from benchmarks.naming import images_needed
from fiftyone_reue.watermark import codes
from fiftyone_reue.watermark.readings import Reading

pytestmark = pytest.mark.unit

SEED = bytes(range(16))


@pytest.fixture(autouse=True)
def few_sets(monkeypatch):
    monkeypatch.setattr(naming, "SETS", 20)


def readings(count: int, loudness: float) -> list[Reading]:
    """Of a code of 64 bits an image, as loud as that beside noise of 1."""
    draw = np.random.default_rng(3)
    found = []
    for number in range(count):
        bits = codes.code(SEED, f"{number:016x}", 64).astype(np.float64)
        signs = np.where(bits > 0, 1.0, -1.0)
        soft = loudness * signs + draw.normal(size=64)
        found.append(Reading(f"{number:016x}", soft))
    return found


@pytest.mark.slow
def test_weaker_marks_take_more_images():
    needed = [images_needed(readings(60, loud), SEED, 60) for loud in (3.0, 0.5, 0.2)]
    assert None not in needed
    assert needed == sorted(needed)
    assert needed[0] == 1
    assert needed[2] > needed[1] > 1


def test_of_nothing_no_number_is_enough():
    assert images_needed(readings(20, 0.0), SEED, 60) is None


def test_images_that_were_not_found_count():
    some = readings(60, 0.5)
    every = images_needed(some, SEED, 60)
    half = images_needed(
        [one if n % 2 else None for n, one in enumerate(some)], SEED, 60
    )
    assert half > every
