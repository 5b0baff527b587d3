import numpy as np
import pytest

from fiftyone_reue.watermark import patterns

pytestmark = pytest.mark.unit

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("height", "width", "grid"),
    [
        (8, 8, 8),
        (8, 2000, 8),
        (31, 32, 16),
        (32, 32, 32),
        (255, 999, 128),
        (256, 256, 256),
        (4000, 3000, 256),
    ],
)
def test_the_grid_is_a_power_of_two_within_the_image(height, width, grid):
    assert patterns.grid_side(height, width) == grid
    assert patterns.grid_side(width, height) == grid


@pytest.mark.parametrize("grid", [8, 16, 32, 64, 128, 256])
def test_a_band_is_in_the_middle_and_shared_out_evenly(grid):
    band = patterns.band(grid)
    radius = np.hypot(band.rows, band.columns)
    assert radius.min() >= patterns.LOW * grid
    assert radius.max() < patterns.HIGH * grid
    assert max(band.rows.max(), band.columns.max()) < band.size <= grid
    assert len(set(zip(band.rows, band.columns, strict=True))) == len(band.rows)
    counts = np.bincount(band.bits, minlength=band.bit_count)
    assert len(counts) == band.bit_count == (32 if grid <= 64 else 128)
    assert counts.max() - counts.min() <= 1


def test_cosines_are_whole_numbers_of_an_almost_orthogonal_set():
    cosines = patterns.cosines(64, 40)
    assert np.array_equal(cosines, np.round(cosines))
    gram = cosines.T @ cosines / (patterns.SCALE**2 * 32)
    gram[0, 0] /= 2
    assert np.abs(gram - np.eye(40)).max() < 1 / patterns.SCALE


def test_signs_are_the_keys_and_the_images_alone():
    ours = patterns.signs(KEY, "image", 64)
    assert set(ours) == {-1.0, 1.0}
    assert len(ours) == len(patterns.band(64).rows)
    assert np.array_equal(ours, patterns.signs(KEY, "image", 64))
    for others in (
        patterns.signs(b"x" * 32, "image", 64),
        patterns.signs(KEY, "imagf", 64),
    ):
        # A correlation of 5 standard errors would say that they are shared.
        assert abs(ours @ others) < 5 * np.sqrt(len(ours))
