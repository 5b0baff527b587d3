"""What differs from an original is told apart: drawn over, or only less sharp."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fiftyone_reue.alignment import agreement
from fiftyone_reue.demo import tiles
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.releases import locating
from fiftyone_reue.watermark import read, reducing

WHOLE = np.ones((288, 384), bool)


@pytest.fixture(scope="module")
def photographs() -> tuple[Image.Image, Image.Image]:
    size = WHOLE.shape[::-1]
    both = (tiles.load_photo(name).convert("RGB") for name in ("cat", "coffee"))
    one, other = (image.resize(size, Image.Resampling.LANCZOS) for image in both)
    return one, other


def luma(image: Image.Image) -> np.ndarray:
    return read.luma(np.asarray(image), 3)


@pytest.mark.parametrize("radius", [2, 3, 5])
def test_blur_is_not_drawn_over_a_suspect(photographs, radius):
    original = luma(photographs[0])
    suspect = luma(photographs[0].filter(ImageFilter.GaussianBlur(radius)))
    seen = agreement.seen(suspect, original, WHOLE)
    assert seen.mean() < locating.WHOLE
    assert locating._is_softness(suspect, original, seen)


@pytest.mark.parametrize("radius", [0, 2])
def test_what_is_drawn_over_a_suspect_is_not_softness(photographs, radius):
    one, other = photographs
    drawn = one.copy()
    drawn.paste(other.crop((0, 0, 192, 288)), (0, 0))
    suspect = luma(drawn.filter(ImageFilter.GaussianBlur(radius)))
    seen = agreement.seen(suspect, luma(one), WHOLE)
    assert seen.mean() < 0.7
    assert not locating._is_softness(suspect, luma(one), seen)
    assert not locating._is_softness(suspect, luma(one), ~WHOLE)


def test_views_are_of_the_size_at_which_suspects_are_compared():
    shape = (2 * reducing.SUSPECTS, 2 * reducing.SUSPECTS + 9)
    small = Raster(np.zeros((40, 50, 4), np.uint8), "PNG")
    assert [one.shape for one in locating.views(small)] == [(40, 50)] * 2
    large = Raster(np.broadcast_to(np.uint8(7), (*shape, 1)).copy(), "PNG")
    (view,) = locating.views(large)
    assert view.shape == (reducing.SUSPECTS, round(shape[1] / 2))
    assert np.allclose(view, 7, atol=0.01)
