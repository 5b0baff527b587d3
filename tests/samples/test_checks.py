"""The case file: names, notes, deletion with a minute to undo it, comparison."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import checks, runs

pytestmark = pytest.mark.integration


def found(images: dict[str, dict[str, Any]], **verdict: Any) -> dict[str, Any]:
    rows = [
        {"image": name, "matched": "id", "state": "protected", "used": True, **more}
        for name, more in images.items()
    ]
    return {"verdict": "words", **verdict, "per_image": rows}


@pytest.fixture
def suspects(fiftyone_folder: Path) -> Iterator[Any]:
    """A dataset with two checks, as runs keep them."""
    import fiftyone as fo

    made = fo.Dataset()
    bob = {"recipient": "bob", "z": 7.0, "p_value": 1e-9, "named": True}
    alice = {"recipient": "alice", "z": 0.5, "p_value": 1.0, "named": False}
    first = found(
        {"a.jpg": {}, "b.jpg": {"matched": None}, "c.jpg": {}},
        decision="match",
        recipient="bob",
        recipients=[bob, alice],
    )
    second = found(
        {"a.jpg": {"used": False}, "b.jpg": {"matched": None}, "d.jpg": {}},
        decision="no-match",
        recipient=None,
        recipients=[{**bob, "z": 3.0, "p_value": 0.01, "named": False}],
    )
    for number, verdict in ((2, first), (10, second)):
        key = f"leak_check_{number}"
        rows = verdict.pop("per_image")
        created = f"2026-11-01T12:00:{number:02d}+00:00"
        runs.put(made, key, runs.EXTRACT, {**verdict, "created": created})
        runs.put_results(made, key, per_image=rows)
    yield made
    if not made.deleted:
        made.delete()


def test_they_are_listed_by_time(suspects: Any) -> None:
    assert reue.list_checks(suspects) == ["leak_check_2", "leak_check_10"]


def test_a_name_and_notes_are_kept_apart(suspects: Any) -> None:
    reue.annotate_check(suspects, "leak_check_2", name=" forum ", notes="by mail")
    reue.annotate_check(suspects, "leak_check_2", notes="by phone\nfrom Ann")
    config = runs.get_config(suspects, "leak_check_2")
    assert config is not None
    assert (config["title"], config["notes"]) == ("forum", "by phone\nfrom Ann")
    assert config["recipient"] == "bob"
    reue.annotate_check(suspects, "leak_check_2", name="")
    assert (runs.get_config(suspects, "leak_check_2") or {})["title"] == ""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "x" * 101}, "can have 100 characters, not 101"),
        ({"notes": "x" * 10_001}, "10,000 characters, not 10,001"),
    ],
)
def test_what_is_too_long_is_refused(
    suspects: Any, given: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        reue.annotate_check(suspects, "leak_check_2", **given)
    assert "title" not in (runs.get_config(suspects, "leak_check_2") or {})


def test_a_check_that_is_not_there_is_named(suspects: Any) -> None:
    with pytest.raises(InputError, match="no check 'nine'; there are: leak_check_2"):
        reue.annotate_check(suspects, "nine", name="x")


def test_a_deletion_can_be_undone_for_a_minute(suspects: Any) -> None:
    reue.delete_check(suspects, "leak_check_2")
    assert reue.list_checks(suspects) == ["leak_check_10"]
    assert checks.deleted_checks(suspects) == ["leak_check_2"]
    with pytest.raises(InputError, match="no check 'leak_check_2'"):
        reue.delete_check(suspects, "leak_check_2")
    assert checks.forget_deleted(suspects) == 0
    reue.undelete_check(suspects, "leak_check_2")
    assert reue.list_checks(suspects) == ["leak_check_2", "leak_check_10"]
    assert runs.get_results(suspects, "leak_check_2")["per_image"]


def test_after_a_minute_it_is_gone(
    suspects: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reue.delete_check(suspects, "leak_check_2")
    monkeypatch.setattr(checks, "UNDO_SECONDS", -1)
    assert checks.deleted_checks(suspects) == []
    with pytest.raises(InputError, match="more than a minute ago"):
        reue.undelete_check(suspects, "leak_check_2")
    assert suspects.list_runs() == ["leak_check_10"]


def test_a_deletion_time_that_is_none_is_over(suspects: Any) -> None:
    runs.put(suspects, "leak_check_2", runs.EXTRACT, {"deleted_at": "yesterday"})
    assert checks.forget_deleted(suspects) == 1
    assert suspects.list_runs() == ["leak_check_10"]


def test_a_release_is_no_check(suspects: Any) -> None:
    runs.put(suspects, "alice_1", runs.PROTECT, {"created": "2026"})
    assert "alice_1" not in reue.list_checks(suspects)
    with pytest.raises(InputError, match="no check 'alice_1'"):
        reue.delete_check(suspects, "alice_1")


def test_two_checks_are_compared(suspects: Any) -> None:
    seen = reue.compare_checks(suspects, "leak_check_2", "leak_check_10")
    assert not seen.same_verdict
    assert (seen.added, seen.removed) == (["d.jpg"], ["c.jpg"])
    (one,) = seen.changed
    assert (one.image, one.before, one.after) == (
        "a.jpg",
        "protected copy, used",
        "protected copy, not used",
    )
    scores = {score.recipient: score for score in seen.scores}
    assert (scores["bob"].z_before, scores["bob"].z_after) == (7.0, 3.0)
    assert (scores["alice"].z_before, scores["alice"].z_after) == (0.5, None)
    assert seen.text() == (
        "The verdict changed. 1 suspect more, 1 fewer, 1 of both was found to be "
        "something else."
    )
    same = reue.compare_checks(suspects, "leak_check_2", "leak_check_2")
    assert same.same_verdict
    assert same.text() == (
        "Both say the same. The suspects are the same, and so is what was found of "
        "each."
    )
    assert not same.added + same.removed + same.changed


def test_what_a_run_does_not_list_is_not_compared(suspects: Any) -> None:
    many = [{"image": str(n), "matched": None} for n in range(1000)]
    runs.put_results(suspects, "leak_check_10", per_image=many)
    seen = reue.compare_checks(suspects, "leak_check_2", "leak_check_10")
    assert seen.partial
    assert "Only the first suspects" in seen.text()
