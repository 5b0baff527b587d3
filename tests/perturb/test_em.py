from dataclasses import replace

import numpy as np
import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.perturb import surrogate
from fiftyone_reue.perturb.base import FitData, FitOptions, Method, State
from fiftyone_reue.perturb.em.config import EmConfig
from fiftyone_reue.perturb.em.fit import alternate
from fiftyone_reue.perturb.em.method import ErrorMinimising, ErrorMinimisingClassWise
from fiftyone_reue.perturb.surrogate import logits_of
from fiftyone_reue.progress import finish, mapped

pytestmark = pytest.mark.unit

QUICK = EmConfig(rounds=2, surrogate_steps=3, noise_steps=2, batch=8, pattern_steps=4)
METHODS = (ErrorMinimising(QUICK), ErrorMinimisingClassWise(QUICK))


@pytest.fixture(scope="module")
def data() -> FitData:
    """Noise without any difference between the classes, some of it on the rails."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (16, 16, 16, 3)).astype(np.uint8)
    images[0], images[1] = 0, 255
    return FitData(images, np.arange(16) % 2, ("a", "b"))


def options(**other) -> FitOptions:
    return replace(FitOptions(6, seed=1, key=b"k" * 32, device="cpu"), **other)


@pytest.fixture(scope="module")
def state(data) -> State:
    made = finish(ErrorMinimising(QUICK).fit(data, options()))
    return State.from_bytes(made.to_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_perturbed_images_keep_within_the_amplitude(data, method: Method):
    fractions: list[float] = []
    steps = method.perturb_steps(data, options())
    made = finish(mapped(steps, fractions.append))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert made.shape == data.images.shape
    assert made.dtype == np.uint8
    change = made.astype(int) - data.images
    assert 2 <= np.abs(change).max() <= 6
    assert change[0].min() == 0 == change[1].max()
    again = finish(method.perturb_steps(data, options()))
    assert np.array_equal(again, made)
    for other in ({"seed": 2}, {"key": b"x" * 32}):
        different = finish(method.perturb_steps(data, options(**other)))
        assert not np.array_equal(different, made)


@pytest.mark.slow
@pytest.mark.parametrize("class_wise", [False, True])
def test_the_surrogate_names_images_by_their_noise(data, class_wise):
    # Without an early end: when that comes hangs on the last bits of sums.
    config = replace(QUICK, rounds=12, surrogate_steps=5, noise_steps=4, stop_error=0.0)
    steps = alternate(
        data, config, 16, TrainingContext(0, "cpu"), class_wise=class_wise
    )
    made = finish(steps)
    assert made.noise.shape == (2 if class_wise else 16, 3, 16, 16)
    assert made.noise.abs().max() <= 16 / 255 + 1e-6
    rows = torch.from_numpy(data.labels) if class_wise else torch.arange(16)
    pixels = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255
    assert not made.network.training
    named = logits_of(made.network, (pixels + made.noise[rows]).clamp(0, 1)).argmax(1)
    assert (named.numpy() == data.labels).mean() > 0.9
    moved = made.noise[1 - rows] if class_wise else made.noise[rows].roll(1, 0)
    named = logits_of(made.network, (pixels + moved).clamp(0, 1)).argmax(1)
    assert (named.numpy() == data.labels).mean() < 0.7


def test_it_ends_when_the_surrogate_no_longer_errs(data):
    config = replace(QUICK, rounds=50, stop_error=1.1)
    made = finish(
        alternate(data, config, 6, TrainingContext(0, "cpu"), class_wise=False)
    )
    assert made.figures["rounds"] == 1
    assert not made.noise.any()


@pytest.mark.slow
def test_the_state_perturbs_images_that_were_not_there(state):
    assert state.summary["surrogate"] == "small_resnet"
    assert {"seconds", "rounds", "surrogate_accuracy"} <= set(state.summary)
    method = ErrorMinimising(QUICK)
    draw = np.random.default_rng(1)
    for dtype, peak in ((np.uint8, 256), (np.uint16, 65536)):
        for colours in (1, 3):
            image = draw.integers(0, peak, (24, 40, colours)).astype(dtype)
            made = method.pattern(state, image, "a", b"s" * 32)
            assert made.shape == (16, 16, colours)
            assert made.dtype == np.int8
            assert 2 <= np.abs(made.astype(int)).max() <= 6
            other = method.pattern(state, image, "b", b"s" * 32)
            assert not np.array_equal(other, made)
    with pytest.raises(InputError, match="'c'"):
        method.pattern(state, image, "c", b"s" * 32)


@pytest.mark.slow
def test_class_wise_states_are_tables(data):
    method = ErrorMinimisingClassWise(QUICK)
    state = finish(method.fit(data, options()))
    state = State.from_bytes(state.to_bytes())
    assert set(state.arrays) == {"tables"}
    assert state.tables.shape == (2, 1, 16, 16, 3)
    assert np.abs(state.tables).max() <= 6
    assert not np.array_equal(*state.tables)
    coloured = method.pattern(state, data.images[0], "b", b"s" * 32)
    assert np.array_equal(coloured, state.tables[1, 0])
    gray = method.pattern(state, data.images[0][..., :1], "b", b"s" * 32)
    assert gray.shape == (16, 16, 1)
    assert set(np.abs(gray).ravel()) == {6}
    with pytest.raises(InputError, match="'c'"):
        method.pattern(state, data.images[0], "c", b"s" * 32)


def test_a_surrogate_too_big_to_keep_is_refused_at_the_fit_alone(data, monkeypatch):
    monkeypatch.setattr(surrogate, "STORABLE_BYTES", 1000)
    method = ErrorMinimising(replace(QUICK, rounds=1))
    with pytest.raises(InputError, match="smaller surrogate"):
        finish(method.fit(data, options()))
    assert finish(method.perturb_steps(data, options())).shape == data.images.shape


def test_published_settings():
    assert EmConfig.paper().noise_steps == 20
    assert EmConfig.paper().stop_error == 0.01
    assert EmConfig.paper_class_wise().stop_error == 0.1
