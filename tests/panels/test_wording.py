"""One of something is said so."""

import pytest

pytestmark = pytest.mark.integration

CHECK = {
    "suspects": "dataset found",
    "date": "2026-05-01 12:00:00",
    "images": 1,
    "matched": 1,
    "used": 1,
    "failed": 0,
    "named": "everybody (published)",
    "published": True,
    "undecided": False,
    "verdict": "These images are derived from a published set.",
}


def test_hovering_a_bar() -> None:
    from panels import figures
    from panels.coverage import Bins

    (bars,) = figures.bars({"alice": 1, "bob": 2}, "red", "image")
    assert bars["customdata"] == ["1 image", "2 images"]
    (bins,) = figures.histogram(Bins([36, 37, 38], [1, 1200]), "red", " dB")
    assert bins["customdata"] == ["36 to 37 dB: 1 image", "37 to 38 dB: 1,200 images"]


@pytest.mark.parametrize(
    ("protected", "total", "said"),
    [
        (1, 60, "1 of 60 images is protected (2%)"),
        (1, 1, "1 of 1 image is protected (100%)"),
        (0, 1, "0 of 1 image is protected (0%)"),
        (2, 60, "2 of 60 images are protected (3%)"),
    ],
)
def test_how_many_are_protected(protected: int, total: int, said: str) -> None:
    from panels import protection_status

    status = {"total": total, "states": {"protected": protected}, "shown": None}
    assert protection_status._headline(status) == said


def test_a_groups_slice_is_named() -> None:
    from panels import protection_status

    status = {"total": 9, "states": {"protected": 9}, "shown": "r", "slice": "left"}
    assert protection_status._headline(status) == (
        "9 of 9 images of slice left are protected (100%) in release r"
    )


@pytest.mark.parametrize(
    ("named", "title"),
    [
        (["alice"], "Derived from the copy of alice"),
        (["alice", "bob"], "Derived from the copies of alice and bob"),
        (["a", "b", "c"], "Derived from the copies of a, b and c"),
        (["a", "b", "c", "d"], "Derived from the copies of 4 recipients"),
    ],
)
def test_everybody_who_is_named_is_in_the_heading(named: list, title: str) -> None:
    from panels import leak_check

    rows = [{"recipient": name, "named": True} for name in named]
    rows.append({"recipient": "zoe", "named": False})
    check = {**CHECK, "published": False, "named": named[0], "recipients": rows}
    assert leak_check._verdict(check)[0] == title
    older = {**check, "recipients": [{"recipient": named[0]}]}
    assert leak_check._verdict(older)[0] == f"Derived from the copy of {named[0]}"


def test_a_single_suspect() -> None:
    from panels import leak_check

    said = leak_check._facts(CHECK)
    assert said.endswith("1 suspect · 1 matches an original · 1 original weighed")
    several = leak_check._facts({**CHECK, "images": 2, "matched": 2})
    assert "2 suspects · 2 match an original" in several


@pytest.mark.parametrize(
    ("state", "exact", "said"),
    [
        ("licensed", False, "original or licensed copy, 0.5 gray levels off"),
        ("protected", True, "protected copy, exact pixels"),
        ("original", True, "the original itself"),
    ],
)
def test_what_a_suspect_is(state: str, exact: bool, said: str) -> None:
    from fiftyone_reue.samples import checks as case_file
    from panels import checks

    row = {"state": state, "exact": exact, "distance": 0.5, "used": True}
    assert checks._caption("/a/b.png", row) == f"b.png: {said}, used"
    pointing = {**row, "from": ["bob"]}
    assert "original or" not in checks._caption("/a/b.png", pointing)
    if exact:
        assert case_file._found({**row, "matched": "a"}) == f"{said}, used"


def test_a_published_set_is_nobodys_copy() -> None:
    from panels import leak_check

    title, _ = leak_check._verdict(CHECK)
    assert title == "Derived from what was published for everybody"
    # Somebody may be called so.
    named = {**CHECK, "named": "everybody", "published": False}
    assert leak_check._verdict(named)[0] == "Derived from the copy of everybody"


def test_long_names_leave_room_for_their_bars() -> None:
    from panels import figures

    long = "Alice and Partners Photography of the North (alice)"
    axis = figures.rows_layout(2, ["bob", long])["yaxis"]
    # A click is answered with the value, which stays whole.
    assert axis["tickvals"] == ["bob", long]
    assert axis["ticktext"] == ["bob", "Alice and Par…orth (alice)"]


def test_further_lines_of_a_result_have_no_indent() -> None:
    from panels.jobs import _parted

    assert _parted("Done\n  The change is seen\n  So it is") == (
        "Done",
        "The change is seen\nSo it is",
    )
    assert _parted("") == ("", "")
