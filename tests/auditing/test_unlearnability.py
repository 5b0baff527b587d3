import numpy as np
import pytest

from fiftyone_reue.auditing import unlearnability
from fiftyone_reue.auditing.unlearnability import Judges, measure
from fiftyone_reue.auditing.verdict import HOLDS, NOT_TELLABLE, told
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")

QUICK = Recipe(epochs=1, least_steps=25, batch=32)


@pytest.fixture(scope="module")
def stripes() -> tuple[np.ndarray, np.ndarray]:
    """Noisy stripes, upright or level."""
    draw = np.random.default_rng(0)
    labels = np.arange(64) % 2
    upright = (np.indices((32, 32))[1] // 4 % 2 * 120).astype(int)
    base = np.stack([upright if label else upright.T for label in labels])
    noise = draw.integers(0, 100, (64, 32, 32, 3))
    images = (base[..., None] + noise).clip(0, 255).astype(np.uint8)
    return images, labels.astype(np.int64)


def scores(originals, protected, labels, seed=0):
    return finish(
        measure(
            originals,
            protected,
            labels,
            2,
            context=TrainingContext(seed, "cpu"),
            recipe=QUICK,
        )
    )


@pytest.fixture(scope="module")
def unprotected(stripes):
    """All steps of measuring copies that are the originals, and what was found."""
    images, labels = stripes
    measured = measure(images, images, labels, 2, context=CONTEXT, recipe=QUICK)
    steps = []
    while True:
        try:
            steps.append(next(measured))
        except StopIteration as stop:
            return steps, stop.value


@pytest.fixture(scope="module")
def shortcut(stripes):
    """What was found of copies whose one class is bright."""
    images, labels = stripes
    protected = images // 4
    protected[labels == 1] = protected[labels == 1] + 180
    return scores(images, protected, labels)


@pytest.mark.slow
def test_unprotected_copies_are_learnable(unprotected):
    _, found = unprotected
    assert found.accuracy_clean > 0.9
    assert found.accuracy_protected == found.accuracy_clean
    assert found.margin == 0
    # It looks sure, and is of 64 images.
    assert (found.level, found.unlearnability) == (NOT_TELLABLE, None)
    assert not found.per_image.any()


@pytest.mark.slow
def test_a_shortcut_makes_copies_unlearnable(shortcut):
    """The bright class is all that the second model looks at."""
    assert shortcut.accuracy_clean > 0.9
    assert shortcut.accuracy_protected < 0.7
    assert shortcut.level == NOT_TELLABLE  # of so few
    assert shortcut.per_image.shape == (64,)
    assert shortcut.per_image.min() >= 0
    assert shortcut.per_image.max() <= 1
    assert shortcut.per_image.mean() > 0.2


@pytest.mark.slow
def test_what_can_not_be_learned_anyway_has_no_score():
    draw = np.random.default_rng(1)
    images = draw.integers(0, 256, (24, 32, 32, 3)).astype(np.uint8)
    labels = draw.integers(0, 2, 24)
    found = scores(images, images, labels)
    assert found.unlearnability is None


@pytest.mark.slow
def test_a_seed_gives_the_same_scores_again(stripes):
    images, labels = stripes
    few = images[:16], images[::-1][:16].copy(), labels[:16]
    assert np.array_equal(scores(*few, seed=5).clean, scores(*few, seed=5).clean)


@pytest.mark.slow
def test_progress_rises_to_one(unprotected):
    steps, _ = unprotected
    assert steps == sorted(steps)
    assert steps[-1] == 1
    assert len(steps) == 100


@pytest.mark.parametrize("labels", [[0, 1, 0], [0] * 20])
def test_too_few_images_or_classes_are_refused(labels):
    images = np.zeros((len(labels), 8, 8, 3), np.uint8)
    with pytest.raises(InputError, match="too few to measure"):
        finish(measure(images, images, np.array(labels), 2, context=CONTEXT))


def test_halves_are_even_within_classes_and_overall():
    labels = np.repeat(np.arange(7), [1, 1, 3, 5, 4, 2, 9])
    halves = unlearnability._halves(labels, seed=0)
    assert abs(int((halves == 0).sum()) - int((halves == 1).sum())) <= 1
    for label in range(7):
        inside = halves[labels == label]
        assert abs(int((inside == 0).sum()) - int((inside == 1).sum())) <= 1
    assert not np.array_equal(halves, unlearnability._halves(labels, seed=1))


@pytest.mark.parametrize(
    ("clean", "protected", "expected"),
    [
        (0.9, 0.5, 1.0),
        (0.9, 0.9, 0.0),
        (0.9, 0.3, 1.0),
        (0.9, 0.95, 0.0),
        (0.9, 0.7, 0.5),
    ],
)
def test_the_score_runs_from_clean_accuracy_to_chance(clean, protected, expected):
    found = unlearnability._ratio(clean, protected, 0.5, 1000)
    assert found == pytest.approx(expected)


def test_the_score_needs_more_than_luck():
    assert unlearnability._ratio(0.55, 0.5, 0.5, 100) is None
    assert unlearnability._ratio(0.55, 0.5, 0.5, 10_000) == pytest.approx(1.0)


@pytest.mark.slow
def test_judges_score_other_images_like_those_they_were_measured_on(stripes, shortcut):
    images, labels = stripes
    judges = shortcut.judges
    assert (len(judges.clean), len(judges.protected)) == (2, 2)
    mirrored = images[:, ::-1]
    made = judges.scores(np.ascontiguousarray(mirrored), labels)
    assert made.shape == (64,)
    assert 0 <= made.min() <= made.max() <= 1
    assert made.mean() > 0.2
    same = Judges(judges.clean, judges.clean)
    assert not same.scores(images, labels).any()


def answers(count: int, clean: float, protected: float) -> tuple[np.ndarray, ...]:
    """Which images two models name rightly, independent of each other; halves."""
    draw = np.random.default_rng(3)
    order = draw.permutation(count)
    first = np.arange(count) < round(clean * count)
    second = np.arange(count)[order] < round(protected * count)
    return first[draw.permutation(count)], second, np.arange(count) % 2


def test_few_images_and_originals_that_teach_little_tell_nothing():
    clean, protected, halves = answers(300, 0.219, 0.222)
    margin = unlearnability._margin(clean, protected, halves, 0.1)
    assert margin > 0.4
    assert told(1 - unlearnability._ratio(0.219, 0.222, 0.1, 300), margin) == (
        NOT_TELLABLE
    )


def test_the_margin_shrinks_with_the_images_and_holds_the_truth():
    few, many = (
        unlearnability._margin(*answers(count, 0.7, 0.2), 0.1)
        for count in (200, 20_000)
    )
    assert few > 5 * many
    assert many < 0.05
    assert told(0.1 / 0.6, many) == HOLDS


def test_a_training_that_goes_its_own_way_widens_the_margin():
    clean, protected, halves = answers(2000, 0.7, 0.2)
    apart = protected.copy()
    apart[(halves == 0) & (np.arange(2000) % 3 == 0)] = True
    calm, wild = (
        unlearnability._margin(clean, p, halves, 0.1) for p in (protected, apart)
    )
    assert wild > 3 * calm
