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
