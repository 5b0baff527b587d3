import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.items import Item, with_distinct_outputs

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
