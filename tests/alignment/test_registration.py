import cv2
import numpy as np
import pytest

from fiftyone_reue.alignment import features, maps, registration
from fiftyone_reue.alignment.resampling import resampled

pytestmark = pytest.mark.unit

CROPPED = np.array([[1, 0, -70.0], [0, 1, -50], [0, 0, 1]])
TURNED = np.array([[0.995, -0.0996, 12.0], [0.0996, 0.995, -9], [0, 0, 1]])
SMALLER = np.array([[0.6, 0, -0.2], [0, 0.6, -0.2], [0, 0, 1]])
BENT = np.array([[1, 0.02, 2.0], [0.01, 0.98, -1], [1.2e-4, -8e-5, 1]])


def seen_by(matrix: np.ndarray, luma: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A suspect whose map is known, in whole gray levels."""
    how = cv2.INTER_AREA if matrix is SMALLER else cv2.INTER_CUBIC
    found = cv2.warpPerspective(luma, matrix, size, flags=how)
    return np.rint(found).clip(0, 255).astype(np.float32)


def apart(matrix: np.ndarray, truth: np.ndarray, luma: np.ndarray) -> float:
    """How far apart two maps take an original's pixels, in the suspect's."""
    points = np.argwhere(np.ones((12, 12))) * [luma.shape[1] / 12, luma.shape[0] / 12]
    ends = maps.applied(matrix, points) - maps.applied(truth, points)
    return float(np.median(np.linalg.norm(ends, axis=1)))


@pytest.mark.parametrize(
    ("truth", "size"),
    [
        (CROPPED, (150, 120)),
        (TURNED, (256, 192)),
        (SMALLER, (154, 115)),
        (BENT, (256, 192)),
    ],
)
def test_parts_are_aligned_to_a_tenth_of_a_pixel(lumas, truth, size):
    for name in ("cat", "coffee"):
        luma = lumas[name]
        suspect = seen_by(truth, luma, size)
        found = registration.by_features(
            suspect, luma, features.find(suspect), features.find(luma)
        )
        assert found is not None
        assert found.proof > 1
        assert apart(found.matrix, truth, luma) < 0.1


def test_a_whole_less_some_pixels_is_aligned_without_features(lumas):
    luma = lumas["flower"]
    found = registration.from_whole(luma[4:, 4:], luma)
    assert found is not None
    truth = np.array([[1, 0, -4.0], [0, 1, -4], [0, 0, 1]])
    assert apart(found.matrix, truth, luma) < 0.1
    assert not found.covered[:3].any()
    assert found.covered[8:-4, 8:-4].all()


def test_unrelated_photographs_are_not_proven(lumas):
    for one, other in (("cat", "coffee"), ("rocket", "flower"), ("flower", "cat")):
        found = registration.by_features(
            lumas[one],
            lumas[other],
            features.find(lumas[one]),
            features.find(lumas[other]),
        )
        assert found is None or found.proof < 0.6


def test_flat_images_lie_nowhere(lumas):
    flat = np.full((192, 256), 80, np.float32)
    whole = registration.from_whole(flat, lumas["cat"])
    assert whole is None or whole.proof < 0.5


def test_drift_tells_what_lies_right(lumas):
    luma = lumas["coffee"]
    assert registration.drift(luma, luma) == pytest.approx(0, abs=0.01)
    assert registration.drift(luma * 0.5 + 40, luma) < 0.03
    assert registration.drift(luma * 0 + 9, luma) < 0.01
    assert registration.drift(luma, luma * 0 + 9) == 0
    for pixels in (0.5, 1.0):
        shift = np.array([[1, 0, pixels], [0, 1, 0], [0, 0, 1.0]])
        moved, _ = resampled(luma, shift, *luma.shape)
        assert registration.drift(moved, luma) == pytest.approx(pixels, rel=0.35)
    turned, _ = resampled(luma, TURNED, *luma.shape)
    assert registration.drift(turned, luma) > 0.5


def test_resampling_keeps_what_is_there_and_says_what_is_not(lumas):
    luma = lumas["cat"]
    same, covered = resampled(luma, np.eye(3), *luma.shape)
    assert covered.all()
    assert np.abs(same - luma).max() < 1e-3
    part, covered = resampled(luma[50:170, 70:220], CROPPED, *luma.shape)
    assert covered[54:166, 74:216].all()
    assert covered.sum() < 120 * 150
    assert np.abs(part - luma)[covered].max() < 1e-3
    assert not part[~covered].any()


def test_larger_suspects_do_not_alias():
    fine = np.indices((300, 300)).sum(0) % 2 * 255
    small, _ = resampled(
        fine.astype(np.float32), maps.stretched((100, 100), (300, 300)), 100, 100
    )
    assert small.std() < 20
