import numpy as np
import pytest

from fiftyone_reue.alignment import maps

pytestmark = pytest.mark.unit


def test_a_resized_suspect_ends_where_its_original_does():
    matrix = maps.stretched((40, 60), (80, 30))
    edges = np.array([[-0.5, -0.5], [59.5, 39.5]])
    assert np.allclose(maps.applied(matrix, edges), [[-0.5, -0.5], [29.5, 79.5]])


def test_scales_tell_enlarging_and_mirroring():
    middle = np.array([[5.0, 5.0]])
    assert maps.scales(np.diag([3.0, 3.0, 1.0]), middle) == pytest.approx(3)
    assert maps.scales(np.diag([-2.0, 2.0, 1.0]), middle) == pytest.approx(-2)
    assert maps.scales(np.diag([2.0, 2.0, 2.0]), middle) == pytest.approx(1)


@pytest.mark.parametrize(
    "matrix",
    [
        np.diag([-1.0, 1, 1]),  # mirrored
        np.diag([100.0, 100, 1]),
        np.diag([0.001, 0.001, 1]),
        np.diag([6.0, 1, 1]),
        np.array([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1.0]]),  # folded
        np.array([[1, 0, 0], [0, 1, 0], [0.02, 0, 1.0]]),  # far too steep
        np.full((3, 3), np.nan),
    ],
)
def test_what_no_suspect_lies_like_is_refused(matrix):
    assert not maps.is_plausible(matrix, 100, 100)


def test_what_suspects_lie_like_is_not():
    turn = np.deg2rad(140)
    turned = np.array(
        [
            [np.cos(turn), -np.sin(turn), 9],
            [np.sin(turn), np.cos(turn), 99],
            [0, 0, 1],
        ]
    )
    for matrix in (np.eye(3), np.diag([0.3, 0.5, 1]), turned):
        assert maps.is_plausible(matrix, 100, 100)
        assert maps.is_plausible(-matrix / matrix[2, 2] * -1, 100, 100)


def test_a_windows_corners_are_the_suspects():
    matrix = maps.window((160, 320), (52, 208), (2 / 16, 4 / 16, 13 / 16))
    # Pixels' middles lie half a pixel from their corners.
    top, left, bottom, right = 20, 80, 150, 340
    corners = np.array([[left, top], [right, bottom]]) - 0.5
    assert np.allclose(maps.applied(matrix, corners) + 0.5, [[0, 0], [208, 52]])
    whole = maps.window((30, 40), (60, 50), (0, 0, 1))
    assert np.allclose(whole, maps.stretched((30, 40), (60, 50)))
