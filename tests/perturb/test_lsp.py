import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CLASSES = ("bird", "cat", "dog")


def fitted(amplitude: int = 6, key: bytes = b"k" * 32, seed: int = 0) -> State:
    data = FitData(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64), CLASSES)
    method = create_method("lsp")
    return finish(method.fit(data, FitOptions(amplitude, seed, key)))


def pattern(state: State, label: str, sample: int, colours: int = 3) -> np.ndarray:
    return create_method("lsp").pattern(
        state,
        np.zeros((32, 32, colours), np.uint8),
        label,
        sample.to_bytes(32, "big"),
    )


@pytest.mark.parametrize("amplitude", [1, 2, 6, 30, 127])
def test_tables_use_the_whole_amplitude_and_patterns_keep_within_it(amplitude):
    state = fitted(amplitude)
    assert state.tables.shape == (3, 1, 4, 4, 3)
    assert set(np.abs(state.tables).ravel()) == {amplitude}
    for sample in range(50):
        made = pattern(state, "cat", sample)
        assert made.dtype == np.int8
        assert np.abs(made.astype(int)).max() <= amplitude
        assert np.abs(made.astype(int)).min() >= 1


def test_samples_of_a_class_differ_around_its_signs():
    state = fitted()
    made = [pattern(state, "dog", sample) for sample in range(20)]
    assert all(np.array_equal(np.sign(m), np.sign(made[0])) for m in made)
    assert len({m.tobytes() for m in made}) == 20
    assert np.array_equal(made[7], pattern(state, "dog", 7))


def test_classes_keys_and_seeds_give_other_tables():
    states = [fitted(), fitted(key=b"x" * 32), fitted(seed=1)]
    tables = {state.tables[c].tobytes() for state in states for c in range(3)}
    assert len(tables) == 9
    assert np.array_equal(fitted().tables, states[0].tables)


def test_gray_images_get_one_channel():
    assert pattern(fitted(), "cat", 0, colours=1).shape == (4, 4, 1)


def test_an_unknown_class_is_named():
    with pytest.raises(InputError, match="'horse'"):
        pattern(fitted(), "horse", 0)
