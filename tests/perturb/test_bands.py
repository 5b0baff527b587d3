import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.rue.bands import (
    ALONE,
    GRID,
    HIGHEST,
    LOWEST,
    SHORTEST,
    UNIT,
    BandsConfig,
    band_pattern,
    cell_of,
    class_bands,
    drawn_bands,
    emphasis,
    gray_cells,
    response,
)

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
DIAGONAL = np.array([[32, 32]], np.uint8)


def picture(height: int, width: int, colours: int = 3) -> np.ndarray:
    """Noise of every scale, away from both rails."""
    draw = np.random.default_rng(3)
    total = np.zeros((height, width, colours))
    for cell in (1, 2, 4, 8, 16):
        high, wide = -(-height // cell), -(-width // cell)
        coarse = draw.normal(0, 6, (high, wide, colours))
        total += coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width]
    return (128 + total).clip(0, 255).astype(np.uint8)


def wave(frequency: tuple[float, float], side: int = 96) -> np.ndarray:
    """Cosines of so many half cycles a block, in the levels' unit."""
    place = np.arange(side) - side // 2
    down, across = (np.cos(np.pi * number * place / 8) for number in frequency)
    return np.rint(20 * UNIT * down[:, None] * across).astype(np.int64)


@pytest.mark.parametrize(("classes", "each"), [(2, 1), (16, 1), (17, 2), (191, 3)])
def test_classes_get_as_few_frequencies_as_tell_them_apart(classes, each):
    bands = class_bands(classes, KEY)
    assert bands.shape == (classes, each, 2)
    assert len({tuple(map(tuple, some)) for some in bands.tolist()}) == classes
    far = np.hypot(bands[..., 0], bands[..., 1])
    assert far.min() >= LOWEST
    assert far.max() <= HIGHEST


@pytest.mark.parametrize("seed", range(8))
def test_ten_classes_are_most_of_a_half_cycle_apart(seed):
    bands = class_bands(10, bytes([seed] * 32))[:, 0].astype(int)
    gaps = [np.hypot(*(a - b)) for n, a in enumerate(bands) for b in bands[:n]]
    assert min(gaps) >= 0.85 * GRID


def test_a_thousand_classes_differ_and_too_many_are_refused():
    bands = class_bands(1000, KEY)
    assert len({some.tobytes() for some in bands}) == 1000
    with pytest.raises(InputError, match="1141 classes are more than the 1140"):
        class_bands(1141, KEY)


def test_the_key_draws_the_frequencies():
    assert np.array_equal(class_bands(ALONE, KEY), class_bands(ALONE, KEY))
    other = class_bands(ALONE, bytes(32))
    same = {tuple(one) for one in other[:, 0]} & {
        tuple(one) for one in class_bands(ALONE, KEY)[:, 0]
    }
    assert len(same) < ALONE // 4


def test_a_band_answers_its_own_frequency_and_nothing_that_is_even():
    own = np.abs(response(wave((2, 2)), DIAGONAL[0]))[24:-24, 24:-24].max()
    for other in ((0, 1), (0, 3.5), (3.5, 2), (2, 0.5)):
        found = np.abs(response(wave(other), DIAGONAL[0]))[24:-24, 24:-24].max()
        assert found < own / 3
    even = np.full((64, 64), 200 * UNIT, np.int64)
    assert np.abs(response(even, DIAGONAL[0])).max() <= 1


def test_what_is_there_is_made_stronger():
    levels = wave((2, 2))
    made = emphasis(levels, DIAGONAL, np.zeros(levels.shape, np.int64), 6)
    assert made.dtype == np.int8
    assert np.abs(made).max() == 6
    inner = slice(16, -16)
    agree = np.sign(made[inner, inner]) == np.sign(levels[inner, inner])
    assert agree[made[inner, inner] != 0].mean() > 0.98


def test_an_even_picture_gets_its_bands_too_but_less():
    flat = np.full((128, 128, 3), 120, np.uint8)
    made = band_pattern(flat, DIAGONAL, 6, KEY)
    assert np.abs(made).mean() > 2
    half = flat.copy()
    half[:, 64:] = picture(128, 64)
    made = np.abs(band_pattern(half, DIAGONAL, 6, KEY)[..., 0])
    assert made[:, :48].mean() < made[:, 80:].mean() / 2


@settings(max_examples=25, deadline=None)
@given(
    st.integers(SHORTEST, 300),
    st.integers(SHORTEST, 300),
    st.integers(1, 30),
    st.sampled_from([1, 3]),
)
def test_patterns_fit_any_image_and_keep_within_the_amplitude(
    height, width, amplitude, colours
):
    image = picture(height, width, colours)
    made = band_pattern(image, class_bands(20, KEY)[3], amplitude, KEY)
    assert made.dtype == np.int8
    assert made.shape[2] == 1
    assert np.abs(made).max() <= amplitude
    cell = cell_of(height, width)
    whole = expand(made, height, width)[..., 0]
    again = whole[::cell, ::cell].repeat(cell, 0).repeat(cell, 1)
    assert np.array_equal(whole, again[:height, :width])


@pytest.mark.parametrize(
    ("shape", "cell"),
    [((64, 900), 1), ((255, 300), 1), ((256, 256), 2), ((3000, 4000), 16)],
)
def test_cells_grow_with_the_image(shape, cell):
    assert cell_of(*shape) == cell


def test_large_images_have_the_bands_of_their_reduction():
    small = picture(128, 160)
    large = small.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(gray_cells(large, 2), gray_cells(small, 1))
    one, two = (band_pattern(image, DIAGONAL, 6, KEY) for image in (small, large))
    assert np.array_equal(one, two)


def test_every_sample_is_fresh():
    image, bands = picture(128, 128), class_bands(200, KEY)[0]
    one, two = (band_pattern(image, bands, 6, bytes([n] * 32)) for n in (1, 2))
    assert np.array_equal(one, band_pattern(image, bands, 6, bytes([1] * 32)))
    assert (one != two).mean() > 0.3


def test_regions_draw_of_all_of_a_classs_bands():
    drawn = drawn_bands(3, 128, 96, KEY)
    corners = drawn[::16, ::16]
    assert np.array_equal(corners.repeat(16, 0).repeat(16, 1), drawn)
    assert set(corners.ravel()) == {0, 1, 2}


def test_strength_is_what_the_configuration_says():
    image = picture(128, 128)
    weak, strong = (
        np.abs(band_pattern(image, DIAGONAL, 30, KEY, BandsConfig(strength=s))).mean()
        for s in (50, 100)
    )
    assert strong == pytest.approx(2 * weak, rel=0.1)


@pytest.mark.parametrize(
    ("shape", "classes", "digest"),
    [
        ((128, 96, 3), 10, "b76580344a9821b7"),
        ((270, 300, 3), 200, "4a5f85440070e730"),
        ((64, 70, 1), 2, "065047470b82014f"),
    ],
)
def test_every_machine_makes_the_same(shape, classes, digest):
    draw = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = band_pattern(draw, class_bands(classes, KEY)[1], 6, KEY)
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == digest
