import numpy as np
import pytest

from fiftyone_reue.alignment import features

pytestmark = pytest.mark.unit


def test_descriptors_are_of_length_one(lumas):
    found = features.find(lumas["cat"])
    assert len(found) > 100
    assert np.allclose(np.linalg.norm(found.descriptors, axis=1), 1, atol=1e-3)
    assert found.points.shape == (len(found), 2)


def test_the_strongest_are_kept(lumas):
    assert len(features.find(lumas["cat"], 20)) <= 22  # SIFT keeps ties


def test_nothing_is_found_on_what_is_flat_or_tiny():
    for shape in ((300, 300), (5, 5), (1, 400)):
        assert len(features.find(np.full(shape, 99, np.float32))) == 0


@pytest.mark.parametrize(("top", "left"), [(0, 0), (40, 60)])
def test_features_of_a_part_lie_where_the_part_was(lumas, top, left):
    whole = lumas["coffee"]
    ours, theirs = features.find(whole), features.find(whole[top:, left:])
    pairs = features.matches(ours, theirs)
    assert len(pairs) > 50
    moved = ours.points[pairs[:, 0]] - theirs.points[pairs[:, 1]]
    assert np.abs(np.median(moved, axis=0) - [left, top]).max() < 0.1
    assert len(set(pairs[:, 1])) == len(pairs)


def test_large_images_are_reduced_and_points_are_in_their_pixels(lumas):
    large = np.kron(lumas["rocket"], np.ones((6, 6), np.float32))
    small, found = features.find(lumas["rocket"]), features.find(large)
    pairs = features.matches(small, found)
    assert len(pairs) > 20
    wanted = small.points[pairs[:, 0]] * 6 + 2.5
    assert np.abs(np.median(wanted - found.points[pairs[:, 1]], axis=0)).max() < 2


def test_unrelated_images_share_few(lumas):
    pairs = features.matches(*(features.find(lumas[n]) for n in ("cat", "rocket")))
    assert len(pairs) < 40


def test_none_match_none():
    none = features.find(np.zeros((1, 1), np.float32))
    assert features.matches(none, none).shape == (0, 2)


@pytest.mark.parametrize("name", ["cat", "coffee"])
def test_a_mirror_images_features_are_told_from_the_images(lumas, name):
    luma = lumas[name]
    told = features.mirrored(features.find(luma), luma.shape[1])
    found = features.find(np.ascontiguousarray(luma[:, ::-1]))
    apart = np.linalg.norm(told.points[:, None] - found.points[None], axis=2)
    alike = told.descriptors @ found.descriptors.T
    alike[apart > 1] = 0
    best = alike.argmax(axis=1)
    rows = np.arange(len(told))
    same = alike[rows, best] > 0.98
    assert same.mean() > 0.85
    rows, best = rows[same], best[same]
    assert np.median(apart[rows, best]) < 0.1
    assert np.median(np.abs(told.angles[rows] - found.angles[best])) < 1
    assert np.median(np.abs(told.sizes[rows] / found.sizes[best] - 1)) < 0.01
