import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import FitData, FitOptions, Method, State
from fiftyone_reue.perturb.cuda import ConvolutionBased, convolve
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CLASSES = ("bird", "cat", "dog")


def examples(count: int = 12, size: int = 8) -> FitData:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    return FitData(images, np.arange(count) % 3, CLASSES)


def fitted(
    key: bytes = b"k" * 32, seed: int = 0, classes: tuple[str, ...] = CLASSES
) -> State:
    data = FitData(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, int), classes)
    return finish(ConvolutionBased().fit(data, FitOptions(8, seed, key)))


def pattern(state: State, image: np.ndarray, label: str = "cat") -> np.ndarray:
    return ConvolutionBased().pattern(state, image, label, bytes(32))


def one_tap(row: int, column: int) -> np.ndarray:
    kernel = np.zeros((1, 3, 3), np.float32)
    kernel[0, row, column] = 1
    return kernel


def test_taps_are_in_the_order_of_a_network_s_convolution():
    images = examples(1).images
    images[0, 3, 3] = 255  # so that the division by the maximum does nothing
    assert np.array_equal(convolve(images, one_tap(1, 1)), images)
    down = convolve(images, one_tap(0, 1))
    assert np.array_equal(down[:, 1:], images[:, :-1])
    assert not down[:, 0].any()
    left = convolve(images, one_tap(1, 2))
    assert np.array_equal(left[:, :, :-1], images[:, :, 1:])
    assert not left[:, :, -1].any()


def test_images_are_divided_by_their_own_maximum():
    images = np.full((2, 8, 8, 3), 255, np.uint8)
    images[1] = 10
    images[1, 4, 4] = 20
    made = convolve(images, np.full((2, 3, 3), 0.3, np.float32))
    assert (made[0, 1:-1, 1:-1] == 255).all()
    assert (made[0, 0, 0] == round(255 * 4 / 9)).all()
    assert made[1].max() == 255
    assert not convolve(np.zeros((1, 8, 8, 3), np.uint8), one_tap(1, 1)).any()


def test_a_kernel_has_one_tap_of_one_and_small_weights():
    classes = tuple(f"class {place:03}" for place in range(100))
    kernels = fitted(classes=classes).arrays["kernels"].reshape(100, 9)
    assert kernels.dtype == np.float32
    assert ((kernels == 1).sum(axis=1) == 1).all()
    assert len(set(kernels.argmax(axis=1))) == 9
    others = kernels[kernels != 1]
    assert 0 <= others.min() < 0.01
    assert 0.29 < others.max() <= 0.3
    assert others.mean() == pytest.approx(0.15, abs=0.01)


def test_classes_keys_and_seeds_give_other_kernels():
    states = [fitted(), fitted(key=b"x" * 32), fitted(seed=1)]
    kernels = {s.arrays["kernels"][c].tobytes() for s in states for c in range(3)}
    assert len(kernels) == 9
    assert np.array_equal(fitted().arrays["kernels"], states[0].arrays["kernels"])


def test_all_images_of_a_class_have_one_kernel():
    """The blurred images are one linear map of the images, up to a factor each."""
    state = fitted(classes=("cat",))
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[0, 8, 8] = 255
    images[1, 20, 9] = 90
    made = [image + pattern(state, image) for image in images]
    kernel = state.arrays["kernels"][0, ::-1, ::-1, None]
    assert made[0][7:10, 7:10] == pytest.approx(np.rint(255 * kernel) + np.zeros(3))
    assert np.array_equal(made[0][7:10, 7:10], made[1][19:22, 8:11])


def test_perturbing_many_at_once_is_perturbing_each():
    data = examples(300)
    options = FitOptions(8, seed=0, key=b"k" * 32)
    steps = list(ConvolutionBased().perturb_steps(data, options))
    assert steps == sorted(steps)
    assert steps[-1] == 1
    made = finish(ConvolutionBased().perturb_steps(data, options))
    each = finish(Method.perturb_steps(ConvolutionBased(), data, options))
    assert np.array_equal(made, each)
    assert (made.max(axis=(1, 2, 3)) == 255).all()
    assert (made != data.images).mean() > 0.5


def test_images_of_any_size_and_depth_get_a_working_size_pattern():
    state = State.from_bytes(fitted().to_bytes())
    small = examples(1, 32).images[0]
    made = pattern(state, small)
    assert made.dtype == np.int16
    assert made.shape == (32, 32, 3)
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(pattern(state, large), made)
    assert np.array_equal(pattern(state, large.astype(np.uint16) * 257), made)
    gray = pattern(state, small[..., :1])
    assert gray.shape == (32, 32, 1)
    assert gray.any()


def test_an_unknown_class_is_named():
    with pytest.raises(InputError, match="'horse'"):
        pattern(fitted(), np.zeros((8, 8, 3), np.uint8), "horse")
