"""A change of pixels is found again in the decoded picture."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients.decoding import decoded
from fiftyone_reue.media.jpeg_coefficients.planes import as_stored, targets
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.rounding import fitted
from fiftyone_reue.media.jpeg_coefficients.writing import write
from tests.media.jpeg_coefficients.encoded import opencv, picture, pillow

pytestmark = pytest.mark.unit


def dull(width: int = 60, height: int = 52) -> np.ndarray:
    """A picture that isn't clipped anywhere."""
    return (picture(width, height) // 4 + 96).astype(np.uint8)


def waves(width: int = 60, height: int = 52) -> np.ndarray:
    """A change that even colour at half resolution holds."""
    y, x = np.mgrid[:height, :width]
    return np.rint(7 * np.sin(x / 9) * np.cos(y / 11)).astype(int)


def changed(data: bytes, change: np.ndarray) -> np.ndarray:
    """By how much the decoded picture changes."""
    found = read(data)
    blocks = [
        one.blocks
        if wanted is None
        else one.blocks + fitted(wanted, one.quantisation, 255)
        for one, wanted in zip(found.components, targets(found, change), strict=True)
    ]
    return decoded(write(found.with_blocks(blocks))).astype(int) - decoded(data)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_gray_change_is_the_same_in_all_channels(mode: str, progressive: bool):
    data = pillow(dull(), mode, quality=98, progressive=progressive)
    got = changed(data, waves())
    if mode == "CMYK":  # stored the other way round, and black stays
        assert not got[..., 3].any()
        got = -got[..., :3]
    error = got - (waves() if mode == "L" else waves()[..., None])
    assert np.abs(error).max() <= 3
    assert np.abs(error).mean() < 0.7


@pytest.mark.parametrize("sampling", [0x111111, 0x211111, 0x121111, 0x221111, 0x411111])
def test_a_change_of_colour(sampling: int):
    data = opencv(dull(), 1, 98, 7, sampling)
    change = np.stack([waves(), -waves(), 0 * waves()], -1)
    error = changed(data, change) - change
    assert np.abs(error).mean() < 1.5


def test_rgb_files():
    data = pillow(dull(), quality=98, keep_rgb=True)
    change = np.stack([waves(), -waves(), 2 * waves()], -1)
    assert np.abs(changed(data, change) - change).max() <= 3


def test_only_what_changes_is_touched():
    found = read(pillow(dull()))
    luma, *colours = targets(found, waves())
    assert luma is not None
    assert colours == [None, None]
    assert read(pillow(dull(), "L")).colour == "gray"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_displayed_change_is_turned(orientation: int):
    stored = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
    image = Image.fromarray(stored)
    image.getexif()[274] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=image.getexif())
    shown = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    assert np.array_equal(as_stored(shown, orientation), stored)


def test_a_displayed_change_of_a_turned_file():
    found = read(pillow(dull(60, 52)))
    upright = targets(found, waves())[0]
    turned = targets(found, waves().T, orientation=5)[0]
    assert np.array_equal(upright, turned)
    with pytest.raises(ValueError, match="of this picture"):
        targets(found, waves(), orientation=6)


@pytest.mark.parametrize(
    ("change", "orientation", "why"),
    [
        (waves()[:-1], 1, "isn't of this picture"),
        (waves() * 99, 1, "larger than 255"),
        (waves(), 9, "orientation"),
        (np.zeros((52, 60, 2), int), 1, "doesn't fit"),
    ],
)
def test_changes_that_don_t_fit(change: np.ndarray, orientation: int, why: str):
    with pytest.raises(ValueError, match=why):
        targets(read(pillow(dull())), change, orientation=orientation)


def test_resolutions_that_don_t_divide():
    found = read(pillow(dull(), subsampling=0))
    luma, blue, red = found.components
    odd = replace(
        found, components=(replace(luma, h=3), replace(blue, h=2), replace(red, h=1))
    )
    change = np.stack([waves(), -waves(), 0 * waves()], -1)
    with pytest.raises(UnsupportedImageError, match="re-save"):
        targets(odd, change)
