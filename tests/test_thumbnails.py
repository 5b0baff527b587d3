from collections import Counter

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import thumbnails
from fiftyone_reue.items import Item

pytestmark = pytest.mark.unit


def items(**counts: int) -> list[Item]:
    return [
        Item(f"{label}/{i}", f"{label}/{i}", label, "")
        for label, count in counts.items()
        for i in range(count)
    ]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(8, 8), (100, 20), (32, 32), (9, 501)])
def test_any_image_becomes_an_eight_bit_square(channels, dtype, shape):
    draw = np.random.default_rng(0)
    samples = draw.integers(0, np.iinfo(dtype).max, (*shape, channels)).astype(dtype)
    colours = 1 if channels < 3 else 3
    square = thumbnails.to_square(samples, colours, 32)
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8
    scale = 1 if dtype == np.uint8 else 257
    wanted = samples[..., :colours].mean() / scale
    assert abs(float(square.mean()) - wanted) < 12
    if colours == 1:
        assert (square[..., 0] == square[..., 2]).all()


def test_the_right_size_is_left_alone():
    samples = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    assert np.array_equal(thumbnails.to_square(samples, 3, 32), samples)


def test_few_items_are_all_taken():
    some = items(a=3, b=1)
    assert thumbnails.stratified(some, 4, 0) == some


def test_many_items_are_taken_evenly_over_the_classes():
    chosen = thumbnails.stratified(items(a=100, b=100, c=2), 30, 0)
    assert Counter(i.label for i in chosen) == {"a": 14, "b": 14, "c": 2}
    assert len(set(chosen)) == 30
    assert chosen == thumbnails.stratified(items(a=100, b=100, c=2), 30, 0)
    assert chosen != thumbnails.stratified(items(a=100, b=100, c=2), 30, 1)


@pytest.mark.parametrize(("side", "size"), [(8, 32), (32, 32), (48, 32), (49, 64)])
def test_the_size_follows_the_images(tmp_path, side, size):
    Image.new("RGB", (side, side + 100)).save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    some = [Item(n, str(tmp_path / n), None, "") for n in ("a.png", "broken.png")]
    assert thumbnails.suitable_size(some) == size


def test_without_a_readable_image_there_is_a_size_still():
    assert thumbnails.suitable_size([Item("x", "nowhere", None, "")]) == 32
    assert thumbnails.suitable_size([]) == 32
