import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.mi_ue.config import MiUeConfig
from fiftyone_reue.perturb.mi_ue.fit import (
    alternate,
    feature_loss,
    mean_features,
    mean_loss,
    nt_xent,
    within_distance,
)
from fiftyone_reue.perturb.mi_ue.method import MutualInformation
from fiftyone_reue.perturb.surrogate import create_surrogate, features_of
from fiftyone_reue.progress import finish, mapped

pytestmark = pytest.mark.unit

QUICK = MiUeConfig(rounds=2, noise_steps=2, batch=8, noise_batch=12, pattern_steps=4)


@pytest.fixture(scope="module")
def data() -> FitData:
    """Noise without any difference between the classes, some of it on the rails."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (16, 16, 16, 3)).astype(np.uint8)
    images[0], images[1] = 0, 255
    return FitData(images, np.arange(16) % 2, ("a", "b", "empty"))


def options(**other) -> FitOptions:
    return replace(FitOptions(6, seed=1, key=b"k" * 32, device="cpu"), **other)


def test_nt_xent_of_three_vectors():
    features = torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]])
    labels = torch.tensor([0, 0, 1])
    up, level, down = math.exp(2), 1.0, math.exp(-2)  # temperature 1/2
    first = -math.log((up + level) / (up + level + down))
    second = -math.log((level + up) / (level + up + level))
    third = -math.log(up / (down + level + up))
    expected = (first + second + third) / 3
    assert nt_xent(features, labels, 0.5).item() == pytest.approx(expected, rel=1e-5)


def test_distances_of_three_vectors():
    features = torch.tensor([[0.0, 0.0], [3.0, 4.0], [100.0, 0.0]])
    labels = torch.tensor([0, 0, 1])
    expected = 2 * math.log(1 + 5 / 2) / 3
    made = within_distance(features, labels).item()
    assert made == pytest.approx(expected, rel=1e-5)


def test_equal_features_have_gradients():
    features = torch.ones(30, 4, requires_grad=True)
    labels = torch.arange(30) % 2
    loss = nt_xent(features, labels, 0.1) + within_distance(features, labels)
    loss.backward()
    assert torch.isfinite(features.grad).all()


@pytest.mark.slow
def test_the_noise_makes_features_of_a_class_collinear(data):
    config = replace(QUICK, rounds=6, noise_steps=5, first_step=2.0, last_step=2.0)
    made = finish(alternate(data, config, 16, TrainingContext(0, "cpu")))
    assert made.noise.shape == (16, 3, 16, 16)
    assert made.noise.abs().max() <= 16 / 255 + 1e-6
    assert not made.network.training
    pixels = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255
    labels = torch.from_numpy(data.labels)
    with torch.no_grad():
        clean = feature_loss(made.network, labels, config, pixels)
        noisy = feature_loss(made.network, labels, config, pixels + made.noise)
    assert noisy < clean / 4


def test_means_are_of_the_classes_perturbed_images(data):
    network = create_surrogate("small_resnet", 3, 16, 0, torch.device("cpu")).eval()
    noise = torch.full((16, 3, 16, 16), 0.01)
    means = mean_features(network, data, noise, 6)
    pixels = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        own = features_of(network, (pixels + noise)[data.labels == 1]).mean(0)
    assert means.dtype == np.float32
    assert means[1] == pytest.approx(own.numpy(), abs=1e-4)
    assert not means[2].any()


def test_the_mean_loss_falls_with_the_angle_to_the_own_mean():
    class Passed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x.mean(dim=(2, 3))[:, :2])

    means = np.array([[5, 0], [0, 1]], np.float32)
    image = torch.zeros(1, 3, 2, 2)
    image[:, 0] = 0.7
    near = mean_loss(Passed(), means, 0, 0.5, image).item()
    assert near == pytest.approx(math.log(math.exp(2) + 1) - 2, rel=1e-4)
    assert mean_loss(Passed(), means, 1, 0.5, image).item() > near


@pytest.mark.slow
def test_perturbed_images_keep_within_the_amplitude(data):
    method = MutualInformation(QUICK)
    fractions: list[float] = []
    steps = method.perturb_steps(data, options())
    made = finish(mapped(steps, fractions.append))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert made.shape == data.images.shape
    assert made.dtype == np.uint8
    change = made.astype(int) - data.images
    assert 1 <= np.abs(change).max() <= 6
    assert np.array_equal(finish(method.perturb_steps(data, options())), made)
    for other in ({"seed": 2}, {"key": b"x" * 32}):
        different = finish(method.perturb_steps(data, options(**other)))
        assert not np.array_equal(different, made)


@pytest.mark.slow
def test_the_state_perturbs_images_that_were_not_there(data):
    method = MutualInformation(QUICK)
    made = finish(method.fit(data, options()))
    state = State.from_bytes(made.to_bytes())
    assert state.arrays["means"].shape == (3, 64)
    assert {"seconds", "surrogate", "images"} <= set(state.summary)
    draw = np.random.default_rng(1)
    for dtype, peak in ((np.uint8, 256), (np.uint16, 65536)):
        for colours in (1, 3):
            image = draw.integers(0, peak, (24, 40, colours)).astype(dtype)
            pattern = method.pattern(state, image, "a", b"s" * 32)
            assert pattern.shape == (16, 16, colours)
            assert pattern.dtype == np.int8
            assert 2 <= np.abs(pattern.astype(int)).max() <= 6
    with pytest.raises(InputError, match="'d'"):
        method.pattern(state, image, "d", b"s" * 32)


def test_published_settings():
    paper = MiUeConfig.paper()
    assert (paper.rounds, paper.noise_steps, paper.distance) == (100, 10, 0.1)
