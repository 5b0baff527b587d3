import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.line_filter import LineFilter, without_lines
from fiftyone_reue.perturb.gratings import grating

pytestmark = pytest.mark.unit


def photograph(size: int, seed: int = 0) -> np.ndarray:
    """Noise with the 1/f spectrum of photographs, ``(size, size, 3)`` uint8."""
    draw = np.random.default_rng(seed)
    along = np.abs(np.fft.fftfreq(size) * size)
    radius = np.hypot(along[:, None], along[None, :]).clip(1)[..., None]
    white = np.fft.fft2(draw.normal(size=(size, size, 3)), axes=(0, 1))
    pink = np.fft.ifft2(white / radius, axes=(0, 1)).real
    return (128 + 40 * pink / pink.std()).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("wave", [(0, 9), (13, 0)])
def test_most_of_a_grating_is_taken_off(size, wave):
    image = photograph(size)
    stripes = grating([wave], np.array([0.2]), size, 8).astype(np.int16)
    striped = (image.astype(np.int16) + stripes).clip(0, 255).astype(np.uint8)
    left = without_lines(striped).astype(float) - without_lines(image)
    assert (left * stripes).mean() / 64 < 0.5


def test_an_image_without_lines_is_nearly_left_alone():
    image = photograph(32)
    change = without_lines(image).astype(float) - image
    assert np.sqrt(np.square(change).mean()) < 4
    flat = np.full((32, 32, 3), 90, np.uint8)
    assert np.array_equal(without_lines(flat), flat)


def test_images_are_filtered_one_by_one():
    images = np.stack([photograph(32, seed) for seed in range(3)])
    made = LineFilter().apply(images)
    assert made.shape == images.shape
    assert made.dtype == np.uint8
    assert np.array_equal(made[1], without_lines(images[1]))
