import numpy as np
import pytest

from fiftyone_reue.alignment import maps
from fiftyone_reue.alignment.fitting import LEAST, fit

pytestmark = pytest.mark.unit

SIMILAR = np.array([[0.8, -0.3, 20], [0.3, 0.8, -10], [0, 0, 1.0]])
AFFINE = np.array([[0.8, 0.1, 20], [0.0, 1.1, -10], [0, 0, 1.0]])
BENT = np.array([[1, 0.02, 5], [0.01, 0.98, -3], [1.5e-4, -1e-4, 1.0]])


def matched(matrix: np.ndarray, right: int, wrong: int) -> tuple[np.ndarray, ...]:
    """Matches by a map, to a third of a pixel, among others that mean nothing."""
    draw = np.random.default_rng(right)
    ours = draw.uniform(0, 400, (right + wrong, 2))
    theirs = maps.applied(matrix, ours) + draw.normal(0, 0.3, ours.shape)
    theirs[right:] = draw.uniform(0, 400, (wrong, 2))
    return ours, theirs


@pytest.mark.parametrize("matrix", [SIMILAR, AFFINE, BENT])
@pytest.mark.parametrize(("right", "wrong"), [(150, 0), (150, 200)])
def test_the_map_is_found_among_wrong_matches(matrix, right, wrong):
    found = fit(*matched(matrix, right, wrong), 400, 400)
    assert found is not None
    ends = maps.corners(400, 400)
    apart = maps.applied(found.matrix, ends) - maps.applied(matrix, ends)
    assert np.abs(apart).max() < 1.5
    assert found.agreeing > 0.8 * right


def test_few_matches_that_agree_are_enough():
    found = fit(*matched(SIMILAR, 14, 12), 400, 400)
    assert found is not None
    apart = maps.applied(found.matrix, np.array([[200, 200.0]]))
    assert np.allclose(apart, maps.applied(SIMILAR, np.array([[200, 200.0]])), atol=2)


@pytest.mark.parametrize("seed", range(5))
def test_chance_agrees_on_nothing(seed):
    draw = np.random.default_rng(seed)
    ours, theirs = draw.uniform(0, 400, (2, 80, 2))
    assert fit(ours, theirs, 400, 400) is None


def test_one_place_is_not_many():
    """Many features on one spot agree on any map there."""
    same = np.full((40, 2), 7.0)
    assert fit(same, same, 400, 400) is None
    assert fit(same[: LEAST - 1], same[: LEAST - 1], 400, 400) is None


def test_the_same_matches_give_the_same_map():
    pairs = matched(BENT, 60, 90)
    one, two = fit(*pairs, 400, 400), fit(*pairs, 400, 400)
    assert one is not None
    assert np.array_equal(one.matrix, two.matrix)
