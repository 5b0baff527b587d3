import pytest

from fiftyone_reue.batch.classes import (
    counts,
    find_layout,
    layout_at,
    listing,
    only_class,
    remarks,
)
from fiftyone_reue.batch.items import Item

pytestmark = pytest.mark.unit


def places(*paths: str) -> list[tuple[str, ...]]:
    return [tuple(path.split("/")) for path in paths]


def items(**classes: int) -> list[Item]:
    return [
        Item(f"{name}/{number}", "", name, "")
        for name, count in classes.items()
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("paths", "depth", "above", "nested"),
    [
        (["cat", "dog", "cat"], 1, (), ()),
        (["train/cat", "train/dog", "val/cat"], 2, ("train", "val"), ()),
        (["Training/cat", "VALIDATION/cat"], 2, ("Training", "VALIDATION"), ()),
        (["test/cat", "dev/dog", "eval/dog"], 2, ("dev", "eval", "test"), ()),
        (["train/cat", "train/dog"], 2, ("train",), ()),
        (["train/cat/old", "train/dog"], 2, ("train",), ("cat",)),
        (["cat", "cat/deep/er", "dog"], 1, (), ("cat",)),
        (["cat", "dog", "test"], 1, (), ()),  # so called, and among others
        (["animals/cat", "vehicles/car"], 1, (), ("animals", "vehicles")),
        ([], 1, (), ()),
    ],
)
def test_classes_that_are_plain(paths, depth, above, nested):
    layout = find_layout(places(*paths))
    assert layout.problem is None
    assert (layout.depth, layout.above, layout.nested) == (depth, above, nested)


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["train", "val"], "train and val would be splits, not classes"),
        (["train"], "train would be splits"),
        (["train/cat", "train/dog", "test"], "some folders are splits and some"),
        (["train/cat", "train/dog", "extra/cat"], "some folders are splits and some"),
        (["train/cat", "cat"], "some folders are splits and some are not"),
        (["fold1/cat", "fold2/cat", "fold2/dog"], "several folders hold the same"),
        (["images/cat", "images/dog"], "all images are in images"),
    ],
)
def test_classes_that_are_not_plain_are_a_problem_that_says_what_to_do(paths, why):
    problem = find_layout(places(*paths)).problem
    assert why in problem
    assert f"{paths[0]} 1" in problem
    assert "--classes-at 1 for" in problem
    assert ("--classes-at 2 for" in problem) == any("/" in path for path in paths)
    for depth in (1, 2):
        assert layout_at(depth, places(*paths)).problem is None


def test_classes_are_told_with_their_counts():
    few = items(dog=2, cat=8)
    assert counts(few) == {"cat": 8, "dog": 2}
    assert listing(few) == "2 classes, 10 images: cat 8, dog 2"
    many = listing(items(**{f"c{number:03}": 3 for number in range(200)}))
    assert many.startswith("200 classes, 600 images: c000 3, c001 3,")
    assert many.endswith("c007 3, ..., c198 3, c199 3")


def test_odd_classes_are_remarked_on():
    assert remarks(items(dog=2, cat=8)) == []
    assert remarks(items(dog=1, cat=8)) == ["1 class has one image: dog."]
    (all_single,) = remarks(items(**{f"c{number}": 1 for number in range(1000)}))
    assert all_single.startswith("Every class has one image: are these classes?")
    (alone,) = remarks(items(dog=3))
    assert alone.startswith("There is one class only, dog:")
    layout = find_layout(places("train/cat/old", "val/cat", "val/dog"))
    first, second = remarks(items(dog=2, cat=8), layout)
    assert first == "The classes are the folders in train and val; these stay apart."
    assert second == "Images in folders inside cat are of that class."


@pytest.mark.parametrize("beside", ["masks", "Labels", "annotations", "gt"])
def test_images_beside_masks_are_remarked_on(beside):
    (said,) = remarks(items(**{"images": 3, beside: 3}))
    assert f"{beside} look like" in said or "images look like" in said
    assert "segmentation, not like classes" in said
    assert "--clusters N" in said


def test_classes_of_such_names_among_others_are_not():
    assert remarks(items(images=3, masks=3, cat=3)) == []
    assert remarks(items(masks=3, gloves=3)) == []
    assert remarks(items(masks=3, labels=3)) == []


def test_one_class_alone_is_known():
    assert only_class(items(dog=3)) == "dog"
    assert only_class(items(dog=3, cat=1)) is None
