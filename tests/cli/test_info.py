import pytest

pytestmark = pytest.mark.unit


def test_info_tells_files_and_folders_apart(house):
    facts = house.json("info", "@pa/brick/0.png")
    assert facts["state"] == "protected"
    assert house.json("info", "@wa/brick/0.png")["state"] == "licensed"
    assert "no record" in house.json("info", "@source/brick/0.png")["state"]
    folder = house.json("info", "@pa")
    assert folder["release"] == facts["release"]
    assert folder["images"] == 12
    said = house.ok("info", "@pa").stdout
    assert "revoked at: no" in said
    assert "created: 20" in said
    assert "UTC" in said
