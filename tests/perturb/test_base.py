import pickle
from dataclasses import replace

import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    State,
    bounded,
    class_index,
    for_colours,
)
from fiftyone_reue.perturb.registry import create_method, list_methods
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import DEFAULT_METHOD

pytestmark = pytest.mark.unit

OPTIONS = FitOptions(6, seed=0, key=b"k" * 32)


def test_a_state_survives_being_stored():
    draw = np.random.default_rng(0)
    tables = draw.integers(-128, 128, (2, 3, 4, 5, 1)).astype(np.int8)
    state = State("rue", ("a", "b\u00fc"), {"tables": tables}, {"seconds": 1.5})
    again = State.from_bytes(state.to_bytes())
    assert (again.method, again.classes, again.summary) == (
        "rue",
        ("a", "b\u00fc"),
        {"seconds": 1.5},
    )
    assert again.tables.dtype == np.int8
    assert np.array_equal(again.tables, tables)


def test_another_process_gets_a_state_without_what_was_built_of_it():
    state = State("m", ("a", "b"), {"tables": np.arange(3)}, {"seconds": 1})
    state.built["network"] = lambda: None  # which can't be sent
    again = pickle.loads(pickle.dumps(state))
    assert again.built == {}
    assert (again.method, again.classes, again.summary) == (
        "m",
        ("a", "b"),
        {"seconds": 1},
    )
    assert np.array_equal(again.tables, state.tables)


def test_classes_are_found_by_name():
    state = State("lsp", ("a", "b"), {"tables": np.zeros((2, 1, 1, 1, 1), np.int8)})
    assert class_index(state, "b") == 1
    with pytest.raises(InputError, match=r"'c'.*into a new folder"):
        class_index(state, "c")


def test_methods_are_listed_and_made_by_name():
    names = [info.name for info in list_methods()]
    assert names[0] == DEFAULT_METHOD == "rue"
    assert len(set(names)) == len(names)
    bounded = [info.name for info in list_methods() if info.bounded]
    assert [info.name for info in list_methods(releasable=True)] == bounded
    for info in list_methods():
        assert create_method(info.name).info is info
        assert info.title
        assert info.paper
    with pytest.raises(InputError, match=r"no method 'RUE'.*lsp, mi_ue"):
        create_method("RUE")


def test_fit_images_are_perturbed_by_the_fitted_pattern_and_clipped():
    images = np.full((3, 8, 8, 3), 128, np.uint8)
    images[2] = 255
    data = FitData(images, np.array([0, 1, 1]), ("a", "b"))
    steps = create_method("lsp").perturb_steps(data, OPTIONS)
    fractions = list(steps)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    steps = create_method("lsp").perturb_steps(data, OPTIONS)
    made = finish(steps)
    assert made.shape == images.shape
    assert made.dtype == np.uint8
    change = made.astype(int) - images
    assert 3 <= np.abs(change[:2]).max() <= 6
    assert (np.sign(change[0]) != np.sign(change[1])).any()
    assert set(np.unique(np.sign(change[2]))) == {-1, 0}


def test_methods_come_in_two_sizes():
    for info in list_methods():
        assert create_method(info.name, published=True).info is info
    assert create_method("em", published=True).config.surrogate == "resnet18"
    assert create_method("em").config.surrogate == "small_resnet"


def test_gray_images_get_the_sign_of_the_channels_sum():
    pattern = np.array([[[8, 8, -2], [-3, 1, 1], [-7, -7, 7]]], np.int8)
    assert for_colours(pattern, 3) is pattern
    assert for_colours(pattern, 1).tolist() == [[[8], [-8], [-8]]]
    gray = pattern[..., :1]
    assert for_colours(gray, 3) is gray
    assert for_colours(gray, 1) is gray


def test_the_key_of_a_fit_is_not_shown():
    secret = bytes(range(32))
    assert repr(secret)[2:-1] not in repr(FitOptions(6, seed=0, key=secret))


def test_a_training_has_the_secret_seed_and_the_device():
    training = OPTIONS.training("em")
    assert training == TrainingContext(OPTIONS.secret_seed("em"), "auto")


def test_images_have_keys_of_their_own():
    keys = {OPTIONS.sample_key(index) for index in range(20)}
    keys |= {replace(OPTIONS, seed=1).sample_key(0)}
    keys |= {replace(OPTIONS, key=b"x" * 32).sample_key(0)}
    assert len(keys) == 22
    assert OPTIONS.sample_key(7) == OPTIONS.sample_key(7)


def test_seeds_depend_on_key_method_and_seed():
    seeds = [
        FitOptions(6, 0, b"k" * 32).secret_seed("em"),
        FitOptions(6, 1, b"k" * 32).secret_seed("em"),
        FitOptions(6, 0, b"k" * 32).secret_seed("tap"),
        FitOptions(6, 0, b"x" * 32).secret_seed("em"),
    ]
    assert len(set(seeds)) == 4
    assert seeds[0] == FitOptions(6, 0, b"k" * 32).secret_seed("em")
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_invertible_methods_give_patterns_to_measure_with(toys):
    """Of the image's own size, within the amplitude and the samples' range."""
    method, key = toys["undo"], b"k" * 32
    draw = np.random.default_rng(0)
    image = draw.choice([0, 3, 128, 251, 255], (20, 24, 3)).astype(np.uint8)
    data = FitData(image[None, :20, :20], np.zeros(1, int), ("a",))
    state = finish(method.fit(data, FitOptions(6, seed=0, key=key)))
    pattern = method.pattern(state, image, "a", key)
    assert (pattern.shape, pattern.dtype) == (image.shape, np.int16)
    assert np.abs(pattern).max() == 6
    moved = method.move(method.secret(state, image, "a", key), image)
    assert np.array_equal(image + pattern, bounded(moved, image, 6))
    deep = image.astype(np.uint16) * 257
    assert np.array_equal(method.pattern(state, deep, "a", key), pattern)
    made = finish(method.perturb_steps(data, FitOptions(4, seed=0, key=key)))
    assert np.abs(made.astype(int) - data.images).max() == 4


def test_what_is_moved_is_cut_to_the_amplitude_and_the_rails():
    image = np.array([[[0], [100], [255]]], np.uint8)
    moved = np.array([[[-700], [109], [700]]], np.int16)
    assert bounded(moved, image, None).ravel().tolist() == [0, 109, 255]
    assert bounded(moved, image, 6).ravel().tolist() == [0, 106, 255]
    assert bounded(-moved, image, 6).ravel().tolist() == [6, 94, 249]
    assert bounded(moved, image, 6).dtype == np.int16
