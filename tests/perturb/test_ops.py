import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import FitData, FitOptions, State, clipped
from fiftyone_reue.perturb.ops import CORNERS, OnePixelShortcut, steadiness
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CLASSES = ("bird", "cat", "dog")
OPTIONS = FitOptions(8, seed=0, key=b"k" * 32)


def examples(size: int = 8) -> FitData:
    draw = np.random.default_rng(0)
    images = draw.integers(40, 200, (30, size, size, 3)).astype(np.uint8)
    return FitData(images, np.arange(30) % 3, CLASSES)


def fitted(data: FitData | None = None) -> State:
    return finish(OnePixelShortcut().fit(data or examples(), OPTIONS))


def pattern(state: State, image: np.ndarray, label: str = "cat") -> np.ndarray:
    return OnePixelShortcut().pattern(state, image, label, bytes(32))


def test_steadiness_is_mean_over_deviation_of_the_change():
    images = examples().images
    scores = steadiness(images, CORNERS)
    assert scores.shape == (8, 8, 8)
    for row, column, colour in [(0, 0, 0), (3, 5, 2), (7, 1, 7), (4, 4, 5)]:
        change = np.abs(images[:, row, column] - CORNERS[colour].astype(float))
        expected = change.mean() / change.std()
        assert scores[row, column, colour] == pytest.approx(expected, rel=1e-3)


def test_the_steadiest_pixel_of_a_class_is_taken():
    data = examples()
    data.images[data.labels == 1, 2, 6] = (250, 5, 5)
    state = fitted(data)
    assert state.arrays["pixels"][1].tolist() == [2, 6]
    assert state.arrays["colours"][1].tolist() == [0, 255, 255]


def test_no_two_classes_share_pixel_and_colour():
    data = examples(size=2)
    data.images[:] = data.images[0]
    names = tuple(f"class {place:02}" for place in range(30))
    state = fitted(FitData(data.images, np.arange(30), names))
    chosen = np.concatenate([state.arrays["pixels"], state.arrays["colours"]], axis=1)
    assert len({tuple(row) for row in chosen.tolist()}) == 30


def test_exactly_one_pixel_of_each_image_becomes_the_colour():
    data = examples()
    state = fitted(data)
    steps = list(OnePixelShortcut().perturb_steps(data, OPTIONS))
    assert steps == sorted(steps)
    assert steps[-1] == 1
    made = finish(OnePixelShortcut().perturb_steps(data, OPTIONS))
    assert made.dtype == np.uint8
    changed = (made != data.images).any(axis=3)
    assert (changed.sum(axis=(1, 2)) == 1).all()
    for place, image in enumerate(made):
        label = data.labels[place]
        row, column = state.arrays["pixels"][label]
        assert changed[place, row, column]
        assert np.array_equal(image[row, column], state.arrays["colours"][label])
        alone = pattern(state, data.images[place], CLASSES[label])
        assert np.array_equal(image, clipped(data.images[place], expand(alone, 8, 8)))


def test_a_pattern_is_zero_but_for_one_working_pixel():
    state = State.from_bytes(fitted().to_bytes())
    for side, dtype in [(8, np.uint8), (16, np.uint8), (64, np.uint16)]:
        level = 100 if dtype == np.uint8 else 100 * 256
        made = pattern(state, np.full((side, side, 3), level, dtype))
        assert made.dtype == np.int16
        assert made.shape == (8, 8, 3)
        assert (made != 0).any(axis=2).sum() == 1
        assert set(np.unique(made)) <= {-100, 0, 155}


def test_gray_images_get_black_or_white_pixels():
    data = examples()
    data.images[:] = data.images[..., :1]
    state = fitted(data)
    colours = state.arrays["colours"]
    assert (colours == colours[:, :1]).all()
    made = pattern(state, data.images[0, ..., :1])
    assert made.shape == (8, 8, 1)
    assert (made != 0).sum() == 1


def test_a_class_without_images_gets_a_pixel_of_its_own():
    data = examples()
    state = fitted(FitData(data.images, data.labels, (*CLASSES, "emu")))
    assert state.arrays["pixels"].shape == (4, 2)
    assert pattern(state, data.images[0], "emu").any()


def test_an_unknown_class_is_named():
    with pytest.raises(InputError, match="'horse'"):
        pattern(fitted(), np.zeros((8, 8, 3), np.uint8), "horse")
