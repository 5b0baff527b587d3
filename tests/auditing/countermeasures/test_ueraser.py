import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures.ueraser import (
    UEraserMax,
    augment_strongly,
    plasma,
    plasma_brightness,
    plasma_contrast,
    shuffle_channels,
    worst_draw,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.networks.training import predict
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Brightness(nn.Module):
    """Two logits, 0 and the mean brightness: bright images look like class 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(mean), mean], dim=1)


@pytest.mark.parametrize("size", [32, 64])
def test_plasma_spans_the_range_and_is_rougher_the_rougher_it_is(size):
    roughness = torch.tensor([0.3] * 20 + [0.7] * 20)
    maps = plasma((40, 3, size), roughness, seeded())
    assert maps.shape == (40, 3, size, size)
    assert torch.allclose(maps.amin((2, 3)), torch.zeros(40, 3))
    assert torch.allclose(maps.amax((2, 3)), torch.ones(40, 3))
    steps = maps.diff(dim=3).abs().mean((1, 2, 3))
    assert steps[20:].mean() > 1.5 * steps[:20].mean()
    # Neighbours are alike, far more than pixels far apart are.
    apart = (maps - maps.roll(size // 2, 3)).abs().mean((1, 2, 3))
    assert steps[:20].mean() < apart[:20].mean() / 4


@pytest.mark.parametrize(
    ("operation", "images"),
    [
        (plasma_brightness, torch.full((200, 3, 32, 32), 0.5)),
        (plasma_contrast, torch.full((200, 3, 32, 32), 0.25)),
        (shuffle_channels, torch.arange(3.0).view(1, 3, 1, 1).expand(200, 3, 8, 8)),
    ],
)
def test_about_half_of_the_images_are_changed_each_in_its_own_way(operation, images):
    made = operation(images, seeded())
    changed = (made != images).flatten(1).any(1)
    # Of the six orders of channels one changes nothing.
    assert 60 < changed.sum() < 120
    kinds = {image.numpy().tobytes() for image in made[changed]}
    assert len(kinds) == (5 if operation is shuffle_channels else len(made[changed]))


def test_brightness_goes_both_ways_by_no_more_than_the_intensity():
    made = plasma_brightness(torch.full((50, 3, 32, 32), 0.5), seeded())
    assert made.min() == 0
    assert made.max() == 1
    changed = made[(made != 0.5).flatten(1).any(1)]
    assert (changed.amin((1, 2, 3)) <= 1e-6).all()
    assert changed.mean() == pytest.approx(0.5, abs=0.1)


def test_contrast_keeps_middle_gray():
    middle = torch.full((20, 3, 32, 32), 0.5)
    assert torch.allclose(plasma_contrast(middle, seeded()), middle)


def test_no_image_chosen_changes_nothing():
    images = torch.rand(1, 3, 32, 32, generator=seeded())
    made = [plasma_brightness(images, seeded(seed)) for seed in range(12)]
    same = [torch.equal(image, images) for image in made]
    assert any(same)
    assert not all(same)


def test_of_five_draws_each_image_gets_the_one_of_the_largest_loss():
    images = torch.zeros(6, 3, 8, 8)
    targets = functional.one_hot(torch.arange(6) % 2, 2).float()
    draws = torch.rand(5, 6, generator=seeded(1))
    upcoming = iter(draws)

    def shade(batch, generator):
        return batch + next(upcoming).view(6, 1, 1, 1)

    network = Brightness().train()
    made = worst_draw(network, images, targets, shade, seeded())
    # Bright is wrong for class 0, dark is wrong for class 1.
    expected = torch.where(torch.arange(6) % 2 == 0, draws.amax(0), draws.amin(0))
    assert torch.allclose(made[:, 0, 0, 0], expected)
    assert next(upcoming, None) is None
    assert network.training
    assert not made.requires_grad


def test_the_worst_draw_is_worse_than_a_draw():
    images = torch.rand(32, 3, 32, 32, generator=seeded())
    targets = functional.one_hot(torch.arange(32) % 2, 2).float()
    network = Brightness()

    def loss(batch: torch.Tensor) -> float:
        return float(functional.cross_entropy(network(batch), targets))

    attack = UEraserMax().attack(Effort(), 0)
    first = attack(network, images, targets)
    assert loss(first) > loss(augment_strongly(images, seeded())) + 0.02
    assert not torch.equal(first, attack(network, images, targets))
    again = UEraserMax().attack(Effort(), 0)(network, images, targets)
    assert torch.equal(again, first)


def trained(seed: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    labels = np.arange(8) % 2
    held = Holdings(images, labels, 2, images, images[:0], labels[:0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SmallResNet(2, 8, 16)
    steps = UEraserMax().train(
        network,
        TrainingSet(images, labels),
        held,
        recipe=Recipe(epochs=1, least_steps=2, batch=8),
        effort=Effort(),
        context=TrainingContext(seed, "cpu"),
    )
    finish(steps)
    return predict(network, images)


@pytest.mark.slow
def test_training_follows_the_seed():
    first = trained(0)
    assert np.array_equal(trained(0), first)
    assert not np.array_equal(trained(1), first)
