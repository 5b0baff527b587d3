import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.pair_leak import PairLeak
from fiftyone_reue.auditing.countermeasures.pair_leak_model import leaked_rows, undo
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")


class Few(Effort):
    """A handful of steps with the small network."""

    def steps(self, full: int, least: int = 50) -> int:
        return 4


@pytest.fixture(scope="module")
def held() -> Holdings:
    """Slopes with one pattern a class."""
    draw = np.random.default_rng(0)
    down, right = np.indices((16, 16)) / 16 - 0.5
    slopes = draw.uniform(-80, 80, (2, 32, 1, 1, 3))
    originals = 128 + slopes[0] * down[..., None] + slopes[1] * right[..., None]
    originals = originals.round()
    labels = np.arange(32) % 2
    patterns = draw.choice([-8, 8], (2, 8, 8, 1)).repeat(2, axis=1).repeat(2, axis=2)
    images = originals + patterns[labels]
    none = np.zeros((0, 16, 16, 3), np.uint8)
    return Holdings(
        images.astype(np.uint8),
        labels,
        2,
        originals.astype(np.uint8),
        none,
        np.zeros(0, np.int64),
    )


def run(held: Holdings, rows: np.ndarray, steps: int, seed: int = 0) -> np.ndarray:
    return finish(
        undo(
            held.images,
            held.originals,
            rows,
            steps=steps,
            small=True,
            context=TrainingContext(seed, "cpu"),
        )
    )


def distance(images: np.ndarray, others: np.ndarray) -> float:
    return float(((images.astype(float) - others) ** 2).mean())


@pytest.mark.slow
def test_what_did_not_leak_comes_near_the_originals_and_what_leaked_is_them(held):
    rows = np.arange(12)
    made = run(held, rows, steps=60)
    assert made.shape == held.images.shape
    assert made.dtype == np.uint8
    assert np.array_equal(made[:12], held.originals[:12])
    before = distance(held.images[12:], held.originals[12:])
    assert distance(made[12:], held.originals[12:]) < 0.5 * before


@pytest.mark.slow
def test_originals_that_did_not_leak_are_not_looked_at(held):
    rows = np.arange(8)
    seen = run(held, rows, steps=3)
    blank = held.originals.copy()
    blank[8:] = 0
    blind = Holdings(held.images, held.labels, 2, blank, held.clean_images, held.labels)
    assert np.array_equal(run(blind, rows, steps=3), seen)


@pytest.mark.slow
def test_a_seed_gives_the_same_images_again(held):
    rows = np.arange(8)
    first = run(held, rows, steps=3)
    assert np.array_equal(run(held, rows, steps=3), first)
    assert not np.array_equal(run(held, rows, steps=3, seed=1), first)


def test_pairs_are_spread_over_the_classes():
    labels = np.array([0] * 50 + [1] * 5 + [2] * 20)
    rows = leaked_rows(labels, 12, 0)
    assert len(set(rows)) == 12
    assert np.bincount(labels[rows]).tolist() == [4, 4, 4]
    many = leaked_rows(labels, 45, 0)
    assert np.bincount(labels[many]).tolist() == [20, 5, 20]
    assert np.array_equal(many[:12], rows)
    assert not np.array_equal(leaked_rows(labels, 12, 1), rows)
    assert sorted(leaked_rows(labels, 75, 0)) == list(range(75))


def test_fewer_images_than_pairs_is_an_error(held):
    steps = PairLeak(33).prepare(held, effort=Effort(), context=CONTEXT)
    with pytest.raises(InputError, match="33 pairs"):
        next(steps)


@pytest.mark.slow
def test_it_is_named_by_its_pairs_and_reports_its_progress(held):
    leak = PairLeak(8)
    assert leak.info.name == "pair_leak_8"
    assert leak.info.uses.startswith("8 pairs")
    assert leak.info.family == "leak"
    steps = leak.prepare(held, effort=Few(0.01), context=CONTEXT)
    parts = []
    made = None
    while made is None:
        try:
            parts.append(next(steps))
        except StopIteration as stop:
            made = stop.value
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert len(parts) == 5
    assert made.labels is held.labels
    same = (made.images == held.originals).all(axis=(1, 2, 3))
    assert same[leaked_rows(held.labels, 8, 0)].all()
    assert same.sum() == 8
