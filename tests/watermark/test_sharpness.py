import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fiftyone_reue.demo import tiles
from fiftyone_reue.media import offsets
from fiftyone_reue.watermark import codes, embed, match, patterns, read
from fiftyone_reue.watermark.sharpness import softened

pytestmark = pytest.mark.unit

KEY, SIZE = b"k" * 32, (256, 192)


@pytest.fixture(scope="module")
def copy() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photograph's luma, its marked samples, and the mark's code."""
    image = tiles.load_photo("coffee").resize(SIZE, Image.Resampling.LANCZOS)
    samples = np.asarray(image)
    code = codes.code(b"s" * 16, "coffee", patterns.bit_count(*samples.shape[:2]))
    mark = embed.mark(KEY, "coffee", code, *samples.shape[:2], 2)
    return read.luma(samples, 3), offsets.add(samples, mark, 3)[0], code


def read_from(image: Image.Image, original: np.ndarray, *, soft: bool) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    luma = read.luma(np.asarray(Image.open(file)), 3)
    luma = match.resize(luma, *original.shape)
    if not soft:
        return read.soft_bits(
            read.Difference(read.residual(luma, original)), KEY, "coffee", 2
        )
    left, response = softened(luma, original)
    return read.soft_bits(read.Difference(left, None, response), KEY, "coffee", 2)


def z(bits: np.ndarray, code: np.ndarray) -> float:
    return float(bits @ code / np.sqrt(bits @ bits))


@pytest.mark.parametrize(
    "edit",
    [
        lambda image: image.filter(ImageFilter.GaussianBlur(2)),
        lambda image: image.resize((SIZE[0] // 3, SIZE[1] // 3)),
    ],
)
def test_soft_copies_say_more_beside_a_soft_reference(copy, edit):
    original, marked, code = copy
    image = edit(Image.fromarray(marked))
    sharp = z(read_from(image, original, soft=False), code)
    assert z(read_from(image, original, soft=True), code) > sharp + 0.3


def test_sharp_copies_say_the_same(copy):
    original, marked, code = copy
    image = Image.fromarray(marked)
    both = [z(read_from(image, original, soft=soft), code) for soft in (False, True)]
    assert both[1] == pytest.approx(both[0], abs=0.1)


def test_the_response_is_that_of_what_was_done(copy):
    original = copy[0]
    image = Image.fromarray(original.astype(np.uint8))
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), np.float32)
    left, response = softened(blurred * 0.5 + 30, original)
    frequency = np.array([0.0, 0.05, 0.1, 0.2])
    wanted = 0.5 * np.exp(-2 * np.pi**2 * 1.5**2 * frequency**2)
    assert np.abs(response.at(frequency, 0 * frequency) - wanted).max() < 0.05
    assert left.std() < 1


def test_what_is_not_shown_does_not_count(copy):
    original = copy[0]
    weights = np.zeros(original.shape, np.float32)
    weights[:, :128] = 1
    suspect = np.where(weights > 0, original * 0.8 + 9, 255).astype(np.float32)
    left, response = softened(suspect, original, weights)
    assert np.abs(left[:, :128]).max() < 0.05
    assert response.at(np.zeros(1), np.zeros(1)) == pytest.approx(0.8, abs=0.01)


def test_flat_references_leave_the_suspect(copy):
    suspect = copy[0]
    left, _ = softened(suspect, np.full(suspect.shape, 50, np.float32))
    assert np.allclose(left, suspect - suspect.mean(), atol=1e-2)
