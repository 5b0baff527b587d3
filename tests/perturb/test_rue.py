from dataclasses import replace

import numpy as np
import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.gratings import CELLS
from fiftyone_reue.perturb.registry import create_method, list_methods
from fiftyone_reue.perturb.rue.bands import SHORTEST
from fiftyone_reue.perturb.rue.config import RueConfig
from fiftyone_reue.perturb.rue.emphasis import band_pattern
from fiftyone_reue.perturb.rue.method import (
    ReversibleUnlearnable,
    ReversibleUnlearnableGratings,
    ReversibleUnlearnablePublished,
)
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

QUICK = RueConfig(
    rounds=3,
    surrogate_steps=3,
    table_steps=2,
    surrogate_batch=16,
    table_batch=16,
    cell=2,
    width=8,
)
NOTHING = RueConfig()


def data(counts: dict[str, int], size: int = 32) -> FitData:
    """Noise images around a gray level a class."""
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    levels = 60 + 40 * labels[:, None, None, None]
    noise = draw.integers(-40, 41, (len(labels), size, size, 3))
    images = (levels + noise).clip(0, 255).astype(np.uint8)
    return FitData(images, labels.astype(np.int64), tuple(counts))


def fit(examples: FitData, config: RueConfig = QUICK, **other) -> State:
    options = FitOptions(6, seed=1, key=b"k" * 32, device="cpu")
    return finish(
        ReversibleUnlearnableGratings(config).fit(examples, replace(options, **other))
    )


@pytest.mark.slow
def test_tables_have_their_shape_and_keep_within_the_amplitude():
    state = fit(data({"a": 12, "b": 12, "c": 12}), amplitude=5)
    assert state.tables.shape == (3, 1, 16, 16, 1)
    assert state.tables.dtype == np.int8
    assert np.abs(state.tables).max() == 5
    assert state.classes == ("a", "b", "c")
    assert {"surrogate_accuracy", "information", "seconds"} <= set(state.summary)
    assert state.summary["images"] == 36


@pytest.mark.slow
@pytest.mark.parametrize(
    "counts", [{"a": 9, "b": 9}, {"a": 12, "b": 1}, {"a": 1, "b": 1}]
)
def test_two_classes_and_a_class_with_one_image_are_enough(counts):
    state = fit(data(counts))
    assert len(state.tables) == 2
    assert not np.array_equal(*state.tables)


@pytest.mark.slow
def test_a_class_without_an_image_gets_a_table_too():
    examples = data({"a": 6, "b": 6})
    state = fit(FitData(examples.images, examples.labels, ("a", "b", "none")))
    assert state.tables[2].any()


@pytest.mark.slow
def test_larger_images_get_finer_tables():
    assert fit(data({"a": 4, "b": 4}, size=64)).tables.shape[2:] == (32, 32, 1)


@pytest.mark.slow
def test_variants_differ():
    state = fit(data({"a": 6, "b": 6}), replace(QUICK, variants=2))
    assert state.tables.shape[:2] == (2, 2)
    assert not np.array_equal(*state.tables[0])


@pytest.mark.slow
def test_a_seed_and_key_give_the_same_tables_again():
    examples = data({"a": 8, "b": 8})
    first = fit(examples)
    torch.rand(5)  # what others draw must not matter
    assert np.array_equal(fit(examples).tables, first.tables)
    assert not np.array_equal(fit(examples, seed=2).tables, first.tables)
    assert not np.array_equal(fit(examples, key=b"x" * 32).tables, first.tables)


@pytest.mark.slow
def test_fitting_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    fit(data({"a": 4, "b": 4}))
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.slow
def test_progress_rises_to_one_and_a_fit_can_be_stopped():
    steps = ReversibleUnlearnableGratings(QUICK).fit(
        data({"a": 4, "b": 4}), FitOptions(6, 0, b"k" * 32, "cpu")
    )
    fractions = list(steps)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    stopped = ReversibleUnlearnableGratings(QUICK).fit(
        data({"a": 4, "b": 4}), FitOptions(6, 0, b"k" * 32, "cpu")
    )
    next(stopped)
    stopped.close()
    with pytest.raises(StopIteration):
        next(stopped)


