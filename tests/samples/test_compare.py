"""Pictures of what a copy changed."""

import io
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.errors import InputError, UnreadableImageError
from fiftyone_reue.samples.compare import SIDE, compare

pytestmark = pytest.mark.unit


def opened(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(b64decode(data)))


def written(path: Path, pixels: np.ndarray) -> str:
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """An image, and one that differs by 3 in its lower right quarter."""
    before = np.full((40, 20, 3), 100, np.uint8)
    after = before.copy()
    after[20:, 10:] += 3
    return written(tmp_path / "a.png", before), written(tmp_path / "b.png", after)


def test_what_changed_is_told_and_amplified(pair: tuple[str, str]) -> None:
    found = compare(*pair, amplify=4)
    assert (found.largest, found.changed, found.whole) == (3, 0.25, None)
    assert found.psnr == pytest.approx(10 * np.log10(255**2 / (9 / 4)))
    difference = np.asarray(opened(found.difference))
    assert difference.shape == (SIDE, SIDE // 2, 3)
    assert set(np.unique(difference)) == {128, 140}
    assert (difference[SIDE // 2 :, SIDE // 4 :] == 140).all()


def test_both_flicker_in_turn(pair: tuple[str, str]) -> None:
    animation = opened(compare(*pair).flicker)
    frames = []
    for number in range(animation.n_frames):
        animation.seek(number)
        frames.append(np.asarray(animation.convert("RGB"))[-1, -1, 0])
    assert frames == [100, 103]
    assert animation.info["loop"] == 0


def test_zoom_is_in_step_and_stays_within(pair: tuple[str, str]) -> None:
    found = compare(*pair, zoom=2, across=1, down=1)
    assert (np.asarray(opened(found.original)) == 100).all()
    assert (np.asarray(opened(found.copy)) == 103).all()
    found = compare(*pair, zoom=8, across=0, down=0)
    assert (np.asarray(opened(found.copy)) == 100).all()
    # What is said is of the whole images, wherever one looks.
    assert found.largest == 3


def test_other_sizes_and_depths(tmp_path: Path, pair: tuple[str, str]) -> None:
    other = written(tmp_path / "c.png", np.zeros((8, 8), np.uint8))
    found = compare(pair[0], other)
    assert found.difference is None
    assert opened(found.whole).size == (SIDE, SIDE)
    deep = np.full((8, 8), 0xFF00, np.uint16)
    deep[0] = 0x0100
    found = compare(written(tmp_path / "d.png", deep), str(tmp_path / "d.png"))
    assert (found.psnr, found.changed) == (99.0, 0.0)


def test_what_can_not_be_compared(tmp_path: Path, pair: tuple[str, str]) -> None:
    with pytest.raises(UnreadableImageError):
        compare(pair[0], str(tmp_path / "nowhere.png"))
    with pytest.raises(InputError):
        compare(*pair, zoom=0)
    with pytest.raises(InputError):
        compare(*pair, across=1.5)
