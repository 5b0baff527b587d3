"""What originals take up in a suspect, however they lie in it, and what is left."""

import numpy as np
import pytest

from fiftyone_reue.demo import tiles
from fiftyone_reue.releases import footprints
from fiftyone_reue.watermark import match, read

SHAPE = (180, 260)


def lying(top: int, left: int, scale: float) -> np.ndarray:
    """The map of an original whose corner lies there, smaller."""
    half = (scale - 1) / 2
    return np.array([[scale, 0, left + half], [0, scale, top + half], [0, 0, 1.0]])


def photograph(name: str, width: int, height: int) -> np.ndarray:
    image = tiles.load_photo(name).convert("RGB").resize((width, height))
    return read.luma(np.asarray(image), 3)


@pytest.mark.parametrize("orientation", range(8))
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.3])
def test_footprints_lie_in_the_suspect_as_it_is_not_turned(orientation, scale):
    rng = np.random.default_rng(orientation)
    height, width = int(60 * scale), int(80 * scale)
    top = int(rng.integers(0, SHAPE[0] - max(height, width)))
    left = int(rng.integers(0, SHAPE[1] - max(height, width)))
    turned = np.zeros(SHAPE[::-1] if orientation % 2 else SHAPE, bool)
    down, across = (left, top) if orientation % 2 else (top, left)
    turned[down : down + height, across : across + width] = True
    # To turn back is to turn on, and mirrored twice is as before.
    back = orientation if orientation >= 4 else -orientation % 4
    expected = match.orient(turned, back)
    assert np.array_equal(match.orient(expected, orientation), turned)
    seen = np.ones((60, 80), bool)
    found = footprints.footprint(
        lying(down, across, scale), seen, orientation, expected.shape
    )
    assert found.shape == expected.shape == SHAPE
    assert (found ^ expected).sum() <= 2 * (height + width)


def test_narrow_gaps_in_an_original_are_its_own_and_wide_ones_are_not():
    seen = np.ones((150, 200), bool)
    seen[70:73] = False
    seen[:60, 100:180] = False
    found = footprints.footprint(np.eye(3), seen, 0, SHAPE)
    assert found[70:73, 10:190].all()
    assert not found[10:50, 110:170].any()
    assert not found[151:].any()


def test_boxes_are_shares_and_touch_what_they_are_around():
    taken = np.zeros(SHAPE, bool)
    assert footprints.box(taken) is None
    taken[30:120, 65:130] = True
    shares = footprints.box(taken)
    assert shares is not None
    assert np.allclose(np.multiply(shares, [260, 180, 260, 180]), [65, 30, 130, 120])


def test_frames_leave_nothing_to_look_at():
    photo = photograph("cat", 200, 120)
    suspect = np.full(SHAPE, 230, np.float32)
    suspect[30:150, 30:230] = photo
    taken = np.zeros(SHAPE, bool)
    taken[32:148, 32:228] = True
    assert footprints.features_left(suspect, taken) is None
    assert footprints.features_left(suspect, np.ones(SHAPE, bool)) is None


def test_what_is_left_has_its_features_and_no_others():
    suspect = np.zeros((200, 420), np.float32)
    suspect[:, :200] = photograph("cat", 200, 200)
    suspect[:, 220:] = photograph("coffee", 200, 200)
    taken = np.zeros(suspect.shape, bool)
    taken[:, :200] = True
    found = footprints.features_left(suspect, taken)
    assert found is not None
    assert len(found) >= footprints.LEAST_FEATURES
    assert found.points[:, 0].min() > 200
    assert len(found.points) == len(found.descriptors) == len(found.angles)
