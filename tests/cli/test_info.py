import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("@vault", "a vault: "),
        ("@vault/owner.key", "an owner key, which is secret"),
        ("@vault/ledger.sqlite", "a vault's ledger"),
        ("@alice.key", "a recipient's key file, which is secret"),
    ],
)
def test_info_says_what_is_no_image(house, name, what):
    assert house.json("info", name)["what"].startswith(what)


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