@pytest.mark.slow
def test_a_few_more_rounds_make_a_shortcut():
    """The surrogate ends up telling the classes by their tables, not their images."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (32, 32, 32, 3)).astype(np.uint8)
    same = FitData(np.concatenate([images, images]), np.repeat([0, 1], 32), ("a", "b"))
    config = RueConfig(
        start="random",
        reach=2,
        cell=2,
        rounds=12,
        surrogate_steps=6,
        table_steps=4,
        surrogate_batch=32,
        table_batch=32,
    )
    state = fit(same, config, amplitude=16)
    assert state.summary["surrogate_accuracy"] >= 0.9


def test_patterns_come_from_the_classs_table():
    tables = np.stack([np.full((1, 4, 4, 1), v, np.int8) for v in (1, 2)])
    state = State("rue", ("a", "b"), {"tables": tables})
    image = np.zeros((32, 32, 3), np.uint8)
    made = ReversibleUnlearnableGratings().pattern(state, image, "b", bytes(32))
    assert set(made.ravel()) == {2}
    with pytest.raises(InputError, match="'c'"):
        ReversibleUnlearnableGratings().pattern(state, image, "c", bytes(32))


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"'cuda:99'.*--device auto or cpu"):
        finish(
            ReversibleUnlearnableGratings(QUICK).fit(
                data({"a": 4, "b": 4}),
                FitOptions(6, seed=0, key=b"k" * 32, device="cuda:99"),
            )
        )


def test_without_rounds_no_image_is_looked_at():
    nothing = FitData(
        np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, np.int64), ("a", "b", "c")
    )
    made = fit(nothing, NOTHING)
    assert made.tables.shape == (3, 1, CELLS, CELLS, 1)
    assert np.array_equal(fit(nothing, NOTHING).tables, made.tables)
    other = fit(nothing, NOTHING, key=b"x" * 32)
    assert not np.array_equal(other.tables, made.tables)
    assert set(np.abs(made.tables).ravel()) == {6}
    assert len(made.to_bytes()) < 10_000


def test_a_thousand_classes_fit_into_a_megabyte():
    classes = tuple(map(str, range(1000)))
    nothing = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int), classes)
    made = fit(nothing, NOTHING)
    assert len({table.tobytes() for table in made.tables}) == 1000
    assert len(made.to_bytes()) < 1_000_000


def test_one_class_alone_is_refused():
    with pytest.raises(InputError, match=r"Only one class, 'a'.*at least two"):
        fit(data({"a": 4}), NOTHING)


def test_images_smaller_than_the_tile_get_a_part_of_it():
    state = fit(data({"a": 4, "b": 4}), NOTHING)
    method = ReversibleUnlearnableGratings()
    key = bytes(range(32))
    whole = method.pattern(state, np.zeros((64, 64, 3), np.uint8), "a", key)
    part = method.pattern(state, np.zeros((16, 20, 1), np.uint8), "a", key)
    assert whole.shape == (CELLS, CELLS, 1)
    assert np.array_equal(part, whole[:16, :20])


def test_samples_have_phases_of_their_own():
    state = fit(data({"a": 4, "b": 4}), NOTHING)
    method, image = ReversibleUnlearnableGratings(), np.zeros((32, 32, 3), np.uint8)
    keys = [bytes([9] * 3 + [roll] * 29) for roll in range(30)]
    made = {method.pattern(state, image, "a", key).tobytes() for key in keys}
    assert len(made) > 1


def test_a_state_of_before_is_rolled_as_it_was_then():
    table = np.arange(64, dtype=np.int8).reshape(1, 1, 8, 8, 1)
    state = State("rue", ("a",), {"tables": table}, {"seconds": 1.0})
    draw = np.random.default_rng(0)
    image = np.zeros((32, 32, 3), np.uint8)
    made = {
        ReversibleUnlearnableGratings()
        .pattern(state, image, "a", draw.bytes(32))
        .tobytes()
        for _ in range(1000)
    }
    assert len(made) == 2 * 5 * 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"objective": "collinear"},
        {"transformations": ("jpeg", "grayscale", "blur"), "transformed": 1.0},
        {"surrogates": ("small_resnet", "mlp")},
        {"adversarial": 4},
        {"reinitialise": 1},
        {"start": "gratings"},
    ],
)
def test_every_part_of_the_fit_changes_what_comes_out(change):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (24, 32, 32, 3)).astype(np.uint8)
    examples = FitData(images, np.repeat([0, 1], 12), ("a", "b"))
    config = replace(QUICK, start="random")
    plain = fit(examples, config).tables
    changed = fit(examples, replace(config, **change)).tables
    assert set(np.abs(changed).ravel()) == {6}
    assert changed.shape[:4] == plain.shape[:4]
    assert not np.array_equal(changed, plain)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"start": "stripes"}, "'stripes'.*gratings or random"),
        ({"objective": "entropy"}, "'entropy'.*softmax or collinear"),
        ({"transformations": ("sepia",)}, "'sepia'.*jpeg"),
        ({"surrogates": ("alexnet",)}, "'alexnet'"),
    ],
)
def test_what_does_not_exist_is_named(change, named):
    with pytest.raises(InputError, match=named):
        fit(data({"a": 4, "b": 4}), replace(QUICK, **change))


def test_as_published_tables_are_coloured_and_the_same_for_every_sample():
    method = ReversibleUnlearnablePublished(
        replace(RueConfig.published(), rounds=1, surrogate_steps=1, table_steps=1)
    )
    examples = data({"a": 4, "b": 4})
    steps = method.fit(examples, FitOptions(6, 1, b"k" * 32, "cpu"))
    state = finish(steps)
    assert state.method == "rue_published"
    assert state.tables.shape == (2, 1, 32, 32, 3)
    image = np.zeros((32, 32, 3), np.uint8)
    first, second = (method.pattern(state, image, "b", bytes([n] * 32)) for n in (1, 2))
    assert np.array_equal(first, second)
    assert method.pattern(state, image[..., :1], "b", bytes(32)).shape == (32, 32, 1)


def default_state(classes: int = 3, **other) -> State:
    names = tuple(f"{n:04d}" for n in range(classes))
    nothing = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int), names)
    options = FitOptions(6, seed=1, key=b"k" * 32)
    return finish(ReversibleUnlearnable().fit(nothing, replace(options, **other)))


def noise(side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)


def test_the_forms_are_there_by_name():
    names = [info.name for info in list_methods(releasable=True)]
    assert names[:3] == ["rue", "rue_gratings", "rue_published"]
    assert isinstance(create_method("rue"), ReversibleUnlearnable)
    assert isinstance(create_method("rue_gratings"), ReversibleUnlearnableGratings)
    assert not create_method("rue").info.needs_fit


def test_photographs_get_bands_and_small_images_the_gratings_of_before():
    state, before = (
        default_state(),
        finish(
            ReversibleUnlearnableGratings().fit(
                data({"a": 1, "b": 1, "c": 1}), FitOptions(6, seed=1, key=b"k" * 32)
            )
        ),
    )
    key = bytes(range(32))
    method, old = ReversibleUnlearnable(), ReversibleUnlearnableGratings()
    small, large = noise(SHORTEST - 1), noise(SHORTEST)
    assert np.array_equal(
        method.pattern(state, small, "0001", key), old.pattern(before, small, "b", key)
    )
    wanted = band_pattern(large, state.arrays["bands"][1], 6, derive(key, "bands"))
    assert np.array_equal(method.pattern(state, large, "0001", key), wanted)


def test_a_release_of_before_goes_on_with_its_gratings():
    tables = fit(data({"a": 2, "b": 2}), NOTHING).arrays
    state = State("rue", ("a", "b"), tables, {"reach": None, "flips": True})
    image, key = noise(128), bytes(range(32))
    made = ReversibleUnlearnable().pattern(state, image, "a", key)
    assert np.array_equal(
        made, ReversibleUnlearnableGratings().pattern(state, image, "a", key)
    )
    assert made.shape == (CELLS, CELLS, 1)


def test_bands_are_of_the_key_and_the_seed():
    bands = default_state().arrays["bands"]
    assert np.array_equal(bands, default_state().arrays["bands"])
    assert not np.array_equal(bands, default_state(seed=2).arrays["bands"])
    assert not np.array_equal(bands, default_state(key=b"x" * 32).arrays["bands"])


@pytest.mark.slow
def test_a_thousand_classes_have_bands_and_a_small_state():
    state = default_state(1000)
    assert len({some.tobytes() for some in state.arrays["bands"]}) == 1000
    assert len(state.to_bytes()) < 1_000_000
    again = State.from_bytes(state.to_bytes())
    image, key = noise(128), bytes(32)
    one, two = (
        ReversibleUnlearnable().pattern(some, image, "0999", key)
        for some in (state, again)
    )
    assert np.array_equal(one, two)


def test_deep_images_get_the_bands_of_their_eight_bits():
    state, image, key = default_state(), noise(96), bytes(32)
    method = ReversibleUnlearnable()
    deep = image.astype(np.uint16) * 257
    assert np.array_equal(
        method.pattern(state, deep, "0000", key),
        method.pattern(state, image, "0000", key),
    )


def test_a_strange_class_is_refused_at_every_size():
    for side in (32, 96):
        with pytest.raises(InputError, match="'x'"):
            ReversibleUnlearnable().pattern(
                default_state(), noise(side), "x", bytes(32)
            )
