import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.dilution import (
    CleanAlone,
    Dilution,
    draw_evenly,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")


def holdings(clean: int) -> Holdings:
    """Protected images are dark; the clean ones show their number."""
    images = np.zeros((30, 16, 16, 3), np.uint8)
    others = np.zeros((clean, 16, 16, 3), np.uint8) + np.arange(1, clean + 1)[
        :, None, None, None
    ].astype(np.uint8)
    labels = np.arange(30) % 3
    return Holdings(images, labels, 3, images, others, np.arange(clean) % 3)


def prepared(countermeasure, held, seed: int = 0):
    return finish(
        countermeasure.prepare(
            held, effort=Effort(), context=TrainingContext(seed, "cpu")
        )
    )


def test_the_clean_images_come_on_top():
    held = holdings(60)
    made = prepared(Dilution(21), held)
    assert made.images.shape == (51, 16, 16, 3)
    assert made.images.dtype == np.uint8
    assert np.array_equal(made.images[:30], held.images)
    assert np.array_equal(made.labels[:30], held.labels)
    shown = made.images[30:, 0, 0, 0] - 1
    assert len(set(shown)) == 21
    assert np.array_equal(made.labels[30:], held.clean_labels[shown])
    assert np.bincount(made.labels[30:]).tolist() == [7, 7, 7]


@pytest.mark.parametrize(("number", "taken"), [(60, 60), (61, 60), (120, 60)])
def test_too_few_clean_images_are_all_used(number, taken):
    assert len(prepared(Dilution(number), holdings(60)).images) == 30 + taken
    assert len(prepared(CleanAlone(number), holdings(60)).images) == taken


@pytest.mark.parametrize("countermeasure", [Dilution(121), CleanAlone(121)])
def test_fewer_than_half_are_refused(countermeasure):
    with pytest.raises(InputError, match=r"at least 61 .* there are 60"):
        prepared(countermeasure, holdings(60))


def test_alone_are_the_very_same_clean_images():
    held = holdings(60)
    alone = prepared(CleanAlone(20), held, seed=5)
    added = prepared(Dilution(20), held, seed=5)
    assert np.array_equal(alone.images, added.images[30:])
    assert np.array_equal(alone.labels, added.labels[30:])
    assert not np.array_equal(alone.images, prepared(CleanAlone(20), held).images)


def test_alone_is_trained_for_as_many_steps_as_all_protected_images():
    held = holdings(8)
    countermeasure = CleanAlone(8)
    recipe = Recipe(epochs=2, least_steps=3, batch=10)
    steps = countermeasure.train(
        SmallResNet(3, 8, 16),
        prepared(countermeasure, held),
        held,
        recipe=recipe,
        effort=Effort(),
        context=CONTEXT,
    )
    assert len(list(steps)) == 6


def test_draws_are_even_over_uneven_classes():
    labels = np.repeat([0, 1, 2, 5], [100, 50, 7, 1])
    for seed in range(20):
        for count in (0, 1, 13, 79, 158):
            chosen = draw_evenly(labels, count, seed)
            assert len(set(chosen)) == len(chosen) == count
            counts = np.bincount(labels[chosen], minlength=6)[[0, 1, 2, 5]]
            assert np.all(np.abs(counts - np.array([100, 50, 7, 1]) * count / 158) <= 1)
    assert set(draw_evenly(labels, 13, 0)) != set(draw_evenly(labels, 13, 1))


def test_names():
    assert Dilution(4000).info.name == "dilution_4000"
    assert Dilution(4000).info.uses == "4000 clean images"
    assert CleanAlone(500).info.name == "clean_500_alone"
