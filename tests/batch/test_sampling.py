from collections import Counter

import pytest
from PIL import Image

from fiftyone_reue.batch import sampling
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.unit


def items(**counts: int) -> list[Item]:
    return [
        Item(f"{label}/{i}", f"{label}/{i}", label, "")
        for label, count in counts.items()
        for i in range(count)
    ]


def test_few_items_are_all_taken():
    some = items(a=3, b=1)
    assert sampling.stratified(some, 4, 0) == some


def test_many_items_are_taken_evenly_over_the_classes():
    chosen = sampling.stratified(items(a=100, b=100, c=2), 30, 0)
    assert Counter(i.label for i in chosen) == {"a": 14, "b": 14, "c": 2}
    assert len(set(chosen)) == 30
    assert chosen == sampling.stratified(items(a=100, b=100, c=2), 30, 0)
    assert chosen != sampling.stratified(items(a=100, b=100, c=2), 30, 1)


@pytest.mark.parametrize(("side", "size"), [(8, 32), (32, 32), (48, 32), (49, 64)])
def test_the_size_follows_the_images(tmp_path, side, size):
    Image.new("RGB", (side, side + 100)).save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    some = [Item(n, str(tmp_path / n), None, "") for n in ("a.png", "broken.png")]
    assert sampling.suitable_size(some) == size


@pytest.mark.parametrize(("longest", "size"), [(64, 64), (128, 128), (224, 224)])
def test_a_method_says_up_to_which_size_it_is_fitted(tmp_path, longest, size):
    Image.new("RGB", (300, 200)).save(tmp_path / "a.png")
    some = [Item("a.png", str(tmp_path / "a.png"), None, "")]
    assert sampling.suitable_size(some, longest) == size


@pytest.mark.parametrize(
    ("shorter", "side"),
    [(32, 32), (49, 64), (96, 64), (97, 128), (192, 128), (193, 224), (300, 224)],
)
def test_photographs_are_trained_on_at_larger_sides(tmp_path, shorter, side):
    Image.new("RGB", (shorter + 100, shorter)).save(tmp_path / "a.png")
    some = [Item("a.png", str(tmp_path / "a.png"), None, "")]
    assert sampling.training_side(some) == side


def test_the_side_is_cut_to_the_time_unless_it_is_asked_for():
    assert sampling.side_to_train_at(224, 128, None) == 128
    assert sampling.side_to_train_at(64, 128, None) == 64
    assert sampling.side_to_train_at(64, 128, 224) == 224
    with pytest.raises(InputError, match="at 100 pixels a side; choose one of 32, 64"):
        sampling.side_to_train_at(64, 128, 100)


def test_without_a_readable_image_there_is_a_size_still():
    assert sampling.suitable_size([Item("x", "nowhere", None, "")]) == 32
    assert sampling.suitable_size([]) == 32
