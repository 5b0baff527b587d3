import numpy as np
import pytest
import torch

from fiftyone_reue.auditing.countermeasures.early_stopping import EarlyStopping
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks import training
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.networks.training import accuracy
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit


def holdings(clean: int = 40) -> Holdings:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (32, 16, 16, 3), np.uint8)
    labels = np.arange(32) % 2
    others = draw.integers(0, 256, (clean, 16, 16, 3), np.uint8)
    return Holdings(images, labels, 2, images, others, np.arange(clean) % 2)


def trained(held: Holdings, countermeasure: EarlyStopping, steps: int = 30):
    torch.manual_seed(0)
    network = SmallResNet(2, 8, 16)
    run = countermeasure.train(
        network,
        TrainingSet(held.images, held.labels),
        held,
        recipe=Recipe(epochs=1, least_steps=steps, batch=16),
        effort=Effort(),
        context=TrainingContext(0, "cpu"),
    )
    return network, run


@pytest.mark.slow
def test_the_best_of_the_states_comes_back(monkeypatch):
    """The accuracies are scripted; the second of the two best must not win."""
    script = [0.1, 0.5, 0.9, 0.2, 0.9, 0.3]
    states = []

    def scripted(network, images, labels):
        states.append({k: v.clone() for k, v in network.state_dict().items()})
        return script[len(states) - 1]

    monkeypatch.setattr(training, "accuracy", scripted)
    network, run = trained(holdings(), EarlyStopping(evaluations=6))
    fractions = list(run)
    assert len(fractions) == 30
    assert fractions[-1] == 1
    assert len(states) == 6
    assert not network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, states[2][name]), name
    assert not torch.equal(network.head.weight, states[-1]["head.weight"])


@pytest.mark.slow
def test_the_final_accuracy_is_the_largest_recorded(monkeypatch):
    held, seen = holdings(), []

    def spy(network, images, labels):
        seen.append(accuracy(network, images, labels))
        return seen[-1]

    monkeypatch.setattr(training, "accuracy", spy)
    network, run = trained(held, EarlyStopping())
    finish(run)
    assert len(seen) == 20
    assert max(seen) > min(seen)
    found = accuracy(network, held.clean_images, held.clean_labels)
    assert found == max(seen)


def test_at_most_so_many_clean_images_are_used(monkeypatch):
    counts = []

    def spy(network, images, labels):
        counts.append((len(images), np.bincount(labels).tolist()))
        return 0.5

    monkeypatch.setattr(training, "accuracy", spy)
    _, run = trained(holdings(), EarlyStopping(images=10, evaluations=2), steps=2)
    finish(run)
    assert counts == [(10, [5, 5]), (10, [5, 5])]


def test_without_clean_images_it_says_what_to_do():
    _, run = trained(holdings(clean=0), EarlyStopping())
    with pytest.raises(InputError, match="Set clean images aside"):
        finish(run)
