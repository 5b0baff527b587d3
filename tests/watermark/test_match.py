import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.watermark import match, read

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def index(photos) -> match.Index:
    lumas = {name: read.luma(photo, 3) for name, photo in photos.items()}
    return match.Index(list(lumas), [match.descriptor(one) for one in lumas.values()])


def test_the_eight_orientations_are_different():
    samples = np.arange(6).reshape(2, 3)
    turned = [match.orient(samples, o) for o in range(match.ORIENTATIONS)]
    assert len({(t.shape, t.tobytes()) for t in turned}) == 8
    assert np.array_equal(turned[0], samples)


@pytest.mark.parametrize("orientation", range(match.ORIENTATIONS))
def test_a_turned_suspect_is_turned_back(photos, index, orientation):
    """Whatever turn a thief made, the candidate's orientation undoes it."""
    for name, photo in photos.items():
        luma = read.luma(photo, 3)
        stolen = match.orient(luma, orientation)
        best = index.nearest(stolen)[0]
        assert best.image_id == name
        back = match.orient(stolen, best.orientation)
        assert np.array_equal(back, luma)


def thumbnail(photo: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(photo).resize((40, 30)))


def recompressed(photo: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize(
    "change",
    [
        thumbnail,
        recompressed,
        lambda photo: (photo // 2 + 90).astype(np.uint8),
        lambda photo: np.repeat(photo[..., 1:2], 3, 2),
    ],
)
def test_a_changed_suspect_is_found(photos, index, change):
    for name, photo in photos.items():
        found = index.nearest(read.luma(change(photo), 3))
        assert name in [candidate.image_id for candidate in found[:2]]


def test_candidates_come_nearest_first_and_once_each(photos, index):
    found = index.nearest(read.luma(photos["cat"], 3), count=4)
    assert len(index) == 10
    assert len(found) == len({c.image_id for c in found}) == 4
    distances = [candidate.distance for candidate in found]
    assert distances == sorted(distances)
    assert distances[0] == pytest.approx(0, abs=1e-3)


def test_flat_images_are_told_from_others(photos):
    flat = np.full((30, 30), 128, np.float32)
    lumas = {"flat": flat, "cat": read.luma(photos["cat"], 3)}
    index = match.Index(list(lumas), [match.descriptor(one) for one in lumas.values()])
    assert index.nearest(flat + 50)[0].image_id == "flat"
    assert index.nearest(lumas["cat"] * 0.2)[0].image_id == "cat"


def test_an_empty_index_has_no_candidate(photos):
    assert match.Index([], []).nearest(read.luma(photos["cat"], 3)) == []


def test_a_descriptor_is_small_and_fits_any_size():
    for shape in ((1, 1), (8, 300), (700, 9)):
        luma = np.full(shape, 77.4, np.float32)
        assert match.descriptor(luma) == bytes([77]) * 256


def test_resize_keeps_what_fits():
    luma = np.random.default_rng(0).uniform(0, 255, (9, 7)).astype(np.float32)
    assert match.resize(luma, 9, 7) is luma
    assert match.resize(luma, 18, 21).shape == (18, 21)
