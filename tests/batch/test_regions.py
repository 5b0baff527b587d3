"""Shapes become a map of classes."""

import numpy as np
import pytest

from fiftyone_reue.batch.regions import (
    BACKGROUND,
    Box,
    Objects,
    Outline,
    Region,
    Runs,
    Shape,
)
from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients.planes import as_stored

pytestmark = pytest.mark.unit


def painted(shape: Shape, height: int, width: int, sides=None) -> list[list[int]]:
    found = Objects((Region("cat", shape),), sides).on(height, width)
    assert found.names == ("cat",)
    return found.places.tolist()


def test_a_box_has_every_pixel_that_it_touches() -> None:
    assert painted(Box(1, 0, 1.5, 1), 3, 4) == [
        [0, 1, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert painted(Box(0.5, 0.5, 0.5, 0.5), 2, 4, (1, 1)) == [[0] * 4, [0, 0, 1, 1]]


def test_boxes_may_go_beyond_the_image_or_be_empty() -> None:
    assert np.all(painted(Box(-9, -9, 99, 99), 3, 4))
    assert not np.any(painted(Box(9, 9, 5, 5), 3, 4))
    assert not np.any(painted(Box(1, 1, 0, 2), 3, 4))
    assert not np.any(painted(Box(3, 3, -2, 2), 3, 4))


def test_polygons_are_filled() -> None:
    corners = np.array([[0, 0], [3.9, 0], [3.9, 1.5], [0, 1.5]])
    rows = painted(Outline((corners,)), 3, 5)
    assert rows == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [0] * 5]
    far = np.array([[-1e7, -1e7], [1e7, -1e7], [1e7, 1e7], [-1e7, 1e7]])
    assert np.all(painted(Outline((far,)), 3, 5))
    assert Outline((corners,)).area == pytest.approx(3.9 * 1.5)


def test_runs_go_down_the_columns() -> None:
    assert painted(Runs(np.array([1, 2, 3]), 2, 3), 2, 3) == [[0, 1, 0], [1, 0, 0]]
    twice = painted(Runs(np.array([0, 1, 3]), 2, 2), 4, 4)
    assert twice == [[1, 1, 0, 0], [1, 1, 0, 0], [0] * 4, [0] * 4]


def test_smaller_things_lie_on_larger_ones_and_all_on_crowds() -> None:
    regions = (
        Region("small", Box(2, 0, 1, 1)),
        Region("crowd", Box(0, 0, 2, 1), crowd=True),
        Region("large", Box(1, 0, 4, 1)),
    )
    found = Objects(regions).on(1, 6)
    assert found.names == ("crowd", "large", "small")
    assert found.places.tolist() == [[1, 2, 3, 2, 2, 0]]
    assert Objects(regions).label == "large"
    assert Objects(()).label == BACKGROUND
    assert Objects(()).on(2, 2).names == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_annotations_are_of_what_is_shown(orientation: int) -> None:
    """Unless they say that they have the sides which the file stores."""
    shown = np.zeros((4, 6), np.uint8)
    shown[:2, :3] = 1
    stored = as_stored(shown, orientation)
    boxes = (Region("cat", Box(0, 0, 3, 2)),)
    shares = (Region("cat", Box(0, 0, 0.5, 0.5)),)
    for found in (Objects(boxes, (4, 6)), Objects(boxes), Objects(shares, (1, 1))):
        places = found.on(*stored.shape, orientation).places
        assert np.array_equal(places, stored)
        assert places.flags.c_contiguous
    if orientation >= 5:
        places = Objects(boxes, (6, 4)).on(6, 4, orientation).places
        assert np.flatnonzero(places.any(axis=1)).tolist() == [0, 1]


def test_annotations_of_other_sides_are_refused() -> None:
    found = Objects((Region("cat", Box(0, 0, 3, 2)),), (40, 60))
    with pytest.raises(UnsupportedImageError, match=r"60 x 40 pixels.* 30 x 20"):
        found.on(20, 30)


def test_what_differs_has_another_digest() -> None:
    shapes = (
        Box(0, 0, 3, 2),
        Box(0, 0, 2, 3),
        Outline((np.zeros((3, 2)),)),
        Outline((np.zeros((3, 2)), np.zeros((3, 2)))),
        Outline((np.zeros((6, 2)),)),
        Runs(np.array([1, 2, 3]), 2, 3),
        Runs(np.array([1, 2, 3]), 3, 2),
    )
    found = [Objects((Region("cat", shape),)) for shape in shapes]
    found += [
        Objects((Region("dog", shapes[0]),)),
        Objects((Region("cat", shapes[0], crowd=True),)),
        Objects((Region("cat", shapes[0]),), (4, 4)),
        Objects((Region("cat", shapes[0]),) * 2),
        Objects(()),
    ]
    assert len({one.digest() for one in found}) == len(found)
    again = Objects((Region("cat", Box(0, 0, 3, 2)),))
    assert again.digest() == found[0].digest()


def test_too_many_classes_are_refused() -> None:
    many = tuple(Region(f"{n}", Box(0, 0, 1, 1)) for n in range(256))
    with pytest.raises(UnsupportedImageError, match="256 classes"):
        Objects(many).on(9, 9)
    assert Objects(many[1:]).on(9, 9).places[0, 0] != 0
