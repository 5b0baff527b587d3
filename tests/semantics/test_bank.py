from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError
from fiftyone_reue.semantics.bank import (
    MOST_CLASSES,
    class_images,
    class_scenes,
    descriptor,
    variant,
)
from fiftyone_reue.semantics.render import bank_image

pytestmark = pytest.mark.unit

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def scenes():
    return class_scenes(10, KEY)


def _cells(images):
    """Luma in 8 x 8 cells, ``(..., 64)``."""
    luma = images.astype(float) @ np.array([0.299, 0.587, 0.114])
    cell = luma.shape[-1] // 8
    cut = luma.reshape(*luma.shape[:-2], 8, cell, 8, cell)
    return cut.mean(axis=(-3, -1)).reshape(*luma.shape[:-2], 64)


def _distances(images):
    """Between classes, ``(C, C)`` means, and within one, the mean."""
    cells = _cells(images)
    classes, variants = cells.shape[:2]
    flat = cells.reshape(-1, 64)
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    means = apart.reshape(classes, variants, classes, variants).mean(axis=(1, 3))
    within = np.diag(means).mean() * variants / (variants - 1)
    return means, within


@pytest.mark.slow
def test_images_keep_their_bytes():
    """Images that were sealed must come again: on any machine, in any version."""
    images = class_images(6, KEY, 2, 32)
    digest = sha256(images.tobytes()).hexdigest()
    assert digest == "6f368815632d0624c4f1522f955eed2dd66b8dce64bab92cb406ab6519ccb208"


@pytest.mark.slow
def test_the_key_decides(scenes):
    assert class_scenes(10, KEY) == scenes
    assert not set(class_scenes(10, bytes(32))) & set(scenes)


@pytest.mark.slow
def test_one_class_has_a_scene():
    images = class_images(1, KEY, 1, 16)
    assert images.shape == (1, 1, 16, 16, 3)
    assert images.dtype == np.uint8


def test_too_many_classes_are_refused():
    with pytest.raises(InputError, match="2049 classes are more than the 2048"):
        class_scenes(MOST_CLASSES + 1, KEY)


@pytest.mark.slow
@pytest.mark.parametrize("key", [KEY, bytes(32), bytes([7]) * 32])
def test_ten_classes_are_far_apart_and_each_is_alike(key):
    between, within = _distances(class_images(10, key, 4, 32))
    others = between[~np.eye(10, dtype=bool)]
    assert others.mean() > 3 * within
    assert others.min() > 1.5 * within


@pytest.mark.slow
def test_images_have_contrast_in_luma():
    spread = _cells(class_images(10, KEY, 2, 32)).std(axis=-1)
    assert spread.mean() > 40
    assert spread.min() > 15


@pytest.mark.slow
def test_variants_are_the_same_scene_a_little_changed(scenes):
    scene = scenes[0]
    varied = [variant(scene, KEY, number) for number in range(50)]
    assert len(set(varied)) == 50
    assert varied[3] == variant(scene, KEY, 3)
    assert varied[3] != variant(scene, bytes(32), 3)
    for other in varied:
        assert other.layout == scene.layout
        assert [t.shape for t in other.things] == [t.shape for t in scene.things]
        assert other.background.kind == scene.background.kind
        camera = other.camera
        assert max(abs(camera.across), abs(camera.down)) <= 0.06 * 2 * 4096
        assert 0.9 <= camera.scale / 1024 <= 1.1
        assert abs(camera.angle) * 360 / 1024 <= 8


@pytest.mark.slow
def test_classes_vary_in_their_own_way():
    cameras = {
        variant(scene, key, 0).camera
        for scene, key in zip(class_scenes(2, KEY), (KEY, bytes(32)), strict=True)
    }
    assert len(cameras) == 2


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.integers(0, 2**40), st.integers(16, 96))
def test_any_variant_at_any_size(scenes, place, number, size):
    scene = variant(scenes[place], KEY, number)
    image = bank_image(scene, size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, bank_image(scene, size))
    assert len(np.unique(image)) > 2


def test_a_descriptor_tells_luma_changes_and_colours():
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, 8:] = 200, 100, 100
    described = descriptor(image)
    assert described.dtype == np.int64
    assert described.shape == (68,)
    cells = described[:64].reshape(8, 8)
    assert not cells[:, :4].any()
    assert (cells[:, 4:] == 130).all()
    down, across = described[64:66]
    assert down == 0
    assert across > 0
    assert described[66:].tolist() == [100, 0]
