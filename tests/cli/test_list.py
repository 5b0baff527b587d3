import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("what", ["methods", "countermeasures", "victims"])
def test_what_can_be_named_is_listed(place, what):
    listed = place.json("list", what)
    assert len(listed) > 5
    said = place.ok("list", what).stdout
    for one in listed:
        assert one["name"] in said
        assert one["title"] in said


def test_what_makes_no_releases_is_marked(place):
    said = place.ok("list", "methods").stdout.splitlines()
    marked = {line.split()[0] for line in said if "makes no releases" in line}
    methods = place.json("list", "methods")
    assert marked == {one["name"] for one in methods if not one["bounded"]} != set()


def test_what_a_countermeasure_needs_is_said(place):
    said = place.ok("list", "countermeasures").stdout
    needs = [one["uses"] for one in place.json("list", "countermeasures")]
    assert any(needs)
    for need in filter(None, needs):
        assert f"(needs {need})" in said
