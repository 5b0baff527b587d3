import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.bit_depth import BIT_DEPTH
from fiftyone_reue.auditing.countermeasures.cosine_shrinkage import CosineShrinkage
from fiftyone_reue.auditing.countermeasures.filter import CHUNK, Filter
from fiftyone_reue.auditing.countermeasures.gaussian_blur import (
    FixedBlur,
    GaussianBlur,
    blur_matrix,
)
from fiftyone_reue.auditing.countermeasures.grayscale import Grayscale
from fiftyone_reue.auditing.countermeasures.jpeg import JPEG
from fiftyone_reue.auditing.countermeasures.line_medians import LineMedians
from fiftyone_reue.auditing.countermeasures.median_blur import MedianBlur, median
from fiftyone_reue.auditing.countermeasures.resize import Resize
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")

PHOTOGRAPHIC = (FixedBlur(1), FixedBlur(2), LineMedians(), CosineShrinkage())
FILTERS = (
    *(Grayscale(), *JPEG, BIT_DEPTH, GaussianBlur(), MedianBlur(), Resize()),
    *PHOTOGRAPHIC,
)
every_filter = pytest.mark.parametrize("entry", FILTERS, ids=lambda f: f.info.name)


def drawn(count: int = 4, size: int = 32) -> np.ndarray:
    """Soft blobs under noise, with values on both rails."""
    draw = np.random.default_rng(0)
    coarse = draw.normal(128, 70, (count, 4, 4, 3)).repeat(size // 4, 1)
    noise = draw.normal(0, 25, (count, size, size, 3))
    return (coarse.repeat(size // 4, 2) + noise).clip(0, 255).astype(np.uint8)


def held(images: np.ndarray) -> Holdings:
    labels = np.arange(len(images)) % 2
    return Holdings(images, labels, 2, images, images[:0], labels[:0])


def prepared(entry: Filter, images: np.ndarray) -> TrainingSet:
    steps = entry.prepare(held(images), effort=Effort(), context=CONTEXT)
    return finish(steps)


def distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(float) - second).mean())


@every_filter
@pytest.mark.parametrize("size", [32, 64])
def test_images_change_and_keep_shape_dtype_and_labels(entry, size):
    images = drawn(size=size)
    before = images.copy()
    made = prepared(entry, images)
    assert made.images.shape == images.shape
    assert made.images.dtype == np.uint8
    assert distance(made.images, images) > 0.5
    assert np.array_equal(images, before)
    assert np.array_equal(made.labels, [0, 1, 0, 1])


@every_filter
def test_more_than_a_chunk_is_filtered_image_by_image(entry):
    images = drawn(CHUNK + 3)
    steps = entry.prepare(held(images), effort=Effort(), context=CONTEXT)
    fractions = list(steps)
    assert len(fractions) == 2
    assert fractions[0] == pytest.approx(CHUNK / (CHUNK + 3))
    assert fractions[-1] == 1
    made = prepared(entry, images).images
    for index in (0, CHUNK - 1, CHUNK, CHUNK + 2):
        alone = entry.apply(images[index : index + 1])[0]
        assert np.array_equal(made[index], alone)


@every_filter
def test_flat_colours_that_it_can_keep_are_kept(entry):
    # JPEG at quality 10 rounds an 8x8 block's mean to tens.
    coarse = 5 if entry.info.name == "jpeg_10" else 1
    grays = np.array([0, 85, 170, 255], np.uint8)
    images = np.broadcast_to(grays[:, None, None, None], (4, 32, 32, 3))
    assert np.abs(entry.apply(images).astype(int) - images).max() <= coarse


@every_filter
def test_published_filters_are_for_training_alone_and_ours_for_use_as_well(entry):
    images = drawn()
    both = entry.info.name == "grayscale" or entry in PHOTOGRAPHIC
    expected = entry.apply(images) if both else images
    assert np.array_equal(entry.at_test(images, 0), expected)


def test_gray_has_three_equal_channels_of_the_same_luma():
    images = drawn()
    made = Grayscale().apply(images)
    assert np.array_equal(made[..., 0], made[..., 1])
    assert np.array_equal(made[..., 0], made[..., 2])
    luma = images @ [0.299, 0.587, 0.114]
    assert np.abs(made[..., 0] - luma).max() <= 0.5 + 1e-9
    assert np.array_equal(Grayscale().apply(made), made)


def test_jpeg_is_nearer_the_finer_it_is():
    images = drawn()
    assert [entry.info.name for entry in JPEG] == [
        "jpeg_10",
        "jpeg_30",
        "jpeg_50",
        "jpeg_70",
        "jpeg_90",
    ]
    distances = [distance(entry.apply(images), images) for entry in JPEG]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 1.3 * distances[-1]


def test_jpeg_drops_fine_colour_but_keeps_fine_luma():
    board = np.indices((32, 32)).sum(0) % 2 * 60 + 100
    gray = np.repeat(board[None, ..., None], 3, axis=-1).astype(np.uint8)
    red = gray.copy()
    red[..., 1:] = 128
    finest = JPEG[-1]
    assert distance(finest.apply(gray), gray) < 3
    made = finest.apply(red).astype(float)
    assert (made[..., 0] - made[..., 2]).std() < 5
    assert (red[..., 0].astype(float) - red[..., 2]).std() == 30


def test_two_bits_leave_the_four_nearest_even_levels():
    ramp = np.arange(256, dtype=np.uint8)
    images = np.broadcast_to(ramp[None, :, None, None], (1, 256, 256, 3))
    made = BIT_DEPTH.apply(images)[0, :, 0, 0]
    assert set(made) == {0, 85, 170, 255}
    assert np.abs(made.astype(int) - ramp).max() <= 42
    assert np.array_equal(BIT_DEPTH.apply(drawn()), BIT_DEPTH.apply(drawn()))


@pytest.mark.parametrize("size", [32, 64])
def test_blur_spreads_a_point_as_wide_as_the_side_asks(size):
    images = np.zeros((1, size, size, 3), np.uint8)
    images[0, size // 2, size // 2] = 255
    made = GaussianBlur().apply(images)[0, ..., 0].astype(float)
    offsets = np.arange(size) - size // 2
    sigma = np.sqrt((made.sum(0) * offsets**2).sum() / made.sum())
    assert sigma == pytest.approx(size / 32, rel=0.12)
    assert made[size // 2, size // 2] == made.max()


def test_blur_weights_sum_to_one_and_mirror_the_edges():
    weights = blur_matrix(32, 1.0)
    assert weights.sum(1) == pytest.approx(np.ones(32), abs=1e-6)
    # A neighbour's mirror image counts as well, at the edge alone.
    assert weights[0, 1] == pytest.approx(2 * weights[8, 9], rel=1e-5)


def test_the_published_kernel_of_sigma_a_tenth_changes_nothing():
    images = drawn()[0, ..., 0].astype(np.float32)
    weights = blur_matrix(32, 0.1)
    assert np.array_equal(np.rint(weights @ images @ weights.T), images)


@pytest.mark.parametrize(("size", "survives"), [(32, 2), (64, 3)])
def test_median_removes_dots_and_keeps_edges(size, survives):
    images = np.zeros((1, size, size, 3), np.uint8)
    images[:, :, size // 2 :] = 200
    edges = images.copy()
    side = survives - 1
    images[0, 8 : 8 + side, 8 : 8 + side] = 255
    made = MedianBlur().apply(images)
    assert np.array_equal(made, edges)


@pytest.mark.parametrize("count", [1, 3, 9, 25])
def test_median_is_the_median(count):
    arrays = np.random.default_rng(0).integers(0, 256, (count, 500), dtype=np.uint8)
    assert np.array_equal(median(list(arrays)), np.median(arrays, axis=0))


def test_resize_drops_the_finest_stripes_and_keeps_coarse_ones():
    stripes = np.indices((32, 32))[1] % 2 * 200
    images = np.repeat(stripes[None, ..., None], 3, axis=-1).astype(np.uint8)
    made = Resize().apply(images)
    assert images.std() == 100
    assert made[:, :, 4:-4].std() < 2
    coarse = np.repeat((np.indices((32, 32))[1] // 16 * 200)[None, ..., None], 3, -1)
    assert distance(Resize().apply(coarse.astype(np.uint8)), coarse) < 10


@pytest.mark.parametrize("sigma", [1, 2])
def test_a_fixed_blur_spreads_a_point_alike_at_every_side(sigma):
    for size in (32, 128):
        images = np.zeros((1, size, size, 3), np.uint8)
        images[0, size // 2, size // 2] = 255
        made = FixedBlur(sigma).apply(images)[0, ..., 0].astype(float)
        offsets = np.arange(size) - size // 2
        found = np.sqrt((made.sum(0) * offsets**2).sum() / made.sum())
        assert found == pytest.approx(sigma, rel=0.15)


def test_medians_take_stripes_off_whole_lines_and_leave_the_rest():
    alternating = 8 * np.array([1, 1, -1, -1] * 16)
    striped = 100 + alternating[:, None, None] + alternating[None, :, None]
    striped = np.repeat(striped[None], 3, axis=3).astype(np.uint8)
    entry = LineMedians()
    left = entry.apply(striped).astype(float)[:, 16:-16, 16:-16]
    assert np.abs(left - 100).max() <= 2
    dots = np.full((1, 64, 64, 3), 100, np.uint8)
    dots[0, 20:24, 30:34] = 180
    assert np.array_equal(entry.apply(dots), dots)


def test_shrinkage_takes_weak_textures_and_keeps_edges():
    draw = np.random.default_rng(2)
    smooth = np.full((1, 64, 64, 3), 90, np.uint8)
    smooth[:, :, 32:] = 190
    noisy = smooth + draw.integers(-8, 9, smooth.shape)
    made = CosineShrinkage().apply(noisy.astype(np.uint8))
    assert distance(made, smooth) < 0.3 * distance(noisy, smooth)
    assert distance(CosineShrinkage().apply(smooth), smooth) < 0.5
