import pytest

pytestmark = pytest.mark.unit


def test_failures_are_grouped_by_reason_and_named(house, tmp_path):
    said = house.fails("restore", "@pa", str(tmp_path / "x"), "--key", "@bob.key")
    assert said.count("Wrong key") == 1
    assert "astronaut/0.png" in said
    assert "and 2 more" in said
    assert "12 images failed" in said
    words = ("restore", "@pa", str(tmp_path / "x"), "--key", "@bob.key")
    found = house.json(*words, status=1)
    assert found["failed"] == len(found["failures"]) == 12
    assert found["restored"] == 0


def test_brackets_in_names_are_shown_as_they_are(house):
    said = house.fails("extract", "@[bold]none[/]", "--vault", "@vault")
    assert "[bold]none[/]" in said
