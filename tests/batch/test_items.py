from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.batch.items import Item, with_distinct_folders, with_distinct_outputs
from fiftyone_reue.names import filenames

pytestmark = pytest.mark.unit


def items(*paths: str) -> list[Item]:
    return [Item(path, path, None, path.rsplit(".", 1)[0]) for path in paths]


def outputs(*paths: str, taken: dict[str, str] | None = None) -> list[str]:
    return [i.output for i in with_distinct_outputs(items(*paths), taken or {})]


def test_different_names_are_kept():
    assert outputs("cat/a.png", "dog/a.png", "cat/b.jpg") == ["cat/a", "dog/a", "cat/b"]


def test_the_later_of_two_samples_with_one_name_says_what_it_was():
    assert outputs("a.jpg", "a.png", "a.webp") == ["a", "a_png", "a_webp"]
    assert outputs("a.jpg", "A.JPG") == ["a", "A_jpg"]


def test_a_name_that_was_made_up_is_not_given_twice():
    assert outputs("a.jpg", "a.png", "a_png.jpg") == ["a", "a_png", "a_png_jpg"]
    assert outputs("a.png", "x/../a.png", "A.png", "a.PNG")[1:] == [
        "x/../a",
        "A_png",
        "a_png_2",
    ]


def test_what_an_earlier_run_gave_is_kept():
    """An image added later, first in order, must not take a name away."""
    taken = {"b.png": "b"}
    assert outputs("a.png", "b.jpg", "b.png", taken=taken) == ["a", "b_jpg", "b"]


def test_an_image_of_another_class_leaves_its_old_output():
    one = [Item("s1", "x/a.png", None, "dog/a"), Item("s2", "x/b.png", None, "cat/b")]
    taken = {"s1": "cat/a", "s2": "cat/b"}
    moved = with_distinct_outputs(one, taken, {"s1"})
    assert [item.output for item in moved] == ["dog/a", "cat/b"]
    same = with_distinct_outputs([replace(one[0], output="cat/a")], taken, {"s1"})
    assert same[0].output == "cat/a"
    other = with_distinct_outputs([replace(one[0], output="cat/b")], taken, {"s1"})
    assert other[0].output == "cat/b_png"


def test_accents_composed_or_not_are_one_name_on_macos():
    first, second = outputs("caf\u00e9.png", "cafe\u0301.png")
    assert filenames.fold(first) != filenames.fold(second)


def test_long_names_stay_within_what_a_disk_takes():
    long = "n" * filenames.LIMIT
    first, second, third = outputs(f"a/{long}.png", f"a/{long}.jpg", f"a/{long}.JPG")
    assert first == f"a/{long}"
    assert len({first, second, third}) == 3
    for output in (second, third):
        assert len(output.removeprefix("a/")) <= filenames.LIMIT


def test_an_odd_suffix_goes_into_no_name():
    assert outputs("a.png", "a.p:g")[1] == "a_copy"


def folders(*outputs: str, taken: tuple[str, ...] = ()) -> list[str]:
    items = [Item(output, output, None, output) for output in outputs]
    return [item.output for item in with_distinct_folders(items, taken)]


def test_classes_that_differ_in_case_have_folders_apart():
    upper, lower = folders("Cat/a", "cat/b")
    assert upper == "Cat/a"
    assert lower == f"{filenames.apart('cat', 'cat')}/b"
    assert folders("cat/b", "Cat/a") == [lower, upper]


def test_a_class_keeps_the_folder_that_it_had():
    (lower,) = folders("cat/b", taken=("Cat/a",))
    assert folders("cat/c", "Cat/x", taken=("Cat/a", lower)) == [
        f"{filenames.apart('cat', 'cat')}/c",
        "Cat/x",
    ]
    assert folders("cat/c", taken=(lower,)) == [f"{filenames.apart('cat', 'cat')}/c"]
    assert folders("Cat/c", "cat/d", taken=("cat/d",))[1] == "cat/d"
    # As earlier versions made them, where the disk kept them apart.
    old = ("Cat/a", "cat/b")
    assert folders("Cat/c", "cat/d", taken=old) == ["Cat/c", "cat/d"]


def test_folders_within_folders_are_kept_apart_too():
    outputs = folders("train/Cat/a", "train/cat/a", "val/cat/a", "a")
    assert outputs[0] == "train/Cat/a"
    assert outputs[1].startswith("train/cat~")
    assert outputs[2:] == ["val/cat/a", "a"]


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.sampled_from("aAbB"), st.sampled_from(["png", "jpg", "PNG"])),
        unique=True,
    )
)
def test_outputs_are_distinct_on_any_file_system_and_stable(names):
    paths = [f"{stem}.{suffix}" for stem, suffix in names]
    first = outputs(*paths)
    assert len({output.lower() for output in first}) == len(paths)
    taken = dict(zip(paths, first, strict=True))
    assert outputs(*reversed(paths), taken=taken) == list(reversed(first))
