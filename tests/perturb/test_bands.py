import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.rue.bands import (
    ALONE,
    GRID,
    HIGHEST,
    LOWEST,
    UNIT,
    cell_of,
    class_bands,
    drawn_bands,
    others_response,
    own_response,
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


@pytest.mark.parametrize(
    ("shape", "cell"),
    [((64, 900), 1), ((255, 300), 1), ((256, 256), 2), ((3000, 4000), 16)],
)
def test_cells_grow_with_the_image(shape, cell):
    assert cell_of(*shape) == cell


def test_half_of_a_picture_says_half_of_what_it_has():
    levels = wave((2, 2))
    first = np.indices(levels.shape).sum(axis=0) % 2 == 0
    found = others_response(np.where(first, 0, levels), DIAGONAL[0])
    whole = response(levels, DIAGONAL[0])
    inner = np.zeros(levels.shape, bool)
    inner[16:-16, 16:-16] = first[16:-16, 16:-16]
    far = np.abs(found[inner] - whole[inner] // 2).max()
    assert far < np.abs(whole).max() / 20
    even = np.full((64, 64), 200 * UNIT, np.int64)
    even[np.indices(even.shape).sum(axis=0) % 2 == 0] = 0
    seen = np.abs(others_response(even, DIAGONAL[0]))[::2, ::2].max()
    assert seen < np.abs(whole).max() / 100


def test_a_wave_of_one_level_has_its_own_response():
    levels = wave((2, 2)) // 20
    first = np.indices(levels.shape).sum(axis=0) % 2 == 0
    found = others_response(np.where(first, 0, levels), DIAGONAL[0])
    assert found[48, 48] == pytest.approx(UNIT * own_response(DIAGONAL[0]), rel=0.05)


def test_regions_draw_of_all_of_a_classs_bands():
    drawn = drawn_bands(3, 128, 96, KEY)
    corners = drawn[::16, ::16]
    assert np.array_equal(corners.repeat(16, 0).repeat(16, 1), drawn)
    assert set(corners.ravel()) == {0, 1, 2}


def test_a_region_larger_than_the_image_takes_no_memory_of_its_own():
    drawn = drawn_bands(3, 20, 30, KEY, 0xFFFF)  # 32 GiB, if it were made whole
    assert drawn.shape == (20, 30)
    assert np.array_equal(drawn, drawn_bands(3, 20, 30, KEY, 30))
