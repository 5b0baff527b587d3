from dataclasses import replace

import numpy as np
import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import FitData, FitOptions, Method, State
from fiftyone_reue.perturb.pil import fit as pil_fit
from fiftyone_reue.perturb.pil.config import PilConfig
from fiftyone_reue.perturb.pil.method import PerturbationInducedLinearization
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CLASSES = ("bird", "cat", "dog")
QUICK = PilConfig(epochs=2, least_steps=60, batch=32, learning_rate=0.01)


def examples(size: int = 8, count: int = 30) -> FitData:
    """Noise images, each class with an area of its own darkened."""
    draw = np.random.default_rng(0)
    images = draw.integers(60, 200, (count, size, size, 3)).astype(np.uint8)
    labels = np.arange(count) % 3
    for place, label in enumerate(labels):
        start = label * size // 3
        images[place, start : start + size // 3] //= 2
    return FitData(images, labels, CLASSES)


def method() -> PerturbationInducedLinearization:
    return PerturbationInducedLinearization(QUICK)


def fitted(data: FitData | None = None, **other) -> State:
    options = FitOptions(8, seed=0, key=b"k" * 32, device="cpu")
    steps = method().fit(data or examples(), replace(options, **other))
    return finish(steps)


@pytest.fixture(scope="module")
def state() -> State:
    return fitted()


def pattern(state: State, image: np.ndarray, label: str, sample: int = 0) -> np.ndarray:
    return method().pattern(state, image, label, sample.to_bytes(32, "big"))


def outputs(state: State, values: np.ndarray) -> np.ndarray:
    """The linear classifier's logits, ``(N, K)``."""
    flat = values.reshape(len(values), -1) / 255
    return flat @ state.arrays["first"] @ state.arrays["second"]


def test_the_classifier_learns_the_images(state):
    assert state.arrays["first"].shape == (8 * 8 * 3, 3)
    assert state.arrays["second"].shape == (3, 3)
    assert state.summary["surrogate_accuracy"] > 0.9
    data = examples()
    right = outputs(state, data.images).argmax(1) == data.labels
    assert right.mean() == pytest.approx(state.summary["surrogate_accuracy"], abs=1e-3)


@pytest.mark.slow
def test_the_classifier_takes_the_noise_for_the_class_and_the_images_for_less(state):
    data = examples()
    patterns = np.stack(
        [
            pattern(state, image, CLASSES[label], place)
            for place, (image, label) in enumerate(
                zip(data.images, data.labels, strict=True)
            )
        ]
    ).astype(int)
    assert (outputs(state, -patterns).argmax(1) == data.labels).all()
    rows = np.arange(len(data.labels))
    before = outputs(state, data.images)
    after = outputs(state, data.images + patterns)
    assert (after[rows, data.labels] < before[rows, data.labels]).all()


@pytest.mark.parametrize("amplitude", [1, 5, 30])
def test_patterns_keep_within_the_amplitude_and_use_it(amplitude):
    state = fitted(amplitude=amplitude)
    made = pattern(state, examples().images[0], "bird")
    assert made.dtype == np.int8
    assert made.shape == (8, 8, 3)
    assert np.abs(made.astype(int)).max() == amplitude
    assert np.abs(made.astype(int)).mean() > amplitude / 2


@pytest.mark.slow
def test_the_noise_starts_from_the_samples_key():
    still = PilConfig(noise_steps=0)
    image = examples().images[0]

    def start(sample: int) -> np.ndarray:
        made = PerturbationInducedLinearization(still)
        return made.pattern(fitted(), image, "cat", sample.to_bytes(32, "big"))

    assert np.array_equal(start(1), start(1))
    assert not np.array_equal(start(1), start(2))
    assert np.abs(start(1).astype(int)).max() <= 8
    assert abs(start(1).mean()) < 1.5
    assert start(1).std() == pytest.approx(8 / 3**0.5, rel=0.15)


@pytest.mark.slow
def test_classes_keys_and_seeds_matter_and_nothing_else(state):
    image = examples().images[0]
    first = pattern(state, image, "cat", 1)
    torch.rand(5)  # what others draw must not matter
    assert np.array_equal(pattern(fitted(), image, "cat", 1), first)
    for other in (fitted(key=b"x" * 32), fitted(seed=1)):
        assert not np.array_equal(other.arrays["first"], state.arrays["first"])
    assert not np.array_equal(pattern(state, image, "dog", 1), first)


@pytest.mark.slow
def test_perturbing_many_at_once_is_perturbing_each():
    data = examples()
    options = FitOptions(8, seed=0, key=b"k" * 32, device="cpu")
    steps = list(method().perturb_steps(data, options))
    assert steps == sorted(steps)
    assert steps[-1] == 1
    made = finish(method().perturb_steps(data, options))
    assert np.array_equal(made, finish(method().perturb_steps(data, options)))
    each = finish(Method.perturb_steps(method(), data, options))
    # A sum in another order can turn a vanishing gradient's sign.
    assert (made == each).mean() > 0.99
    assert np.abs(made.astype(int) - data.images).max() == 8


@pytest.mark.slow
def test_gray_images_get_one_channel_that_works_on_all_three(state):
    gray = examples().images[..., :1]
    patterns = np.stack([pattern(state, image, "dog") for image in gray]).astype(int)
    assert patterns.shape == (30, 8, 8, 1)
    assert (outputs(state, -patterns.repeat(3, axis=3)).argmax(1) == 2).all()


@pytest.mark.slow
def test_larger_and_deeper_images_are_brought_to_the_working_size(state):
    image = examples().images[0]
    expected = pattern(state, image, "cat")
    large = image.repeat(4, axis=0).repeat(4, axis=1)
    assert np.array_equal(pattern(state, large, "cat"), expected)
    deep = large.astype(np.uint16) * 257
    assert np.array_equal(pattern(state, deep, "cat"), expected)
    stored = State.from_bytes(fitted(examples(64, 6)).to_bytes())
    assert pattern(stored, image, "cat").shape == (64, 64, 3)


def test_a_state_stays_small_with_many_classes(monkeypatch):
    monkeypatch.setattr(pil_fit, "MOST_WEIGHTS", 400)
    state = fitted()
    assert state.arrays["first"].shape == (192, 2)
    assert state.arrays["second"].shape == (2, 3)
    assert pattern(state, examples().images[0], "cat").any()


def test_an_unknown_class_is_named(state):
    with pytest.raises(InputError, match="'horse'"):
        pattern(state, examples().images[0], "horse")
