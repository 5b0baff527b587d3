import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import FitData, State
from fiftyone_reue.perturb.rue import ReversibleUnlearnable, RueConfig
from fiftyone_reue.perturb.rue_fit import class_information
from fiftyone_reue.steps import finish

pytestmark = pytest.mark.unit

QUICK = RueConfig(
    rounds=3,
    surrogate_steps=3,
    table_steps=2,
    surrogate_batch=16,
    table_batch=16,
    width=8,
)


def data(counts: dict[str, int], size: int = 32) -> FitData:
    """Noise images around a gray level a class."""
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    levels = 60 + 40 * labels[:, None, None, None]
    noise = draw.integers(-40, 41, (len(labels), size, size, 3))
    images = (levels + noise).clip(0, 255).astype(np.uint8)
    return FitData(images, labels.astype(np.int64), tuple(counts))


def fit(examples: FitData, config: RueConfig = QUICK, **arguments) -> State:
    arguments = {"amplitude": 6, "seed": 1, "key": b"k" * 32, **arguments}
    return finish(
        ReversibleUnlearnable(config).fit(examples, device="cpu", **arguments)
    )


def test_tables_have_their_shape_and_keep_within_the_amplitude():
    state = fit(data({"a": 12, "b": 12, "c": 12}), amplitude=5)
    assert state.tables.shape == (3, 1, 16, 16, 1)
    assert state.tables.dtype == np.int8
    assert np.abs(state.tables).max() == 5
    assert state.classes == ("a", "b", "c")
    assert {"surrogate_accuracy", "mutual_information", "seconds"} <= set(state.summary)
    assert state.summary["images"] == 36


@pytest.mark.parametrize(
    "counts", [{"a": 9, "b": 9}, {"a": 12, "b": 1}, {"a": 1, "b": 1}]
)
def test_two_classes_and_a_class_with_one_image_are_enough(counts):
    state = fit(data(counts))
    assert len(state.tables) == 2
    assert not np.array_equal(*state.tables)


def test_a_class_without_an_image_gets_a_table_too():
    examples = data({"a": 6, "b": 6})
    state = fit(FitData(examples.images, examples.labels, ("a", "b", "none")))
    assert state.tables[2].any()


def test_larger_images_get_finer_tables():
    assert fit(data({"a": 4, "b": 4}, size=64)).tables.shape[2:] == (32, 32, 1)


def test_variants_differ():
    state = fit(data({"a": 6, "b": 6}), replace(QUICK, variants=2))
    assert state.tables.shape[:2] == (2, 2)
    assert not np.array_equal(*state.tables[0])


def test_a_seed_and_key_give_the_same_tables_again():
    examples = data({"a": 8, "b": 8})
    first = fit(examples)
    torch.rand(5)  # what others draw must not matter
    assert np.array_equal(fit(examples).tables, first.tables)
    assert not np.array_equal(fit(examples, seed=2).tables, first.tables)
    assert not np.array_equal(fit(examples, key=b"x" * 32).tables, first.tables)


def test_fitting_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    fit(data({"a": 4, "b": 4}))
    assert torch.equal(torch.rand(3), wanted)


def test_progress_rises_to_one_and_a_fit_can_be_stopped():
    steps = ReversibleUnlearnable(QUICK).fit(
        data({"a": 4, "b": 4}), amplitude=6, seed=0, key=b"k" * 32, device="cpu"
    )
    fractions = list(steps)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    stopped = ReversibleUnlearnable(QUICK).fit(
        data({"a": 4, "b": 4}), amplitude=6, seed=0, key=b"k" * 32, device="cpu"
    )
    next(stopped)
    stopped.close()
    with pytest.raises(StopIteration):
        next(stopped)


def test_a_few_more_rounds_make_a_shortcut():
    """The surrogate ends up telling the classes by their tables, not their images."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (32, 32, 32, 3)).astype(np.uint8)
    same = FitData(np.concatenate([images, images]), np.repeat([0, 1], 32), ("a", "b"))
    config = RueConfig(
        rounds=12, surrogate_steps=6, table_steps=4, surrogate_batch=32, table_batch=32
    )
    state = fit(same, config, amplitude=16)
    assert state.summary["surrogate_accuracy"] >= 0.9


def test_patterns_come_from_the_classs_table():
    tables = np.stack([np.full((1, 4, 4, 1), v, np.int8) for v in (1, 2)])
    state = State("rue", ("a", "b"), {"tables": tables})
    image = np.zeros((32, 32, 3), np.uint8)
    made = ReversibleUnlearnable().pattern(state, image, "b", bytes(32))
    assert set(made.ravel()) == {2}
    with pytest.raises(InputError, match="'c'"):
        ReversibleUnlearnable().pattern(state, image, "c", bytes(32))


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"'cuda:99'.*--device auto or cpu"):
        finish(
            ReversibleUnlearnable(QUICK).fit(
                data({"a": 4, "b": 4}),
                amplitude=6,
                seed=0,
                key=b"k" * 32,
                device="cuda:99",
            )
        )


def test_information_is_nothing_when_all_outputs_of_a_class_agree():
    same = torch.tensor([[0.7, 0.3], [0.7, 0.3], [0.2, 0.8]])
    assert class_information(same, torch.tensor([0, 0, 1])).item() == pytest.approx(0)


def test_information_is_a_bit_when_a_class_is_split_in_two():
    split = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = class_information(split, torch.tensor([0, 0])).item()
    assert found == pytest.approx(math.log(2), abs=1e-5)
    # Between classes, different outputs carry nothing within them.
    assert class_information(split, torch.tensor([0, 1])).item() == pytest.approx(0)


def test_information_is_the_textbooks_and_never_negative():
    draw = torch.Generator().manual_seed(0)
    outputs = torch.rand(60, 4, generator=draw).softmax(1)
    labels = torch.randint(0, 4, (60,), generator=draw)
    wanted = 0.0
    for kind in range(4):
        rows = outputs[labels == kind]
        mean = rows.mean(0)
        marginal = -(mean * mean.log()).sum()
        conditional = -(rows * rows.log()).sum(1).mean()
        wanted += float(marginal - conditional) * len(rows) / 60
    assert class_information(outputs, labels).item() == pytest.approx(wanted, abs=1e-5)
    assert wanted >= 0
