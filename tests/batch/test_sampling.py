from collections import Counter

import pytest
from PIL import Image

from fiftyone_reue.batch import sampling
from fiftyone_reue.batch.items import Item

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


def test_without_a_readable_image_there_is_a_size_still():
    assert sampling.suitable_size([Item("x", "nowhere", None, "")]) == 32
    assert sampling.suitable_size([]) == 32
