import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.watermark import match, read

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def index(photos) -> match.Index:
    lumas = {name: read.luma(photo, 3) for name, photo in photos.items()}
    return match.Index(
        match.Descriptors.of(
            list(lumas), [match.descriptor(one) for one in lumas.values()]
        )
    )


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
    index = match.Index(
        match.Descriptors.of(
            list(lumas), [match.descriptor(one) for one in lumas.values()]
        )
    )
    assert index.nearest(flat + 50)[0].image_id == "flat"
    assert index.nearest(lumas["cat"] * 0.2)[0].image_id == "cat"


def test_an_empty_index_has_no_candidate(photos):
    assert (
        match.Index(match.Descriptors.of([], [])).nearest(read.luma(photos["cat"], 3))
        == []
    )


def test_a_descriptor_is_small_and_fits_any_size():
    for shape in ((1, 1), (8, 300), (700, 9)):
        luma = np.full(shape, 77.4, np.float32)
        assert match.descriptor(luma) == bytes([77]) * 256


def test_resize_keeps_what_fits():
    luma = np.random.default_rng(0).uniform(0, 255, (9, 7)).astype(np.float32)
    assert match.resize(luma, 9, 7) is luma
    assert match.resize(luma, 18, 21).shape == (18, 21)


def test_large_images_have_the_same_descriptors_as_a_few_rows_at_a_time():
    samples = np.random.default_rng(1).integers(0, 256, (700, 90, 3), np.uint8)
    whole = match.descriptor(read.luma(samples, 3))
    assert match.descriptors_of(samples, 3, None) == whole


def ellipse(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.clip(8 * (0.7 - x * x - y * y), 0, 1).astype(np.float32)


def cut_out(photo: np.ndarray, mask: np.ndarray) -> bytes:
    """What an index keeps of a photograph with an alpha channel."""
    opacity = np.rint(255 * mask).astype(np.uint8)
    return match.descriptors_of(np.dstack([photo, opacity]), 3, None)


@pytest.fixture(scope="module")
def cutouts(photos) -> match.Index:
    """The photographs, each cut out with the same ellipse."""
    mask = ellipse(96, 128)
    entries = [cut_out(photo, mask) for photo in photos.values()]
    return match.Index(match.Descriptors.of(list(photos), entries))


@pytest.mark.parametrize("background", [0, 40, 100, 128, 170, 255])
@pytest.mark.parametrize("orientation", [0, 3, 5])
def test_cutouts_are_found_on_any_flat_background(
    photos, cutouts, background, orientation
):
    mask = ellipse(96, 128)
    for name, photo in photos.items():
        laid = read.luma(photo, 3) * mask + background * (1 - mask)
        stolen = match.orient(laid, orientation)
        best = cutouts.nearest(stolen)[0]
        assert best.image_id == name
        assert best.distance < 0.3
        assert np.array_equal(match.orient(stolen, best.orientation), laid)


def test_cutouts_are_found_where_alpha_was_dropped(photos, cutouts):
    for name, photo in photos.items():
        best = cutouts.nearest(read.luma(photo, 3))[0]
        assert (best.image_id, best.orientation) == (name, 0)
        assert best.distance == pytest.approx(0, abs=1e-3)


def test_a_silhouette_alone_is_not_an_image_of_its_shape(cutouts):
    """It lies as far from all of them as from what it doesn't show."""
    mask = ellipse(96, 128)
    found = cutouts.nearest(200 * (1 - mask), count=10)
    assert len(found) == 10
    assert found[0].distance > 0.01


def test_entries_of_both_lengths_share_an_index(photos):
    mask = ellipse(96, 128)
    luma = {name: read.luma(photo, 3) for name, photo in photos.items()}
    entries = {name: match.descriptor(one) for name, one in luma.items()}
    entries["cat"] = cut_out(photos["cat"], mask)
    plain = match.descriptors_of(photos["coffee"], 3, None)
    assert plain == entries["coffee"]
    opaque = np.ones(luma["coffee"].shape)
    assert cut_out(photos["coffee"], opaque) == entries["coffee"]
    mixed = match.Index(match.Descriptors.of(list(entries), list(entries.values())))
    for name, one in luma.items():
        assert mixed.nearest(one)[0].image_id == name
    assert mixed.nearest(luma["cat"] * mask)[0].image_id == "cat"
    white = luma["coffee"] * mask + 255 * (1 - mask)
    assert mixed.nearest(white)[0].distance > 0.3


@pytest.mark.parametrize("opacity", [0.0, 0.5])
def test_one_opacity_all_over_has_no_silhouette(photos, opacity):
    luma = read.luma(photos["cat"], 3)
    even = np.full(luma.shape, opacity, np.float32)
    index = match.Index(match.Descriptors.of(["cat"], [cut_out(photos["cat"], even)]))
    (found,) = index.nearest(luma)
    assert found.distance == pytest.approx(0, abs=1e-3)
    (found,) = index.nearest(luma * even + 200 * (1 - even))
    assert np.isfinite(found.distance)


@pytest.mark.parametrize("mirrored", [0, 4])
def test_a_part_is_found_where_it_lies(photos, mirrored):
    originals = {
        name: match.descriptor(read.luma(photo, 3)) for name, photo in photos.items()
    }
    for name, photo in photos.items():
        luma = read.luma(photo, 3)
        height, width = luma.shape
        rows = slice(height * 2 // 16, height * 15 // 16)
        columns = slice(width * 1 // 16, width * 14 // 16)
        part = match.orient(luma[rows, columns], mirrored)
        found = match.parts(part, originals, 2)
        assert len(found) == 2
        best = found[0]
        assert (best.image_id, best.orientation) == (name, mirrored)
        assert (best.top, best.left, best.cells) == (2, 1, 13)
        assert best.likeness > found[1].likeness
    assert match.parts(part, {}) == []
