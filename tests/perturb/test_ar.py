import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.ar import (
    Autoregressive,
    AutoregressiveL2,
    autoregress,
    response,
)
from fiftyone_reue.perturb.base import FitData, FitOptions, Method, State
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CLASSES = ("bird", "cat", "dog")


def fitted(
    amplitude: int = 8, key: bytes = b"k" * 32, seed: int = 0, size: int = 16
) -> State:
    data = FitData(np.zeros((1, size, size, 3), np.uint8), np.zeros(1, int), CLASSES)
    return finish(Autoregressive().fit(data, FitOptions(amplitude, seed, key)))


@pytest.fixture(scope="module")
def state() -> State:
    return fitted()


def pattern(state: State, label: str, sample: int, colours: int = 3) -> np.ndarray:
    image = np.zeros((20, 30, colours), np.uint8)
    return Autoregressive().pattern(state, image, label, sample.to_bytes(32, "big"))


def signals(state: State, place: int, count: int = 4) -> np.ndarray:
    """Unrounded noise of a class, of norm 1."""
    start = np.random.default_rng(1).standard_normal((count, 3, 20, 20), np.float32)
    filters = np.stack([state.arrays["filters"][place]] * count)
    made = autoregress(filters, start)[..., 4:, 4:]
    return made / np.linalg.norm(made.reshape(count, -1), axis=1)[:, None, None, None]


def test_every_pixel_is_the_weighted_sum_of_its_eight_neighbours():
    draw = np.random.default_rng(0)
    start = draw.standard_normal((2, 3, 7, 7), np.float32)
    filters = draw.standard_normal((2, 3, 3, 3), np.float32) / 4
    filters[..., 2, 2] = 0
    expected = start.copy()
    for row in range(2, 7):
        for column in range(2, 7):
            window = expected[..., row - 2 : row + 1, column - 2 : column + 1]
            expected[..., row, column] = (window * filters).sum(axis=(2, 3))
    assert autoregress(filters, start) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_a_filter_sums_to_one_and_cancels_its_own_noise_only(state):
    filters = state.arrays["filters"]
    assert filters.shape == (3, 3, 3, 3)
    assert filters.sum(axis=(2, 3)) == pytest.approx(np.ones((3, 3)), abs=1e-4)
    assert not filters[..., 2, 2].any()
    for made in range(3):
        for used in range(3):
            answers = response(signals(state, made), filters[used])
            if made == used:
                assert answers.max() < 1e-3
            else:
                assert answers.min() > 0.5
            if made > used:  # what the search asked for, but for the draws' spread
                assert answers.max() > 0.8 * state.summary["least_response"] / 2


@pytest.mark.slow
def test_the_rounded_noise_still_shows_its_class(state):
    filters = state.arrays["filters"]
    for place, label in enumerate(CLASSES):
        for sample in range(5):
            made = pattern(state, label, sample).astype(np.float32)
            channels = made.transpose(2, 0, 1)[None]
            answers = [response(channels, weights).item() for weights in filters]
            assert np.argmin(answers) == place


@pytest.mark.slow
@pytest.mark.parametrize("amplitude", [1, 4, 8, 20])
def test_patterns_keep_within_the_amplitude_and_use_it(amplitude):
    state = fitted(amplitude)
    made = np.stack([pattern(state, "cat", sample) for sample in range(20)])
    assert made.dtype == np.int8
    assert made.shape == (20, 16, 16, 3)
    assert np.abs(made.astype(int)).max() == amplitude


@pytest.mark.slow
def test_the_norm_is_the_papers_less_what_is_clipped():
    for size in (16, 32):
        state = fitted(size=size)
        norms = [
            np.linalg.norm(pattern(state, label, sample) / 255)
            for label in CLASSES
            for sample in range(10)
        ]
        unclipped = size / 32
        assert 0.75 * unclipped < np.mean(norms) < unclipped


@pytest.mark.slow
def test_the_published_form_has_the_whole_norm_and_no_other_bound():
    data = FitData(np.zeros((1, 16, 16, 3), np.uint8), np.zeros(1, int), CLASSES)
    options = FitOptions(8, seed=0, key=b"k" * 32)
    free = finish(AutoregressiveL2().fit(data, options))
    assert (free.method, fitted().method) == ("ar_l2", "ar")
    assert (AutoregressiveL2.info.bounded, Autoregressive.info.bounded) == (False, True)
    made = np.stack([pattern(free, "cat", sample) for sample in range(10)])
    assert made.dtype == np.int16
    norms = np.linalg.norm(made.reshape(10, -1) / 255, axis=1)
    assert norms == pytest.approx(np.full(10, 0.5), rel=0.02)
    assert np.abs(made).max() > 12
    clipped = np.stack([pattern(fitted(), "cat", sample) for sample in range(10)])
    assert np.array_equal(made.clip(-8, 8), clipped)


def test_samples_differ_and_the_same_key_gives_the_same_again(state):
    made = [pattern(state, "dog", sample) for sample in range(20)]
    assert len({m.tobytes() for m in made}) == 20
    assert np.array_equal(made[7], pattern(state, "dog", 7))
    assert not np.array_equal(made[7], pattern(state, "cat", 7))


@pytest.mark.slow
def test_keys_and_seeds_give_other_filters(state):
    states = [state, fitted(key=b"x" * 32), fitted(seed=1)]
    filters = {s.arrays["filters"][c].tobytes() for s in states for c in range(3)}
    assert len(filters) == 9
    assert np.array_equal(fitted().arrays["filters"], state.arrays["filters"])


def test_without_images_it_works_at_the_papers_size():
    data = FitData(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, int), ("a", "b"))
    state = finish(Autoregressive().fit(data, FitOptions(8, seed=0, key=b"k" * 32)))
    stored = State.from_bytes(state.to_bytes())
    assert pattern(stored, "a", 0).shape == (32, 32, 3)
    assert np.array_equal(pattern(stored, "a", 0), pattern(state, "a", 0))


def test_gray_and_16_bit_images_get_as_many_channels(state):
    assert pattern(state, "cat", 0, colours=1).shape == (16, 16, 1)
    deep = np.zeros((64, 64, 3), np.uint16)
    made = Autoregressive().pattern(state, deep, "cat", bytes(32))
    assert np.array_equal(made, pattern(state, "cat", 0))


@pytest.mark.slow
def test_perturbing_many_at_once_is_perturbing_each():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (130, 8, 8, 3)).astype(np.uint8)
    data = FitData(images, np.arange(130) % 3, CLASSES)
    options = FitOptions(8, seed=3, key=b"k" * 32)
    steps = list(Autoregressive().perturb_steps(data, options))
    assert steps == sorted(steps)
    assert steps[-1] == 1
    made = finish(Autoregressive().perturb_steps(data, options))
    each = finish(Method.perturb_steps(Autoregressive(), data, options))
    assert np.array_equal(made, each)
    assert np.abs(made.astype(int) - images).max() == 8


def test_an_unknown_class_is_named(state):
    with pytest.raises(InputError, match="'horse'"):
        pattern(state, "horse", 0)
