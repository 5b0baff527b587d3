import numpy as np
import pytest
import torch
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures import adversarial_training
from fiftyone_reue.auditing.countermeasures.adversarial_training import (
    AdversarialTraining,
    pgd,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

EPSILON = 8 / 255


def small() -> SmallResNet:
    torch.manual_seed(0)
    return SmallResNet(2, 8, 16)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Images that reach both ends of the range, where the bound must not leave it."""
    generator = torch.Generator().manual_seed(1)
    images = (torch.rand(16, 3, 16, 16, generator=generator) * 1.4 - 0.2).clamp(0, 1)
    return images, functional.one_hot(torch.arange(16) % 2, 2).float()


def attacked(network, batch, steps: int = 10) -> torch.Tensor:
    return pgd(
        network,
        *batch,
        epsilon=EPSILON,
        step=EPSILON / 4,
        steps=steps,
        generator=torch.Generator().manual_seed(2),
    )


def loss(network, images, targets) -> float:
    network.eval()
    with torch.no_grad():
        return float(functional.cross_entropy(network(images), targets))


def test_images_stay_in_bound_and_range_and_raise_the_loss(batch):
    network = small()
    moved = attacked(network, batch)
    assert moved.shape == batch[0].shape
    assert moved.dtype == torch.float32
    assert not moved.requires_grad
    assert (moved - batch[0]).abs().max() <= EPSILON + 1e-6
    assert (moved - batch[0]).abs().mean() > EPSILON / 2
    assert 0 <= moved.min() <= moved.max() <= 1
    at_random = loss(network, attacked(network, batch, steps=0), batch[1])
    assert loss(network, moved, batch[1]) > at_random + 0.01


def test_the_network_is_left_as_it_was(batch):
    network = small().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    attacked(network, batch)
    assert network.training
    assert network.stem[1].training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(weights.grad is None for weights in network.parameters())
    attacked(network.eval(), batch)
    assert not network.training


@pytest.mark.slow
def test_starts_are_random_and_seeded_without_the_global_state(batch):
    network = small()
    torch.manual_seed(7)
    first = attacked(network, batch, steps=0)
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(7))
    assert torch.equal(attacked(network, batch, steps=0), first)
    attack = AdversarialTraining(8).attack(Effort(), 0)
    assert not torch.equal(attack(network, *batch), attack(network, *batch))


@pytest.mark.parametrize(("scale", "steps", "share"), [(0.2, 10, 4), (0.1, 3, 2)])
def test_the_effort_decides_on_the_inner_steps(monkeypatch, scale, steps, share):
    seen = []

    def spy(network, images, targets, **options):
        seen.append(options)
        return pgd(network, images, targets, **options)

    monkeypatch.setattr(adversarial_training, "pgd", spy)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    labels = np.arange(8) % 2
    training = AdversarialTraining(4).train(
        small(),
        TrainingSet(images, labels),
        Holdings(images, labels, 2, images, images, labels),
        recipe=Recipe(epochs=1, least_steps=2, batch=8),
        effort=Effort(scale),
        context=TrainingContext(0, "cpu"),
    )
    assert list(training) == [0.5, 1.0]
    assert len(seen) == 2
    assert seen[0]["steps"] == steps
    assert seen[0]["epsilon"] == pytest.approx(4 / 255)
    assert seen[0]["step"] == pytest.approx(4 / 255 / share)


@pytest.mark.slow
def test_training_sees_past_a_shortcut_within_the_bound():
    """One gray level tells the classes apart exactly; adversaries take it away."""
    draw = np.random.default_rng(0)
    labels = np.arange(64) % 2
    images = np.full((64, 16, 16, 3), 128, np.uint8)
    images[labels == 1] += 2
    images += draw.integers(0, 2, images.shape, np.uint8)
    network = small()
    finish(
        AdversarialTraining(8).train(
            network,
            TrainingSet(images, labels),
            Holdings(images, labels, 2, images, images, labels),
            recipe=Recipe(epochs=1, least_steps=40, batch=32),
            effort=Effort(0.1),
            context=TrainingContext(0, "cpu"),
        )
    )
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    targets = functional.one_hot(torch.from_numpy(labels), 2).float()
    assert loss(network, pixels, targets) > 0.4


def test_what_it_says_of_itself():
    info = AdversarialTraining(8).info
    assert info.name == "adversarial_8"
    assert info.gpu
    assert info.parameters["step"] == 2
