import numpy as np
import pytest
import torch

from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.networks.training import accuracy, predict, train
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")

QUICK = Recipe(epochs=2, least_steps=30, batch=32)


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


def fit(stripes, recipe: Recipe = QUICK, seed: int = 0):
    network = small(seed)
    finish(
        train(network, *stripes, 2, recipe=recipe, context=TrainingContext(seed, "cpu"))
    )
    return network


def small(seed: int = 0) -> SmallResNet:
    torch.manual_seed(seed)
    return SmallResNet(2, 8, 32)


@pytest.mark.slow
def test_what_can_be_learned_is_learned(stripes):
    network = fit(stripes)
    assert not network.training
    probabilities = predict(network, stripes[0])
    assert probabilities.shape == (64, 2)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(1) == pytest.approx(np.ones(64), abs=1e-5)
    assert (probabilities.argmax(1) == stripes[1]).mean() > 0.9


@pytest.mark.slow
def test_a_seed_gives_the_same_network_again(stripes):
    recipe = Recipe(epochs=1, least_steps=4, batch=16)
    first = predict(fit(stripes, recipe, seed=3), stripes[0])
    torch.rand(5)  # what others draw must not matter
    again = predict(fit(stripes, recipe, seed=3), stripes[0])
    assert np.array_equal(again, first)
    other = predict(fit(stripes, recipe, seed=4), stripes[0])
    assert not np.array_equal(other, first)


@pytest.mark.slow
def test_progress_rises_to_one_and_counts_every_step(stripes):
    few = Recipe(epochs=1, least_steps=5, batch=32)
    assert len(list(train(small(), *stripes, 2, recipe=few, context=CONTEXT))) == 5
    many = Recipe(epochs=6, least_steps=5, batch=32)
    steps = list(train(small(), *stripes, 2, recipe=many, context=CONTEXT))
    assert len(steps) == 12
    assert steps == sorted(steps)
    assert steps[-1] == 1


def test_fewer_images_than_a_batch_are_enough(stripes):
    images, labels = stripes[0][:3], stripes[1][:3]
    recipe = Recipe(epochs=1, least_steps=2)
    network = small()
    finish(train(network, images, labels, 2, recipe=recipe, context=CONTEXT))
    assert predict(network, images).shape == (3, 2)


@pytest.mark.slow
def test_accuracy_is_the_share_named_rightly(stripes):
    network = fit(stripes)
    named = predict(network, stripes[0]).argmax(1)
    assert accuracy(network, stripes[0], named.astype(np.int64)) == 1
    assert accuracy(network, stripes[0], 1 - named.astype(np.int64)) == 0


def test_batches_pass_through_the_augmentation_and_then_the_attack(stripes):
    seen = []

    def augment(images, targets, generator):
        assert images.shape[1:] == (3, 32, 32)
        assert 0 <= images.min() <= images.max() <= 1
        assert torch.equal(targets.sum(1), torch.ones(len(targets)))
        return torch.zeros_like(images), targets.flip(1)

    def attack(network, images, targets):
        assert network.training
        assert not images.any()
        seen.append(len(images))
        return images + 1

    recipe = Recipe(epochs=1, least_steps=3, batch=32)
    steps = train(
        small(),
        *stripes,
        2,
        recipe=recipe,
        context=CONTEXT,
        augment=augment,
        attack=attack,
    )
    finish(steps)
    assert seen == [32, 32, 32]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_frozen_weights_stay(stripes, optimiser):
    network = small()
    network.stem.requires_grad_(False)
    stem, head = network.stem[0].weight.clone(), network.head.weight.clone()
    recipe = Recipe(epochs=1, least_steps=3, batch=32, optimiser=optimiser)
    finish(train(network, *stripes, 2, recipe=recipe, context=CONTEXT))
    assert torch.equal(network.stem[0].weight, stem)
    assert not torch.equal(network.head.weight, head)
