from dataclasses import replace

import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.training import predict
from fiftyone_reue.perturb.base import FitData, FitOptions, State, clipped
from fiftyone_reue.perturb.pgd import gray_levels
from fiftyone_reue.perturb.tap.config import TapConfig
from fiftyone_reue.perturb.tap.fit import move, train_surrogate
from fiftyone_reue.perturb.tap.method import TargetedPoisoning, target_classes
from fiftyone_reue.progress import finish, mapped

pytestmark = pytest.mark.unit

QUICK = TapConfig(epochs=1, least_steps=6, steps=4, batch=8)
CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module")
def data() -> FitData:
    """Noise around a gray level a class, with some of it on the rails."""
    draw = np.random.default_rng(0)
    labels = np.arange(18) % 3
    levels = np.array([20, 128, 235])[labels][:, None, None, None]
    noise = draw.integers(-40, 41, (18, 16, 16, 3))
    return FitData((levels + noise).clip(0, 255).astype(np.uint8), labels, CLASSES)


def options(**other) -> FitOptions:
    return replace(FitOptions(6, seed=1, key=b"k" * 32, device="cpu"), **other)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_targets_are_a_secret_permutation_without_fixed_points(classes):
    targets = target_classes(classes, options())
    assert targets.dtype == np.int64
    assert sorted(targets) == list(range(classes))
    assert (targets != np.arange(classes)).all()
    assert np.array_equal(target_classes(classes, options()), targets)


def test_keys_and_seeds_draw_other_targets():
    drawn = [
        target_classes(100, options()),
        target_classes(100, options(seed=2)),
        target_classes(100, options(key=b"x" * 32)),
    ]
    assert len({targets.tobytes() for targets in drawn}) == 3


def test_one_class_is_refused(data):
    with pytest.raises(InputError, match="at least two classes"):
        target_classes(1, options())
    alone = FitData(data.images, np.zeros(18, np.int64), ("a",))
    for call in (TargetedPoisoning().fit, TargetedPoisoning().perturb_steps):
        with pytest.raises(InputError, match="at least two classes"):
            finish(call(alone, options()))


@pytest.mark.slow
def test_the_network_names_moved_images_as_their_targets(data):
    config = replace(QUICK, least_steps=40)
    made = finish(train_surrogate(data, config, TrainingContext(0, "cpu")))
    assert made.accuracy > 0.9
    targets = (data.labels + 1) % 3

    def mean_target_probability(steps: int, restarts: int) -> float:
        config = replace(QUICK, steps=steps, restarts=restarts, step=4.0)
        noise = finish(
            move(made.network, data.images, targets, config, amplitude=60, seed=0)
        )
        assert noise.abs().max() <= 60 / 255 + 1e-6
        moved = clipped(data.images, gray_levels(noise))
        return float(predict(made.network, moved)[np.arange(18), targets].mean())

    few = mean_target_probability(0, 1)
    many = mean_target_probability(8, 1)
    assert many > few + 0.2
    assert mean_target_probability(8, 3) >= many - 1e-3


@pytest.mark.slow
def test_perturbed_images_keep_within_the_amplitude(data):
    method = TargetedPoisoning(QUICK)
    fractions: list[float] = []
    steps = method.perturb_steps(data, options())
    made = finish(mapped(steps, fractions.append))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert made.shape == data.images.shape
    assert made.dtype == np.uint8
    change = made.astype(int) - data.images
    assert np.abs(change).max() == 6
    assert np.array_equal(finish(method.perturb_steps(data, options())), made)
    for other in ({"seed": 2}, {"key": b"x" * 32}):
        different = finish(method.perturb_steps(data, options(**other)))
        assert not np.array_equal(different, made)


@pytest.mark.slow
def test_the_state_perturbs_images_that_were_not_there(data):
    method = TargetedPoisoning(QUICK)
    made = finish(method.fit(data, options()))
    state = State.from_bytes(made.to_bytes())
    assert np.array_equal(state.arrays["targets"], target_classes(3, options()))
    assert {"seconds", "surrogate_accuracy", "images"} <= set(state.summary)
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
    assert (TapConfig.paper().steps, TapConfig.paper().restarts) == (250, 8)
