"""Epsilon holds on decoded pixels, whatever the file."""

import io
import itertools

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from fiftyone_reue.media.jpeg_coefficients import decoding
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.decoding import Beside, decoded
from fiftyone_reue.media.jpeg_coefficients.limits import (
    Held,
    added,
    hold,
    largest_change,
    subtracted,
)
from fiftyone_reue.media.jpeg_coefficients.planes import Target, targets
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.rounding import strength
from fiftyone_reue.media.jpeg_coefficients.transform import inverse
from fiftyone_reue.media.jpeg_coefficients.writing import in_one_go, write
from tests.media.jpeg_coefficients.encoded import opencv, picture, pillow

pytestmark = pytest.mark.unit


def pattern(width: int, height: int, seed: int = 0, cell: int = 4) -> np.ndarray:
    """(height, width) of ±8, one sign a cell."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-8, 8], (-(-height // cell), -(-width // cell)))
    return signs.repeat(cell, 0).repeat(cell, 1)[:height, :width]


def copy_of(found: Coefficients, held: Held) -> bytes:
    return write(added(found, held.offsets))


@pytest.mark.parametrize(
    ("quality", "progressive"), list(itertools.product((20, 75, 95), (False, True)))
)
def test_gray_changes(quality: int, progressive: bool):
    data = pillow(picture(), quality=quality, progressive=progressive)
    found = read(data)
    wanted = targets(found, pattern(161, 137))
    held = hold(found, wanted, 8)
    change = np.abs(decoded(copy_of(found, held)).astype(int) - decoded(data))
    assert 3 < change.max() <= 8
    assert strength(wanted, held.offsets, found) > (0.15 if quality == 20 else 0.5)
    again = read(copy_of(found, held))
    for one, old, offset in zip(
        again.components, found.components, held.offsets, strict=True
    ):
        assert np.array_equal(one.blocks - offset, old.blocks)


@pytest.mark.parametrize("sampling", [0x111111, 0x211111, 0x121111, 0x221111, 0x411111])
@pytest.mark.parametrize("epsilon", [1, 4, 8])
def test_changes_of_colour(sampling: int, epsilon: int):
    data = opencv(picture(90, 70), 1, 90, 7, sampling)
    found = read(data)
    change = np.stack([pattern(90, 70, seed, cell=8) for seed in range(3)], -1)
    held = hold(found, targets(found, change), epsilon)
    measured = np.abs(decoded(copy_of(found, held)).astype(int) - decoded(data))
    assert measured.max() <= epsilon
    assert any(offset.any() for offset in held.offsets) or epsilon == 1


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colours(mode: str):
    data = pillow(picture(90, 70), mode, quality=90)
    found = read(data)
    held = hold(found, targets(found, pattern(90, 70)), 8)
    change = decoded(copy_of(found, held)).astype(int) - decoded(data)
    assert np.abs(change).max() <= 8


def test_other_decoders_agree():
    """Of a gray change; how colours are enlarged differs between decoders."""
    data = pillow(picture(), quality=85)
    found = read(data)
    held = hold(found, targets(found, pattern(161, 137)), 8)
    for read_by in (
        lambda d: cv2.imdecode(np.frombuffer(d, np.uint8), cv2.IMREAD_COLOR),
        simplejpeg.decode_jpeg,
        lambda d: simplejpeg.decode_jpeg(d, fastdct=True, fastupsample=True),
    ):
        change = np.abs(read_by(copy_of(found, held)).astype(int) - read_by(data))
        assert change.max() <= 9


def test_clipped_pictures():
    for value in (0, 255):
        data = pillow(np.full((40, 40, 3), value, np.uint8), quality=80)
        found = read(data)
        held = hold(found, targets(found, pattern(40, 40)), 8)
        change = decoded(copy_of(found, held)).astype(int) - decoded(data)
        assert np.abs(change).max() <= 8


@pytest.mark.parametrize("kind", ["gray", "4:4:4", "4:2:0", "progressive"])
@pytest.mark.parametrize("level", [40, 128, 250])
def test_what_is_computed_is_what_a_decoder_shows(kind: str, level: int):
    """Bright and dark pictures have colours that are cut off."""
    options = {
        "gray": {"mode": "L"},
        "4:4:4": {"subsampling": 0},
        "4:2:0": {},
        "progressive": {"progressive": True},
    }
    samples = (picture(161, 137).astype(int) + level - 128).clip(0, 255)
    found = read(pillow(samples.astype(np.uint8), quality=85, **options[kind]))

    def another(data: bytes) -> np.ndarray:  # so that nothing is computed
        return decoded(data)

    wanted = targets(found, pattern(161, 137))
    mark = hold(found, targets(found, pattern(161, 137, seed=1) // 4), 3).offsets
    held, same = (
        hold(found, wanted, 8, base=added(found, mark), start=7, beside=beside)
        for beside in (None, Beside(found, decoder=another))
    )
    assert held.rounds == same.rounds > 1
    for one, other in zip(held.offsets, same.offsets, strict=True):
        assert np.array_equal(one, other)


def test_what_is_known_of_the_original_is_used():
    data = pillow(picture(), quality=85)
    found = read(data)
    wanted = targets(found, pattern(161, 137))
    known = hold(found, wanted, 8, beside=Beside(found, decoded(data)))
    plain = hold(found, wanted, 8)
    assert np.array_equal(plain.limits[0], known.limits[0])


def test_a_decoder_that_shows_far_more():
    """Then hardly anything may change, or nothing."""

    def strict(data: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("L")).astype(np.int16) * 50

    found = read(pillow(picture(40, 40), quality=85))
    held = hold(
        found, targets(found, pattern(40, 40)), 8, beside=Beside(found, decoder=strict)
    )
    assert not any(offset.any() for offset in held.offsets)


def test_epsilon_must_be_positive():
    found = read(pillow(picture(16, 16)))
    with pytest.raises(ValueError, match="epsilon"):
        hold(found, [None] * 3, 0)


def test_largest_change():
    rng = np.random.default_rng(0)
    offsets = rng.integers(-3, 4, (5, 6, 8, 8)).astype(np.int16)
    steps = rng.integers(1, 20, (8, 8))
    expected = np.abs(inverse(offsets * steps)).reshape(5, 6, 64).max(2)
    assert np.array_equal(largest_change(offsets, steps), expected)


@pytest.mark.slow
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("height", [577, 1147])
def test_colours_of_some_rows_are_those_of_the_picture(subsampling, height):
    """Decoders smooth them over borders of rows, which some rows go beyond."""
    samples = np.random.default_rng(0).integers(0, 256, (height, 50, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "JPEG", subsampling=subsampling)
    found = read(file.getvalue())
    with Image.open(io.BytesIO(write(in_one_go(found)))) as image:
        image.draft("YCbCr", image.size)
        whole = [np.asarray(image.getchannel(place)) for place in (1, 2)]
    high = 8 * decoding._BAND
    for band in range(-(-height // high)):
        first, made = decoding._differences(found, band)
        rows = slice(band * high, min((band + 1) * high, height))
        there = slice(rows.start - 8 * first, rows.stop - 8 * first)
        for one, some in zip(whole, made, strict=True):
            assert np.array_equal(one[rows], some[there])


@pytest.mark.slow
def test_what_is_computed_where_it_is_asked_for_holds_as_well():
    found = read(pillow(picture(120, 800)))
    draw = np.random.default_rng(0)
    plane = draw.integers(-9, 10, (found.height, found.width)).astype(np.int8)
    luma = found.components[0]
    blocks = luma.blocks.shape[:2]
    target = Target(plane, (1, 1), blocks)
    whole = targets(found, plane)
    others = [None] * (len(found.components) - 1)
    lazy = hold(found, [target, *others], 6)
    held = hold(found, whole, 6)
    for one, other in zip(lazy.offsets, held.offsets, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(lazy.limits[0], held.limits[0])


def test_only_what_may_be_changed_is_changed_in_place():
    found = read(pillow(picture(40, 40)))
    more = [np.ones(one.blocks.shape, np.int16) for one in found.components]
    before = [one.stored.copy() for one in found.components]
    once = added(found, more)
    assert added(once, more, keep=(found,)).components[0].stored is (
        once.components[0].stored
    )
    for one, kept in zip(found.components, before, strict=True):
        assert np.array_equal(one.stored, kept)
    assert subtracted(found, more, keep=()).components[0].stored is (
        found.components[0].stored
    )
    assert not np.array_equal(found.components[0].stored, before[0])
