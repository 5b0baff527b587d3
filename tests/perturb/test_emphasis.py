import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.rue.bands import (
    SHORTEST,
    BandsConfig,
    cell_of,
    class_bands,
    gray_cells,
    response,
)
from fiftyone_reue.perturb.rue.emphasis import Emphasis, band_pattern

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


def test_what_is_there_is_made_stronger():
    image = picture(128, 128)
    found = response(gray_cells(image, 1), DIAGONAL[0])
    made = band_pattern(image, DIAGONAL, 6, KEY)[..., 0]
    assert np.abs(made).max() == 6
    strong = (np.abs(found) > np.quantile(np.abs(found), 0.3)) & (made != 0)
    assert (np.sign(made) == np.sign(found))[strong].mean() > 0.9
    after = response(gray_cells(image, 1) + 48 * made, DIAGONAL[0])
    assert np.abs(after).mean() > 1.1 * np.abs(found).mean()


def test_a_step_sees_nothing_of_what_it_changes():
    image = picture(96, 112)
    emphasis = Emphasis.of(image, class_bands(200, KEY)[0], 6, KEY)
    for number in (0, 1):
        made = emphasis.step(number, image)
        assert np.abs(made).mean() > 1
        mine = np.indices((96, 112)).sum(axis=0) % 2 == number
        assert not made[~mine].any()
        other = np.where(mine[..., None], 255 - image, image)
        assert np.array_equal(emphasis.step(number, other), made)
        others = np.where(mine[..., None], image, 255 - image)
        assert not np.array_equal(emphasis.step(number, others), made)


def test_both_steps_add_alike():
    made = np.abs(band_pattern(picture(200, 240), DIAGONAL, 6, KEY)[..., 0])
    first = np.indices(made.shape).sum(axis=0) % 2 == 0
    assert made[first].mean() == pytest.approx(made[~first].mean(), rel=0.15)


@pytest.mark.parametrize("classes", [2, 20, 200])
def test_a_record_has_it_in_a_few_bytes(classes):
    image, bands = picture(96, 96), class_bands(classes, KEY)[1]
    emphasis = Emphasis.of(image, bands, 6, KEY)
    packed = emphasis.pack()
    assert len(packed) == 45 + 2 * len(bands)
    again = Emphasis.unpack(packed)
    assert again.pack() == packed
    for number in (0, 1):
        assert np.array_equal(again.step(number, image), emphasis.step(number, image))


def test_what_can_not_be_an_emphasis_is_damaged():
    packed = Emphasis.of(picture(96, 96), DIAGONAL, 6, KEY).pack()
    too_strong = packed[:4] + b"\xff" * 8 + packed[12:]
    for data in (
        b"",
        packed[:-1],
        packed + b"x",
        b"\2" + packed[1:],  # another version
        packed[:1] + b"\0" + packed[2:],  # no amplitude
        packed[:1] + b"\x80" + packed[2:],  # more than an int8
        packed[:2] + b"\0\0" + packed[4:],  # regions of nothing
        too_strong,
        packed[:12] + b"\0" + packed[13:],  # no band
        packed[:12] + b"\4" + packed[13:] + bytes(6),  # too many
    ):
        with pytest.raises(DamagedRecordError, match="made stronger can't be read"):
            Emphasis.unpack(data)
    with pytest.raises(DamagedRecordError, match="too small for bands"):
        Emphasis.unpack(packed).step(0, picture(SHORTEST - 1, 90))


def test_the_strongest_that_can_be_stays_within_its_integers():
    """A gain as high as it may be, and samples as far apart as they can be."""
    draw = np.random.default_rng(0).integers(0, 2, (64, 64, 3), np.uint8) * 255
    for frequency in ([0, 0], [20, 0], [59, 0], [32, 32]):
        bands = np.array([frequency], np.uint8)
        strong = Emphasis(127, 127 << 28, 16, bands, KEY)
        for number in (0, 1):
            made = strong.step(number, draw)
            assert np.abs(made.astype(int)).max() <= 127
            weak = Emphasis(127, 1 << 12, 16, bands, KEY).step(number, draw)
            assert (made.astype(int) * weak >= 0).all()


def test_an_even_picture_gets_its_bands_too_but_less():
    flat = np.full((128, 128, 3), 120, np.uint8)
    made = band_pattern(flat, DIAGONAL, 6, KEY)
    assert np.abs(made).mean() > 2
    half = flat.copy()
    half[:, 64:] = picture(128, 64)
    made = np.abs(band_pattern(half, DIAGONAL, 6, KEY)[..., 0])
    assert made[:, :48].mean() < made[:, 80:].mean() / 2


@pytest.mark.slow
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
        ((128, 96, 3), 10, "e3ecb9c8da2e187e"),
        ((270, 300, 3), 200, "79931fcc42d17b43"),
        ((64, 70, 1), 2, "3b54ef3fcad8ec94"),
    ],
)
def test_every_machine_makes_the_same(shape, classes, digest):
    draw = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = band_pattern(draw, class_bands(classes, KEY)[1], 6, KEY)
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == digest
