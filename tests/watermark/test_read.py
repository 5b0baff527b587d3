import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.media import offsets
from fiftyone_reue.watermark import codes, embed, patterns, read

pytestmark = pytest.mark.unit

KEY = b"k" * 32


def marked(samples: np.ndarray, image: str) -> tuple[np.ndarray, np.ndarray]:
    """A copy with the mark of one recipient, and its code."""
    height, width = samples.shape[:2]
    bits = patterns.band(patterns.grid_side(height, width)).bit_count
    code = codes.code(b"s" * 16, image, bits)
    mark = embed.mark(KEY, image, code, height, width, 2)
    return offsets.add(samples, mark, samples.shape[2])[0], code


def soft(suspect: np.ndarray, original: np.ndarray, image: str) -> np.ndarray:
    luma = [read.luma(s, s.shape[2]) for s in (suspect, original)]
    return read.soft_bits(read.Difference(read.residual(*luma)), KEY, image, 2)


def agreement(photos, change) -> float:
    """The share of code bits read right over all photos."""
    right = []
    for name, photo in photos.items():
        copy, code = marked(photo, name)
        right.append((soft(change(copy), photo, name) > 0) == (code > 0))
    return float(np.mean(right))


def recompressed(samples: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_clean_copies_read_without_error(photos):
    assert agreement(photos, lambda copy: copy) == 1.0


@pytest.mark.parametrize(
    ("what", "change", "least"),
    [
        ("jpeg", lambda copy: recompressed(copy, 75), 0.85),
        ("brightness", lambda copy: (copy * 0.8 + 20).astype(np.uint8), 0.95),
        ("channels", lambda copy: copy[..., ::-1], 0.99),
        ("gray", lambda copy: copy.mean(2, keepdims=True).astype(np.uint8), 0.95),
    ],
)
def test_changed_copies_still_say_most(photos, what, change, least):
    assert agreement(photos, change) >= least


def test_the_unmarked_original_says_nothing(photos):
    for name, photo in photos.items():
        assert not soft(photo, photo, name).any()


def test_another_key_or_image_reads_coins(photos):
    right = []
    for name, photo in photos.items():
        copy, code = marked(photo, name)
        right.append((soft(copy, photo, name + "'") > 0) == (code > 0))
    assert abs(np.mean(right) - 0.5) < 5 * 0.5 / np.sqrt(10 * 32)


def test_flat_and_tiny_images_are_read_too():
    flat = np.full((8, 8, 3), 128, np.uint8)
    copy, code = marked(flat, "flat")
    bits = soft(copy, flat, "flat")
    said = bits != 0
    assert ((bits > 0) == (code > 0))[said].mean() > 0.8
    assert not soft(flat, np.full_like(flat, 90), "flat").any()


def test_luma_is_the_mean_colour_in_gray_levels():
    samples = np.array([[[0, 30, 60, 9]]], np.uint8)
    assert read.luma(samples, 3)[0, 0] == 30
    assert read.luma(samples.astype(np.uint16) * 257, 3)[0, 0] == pytest.approx(30)
    assert read.luma(samples, 3).dtype == np.float32


def test_residual_takes_brightness_and_contrast_off():
    draw = np.random.default_rng(0)
    reference = draw.uniform(0, 255, (32, 32)).astype(np.float32)
    assert np.abs(read.residual(reference * 0.5 + 40, reference)).max() < 1e-3
    # A negative has nothing of the reference to scale by.
    left = read.residual(255 - reference, reference)
    assert np.abs(left).max() > 100


def soft_ellipse(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.clip(8 * (0.6 - x * x - y * y), 0, 1).astype(np.float32)


@pytest.mark.parametrize("background", [0, 77, 255])
def test_residual_takes_a_flat_background_off(background):
    draw = np.random.default_rng(0)
    luma = draw.uniform(0, 255, (32, 40)).astype(np.float32)
    mask = soft_ellipse(32, 40)
    laid = luma * mask + background * (1 - mask)
    for seen in (laid, laid * 0.5 + 40):
        left = read.residual(seen, luma * mask, mask)
        assert np.abs(left).max() < 1e-3
    assert read.centred(laid, np.ones_like(mask)) == pytest.approx(
        read.centred(laid), abs=1e-3
    )


def test_a_background_explains_nothing_of_another_image():
    draw = np.random.default_rng(0)
    one, other = draw.uniform(0, 255, (2, 32, 40)).astype(np.float32)
    mask = soft_ellipse(32, 40)
    left = read.residual(one * mask + 255 * (1 - mask), other * mask, mask)
    alone = read.centred(one * mask + 255 * (1 - mask), mask)
    assert np.square(left).mean() > np.square(alone).mean()


def flattened_agreement(photos, quality: int, *, weighted: bool) -> float:
    """The share of code bits read right over cutouts of all photos, on white."""
    right = []
    for name, photo in photos.items():
        mask = soft_ellipse(*photo.shape[:2])
        copy, code = marked(photo, name)
        white = np.rint(copy * mask[..., None] + 255 * (1 - mask[..., None]))
        suspect = recompressed(white.astype(np.uint8), quality)
        reference = read.luma(photo, 3) * mask
        left = read.residual(read.luma(suspect, 3), reference, mask)
        bits = read.soft_bits(
            read.Difference(left, mask if weighted else None), KEY, name, 2
        )
        right.append((bits > 0) == (code > 0))
    return float(np.mean(right))


def test_flattened_cutouts_still_say_most(photos):
    assert flattened_agreement(photos, 90, weighted=True) >= 0.9
    assert flattened_agreement(photos, 75, weighted=True) >= 0.8


def test_where_a_mark_does_not_show_is_left_out(photos):
    """What is on the background is only noise."""
    draw = np.random.default_rng(0)
    name = "cat"
    photo = photos[name]
    mask = (soft_ellipse(*photo.shape[:2]) > 0.5).astype(np.float32)
    copy, code = marked(photo, name)
    left = read.residual(read.luma(copy, 3), read.luma(photo, 3)) * mask
    left += draw.normal(0, 6, left.shape).astype(np.float32) * (1 - mask)
    bits = read.soft_bits(read.Difference(left, mask), KEY, name, 2)
    clean = read.soft_bits(read.Difference(left * mask, mask), KEY, name, 2)
    assert np.array_equal(bits, clean)
    assert ((bits > 0) == (code > 0)).mean() > 0.95
    assert not read.soft_bits(
        read.Difference(left, np.zeros_like(mask)), KEY, name, 2
    ).any()
