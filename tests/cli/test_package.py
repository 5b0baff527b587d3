"""A release in one folder or file to hand over, on the command line."""

import zipfile

import pytest

pytestmark = pytest.mark.integration


def test_a_release_is_packed_and_said(house, tmp_path):
    output = tmp_path / "bob.zip"
    words = ("package", "bob-pb", str(output), "--vault", "@vault")
    told = house.json(*words)
    assert (told["recipient"], told["path"]) == ("bob", str(output))
    with zipfile.ZipFile(output) as archive:
        images = [name for name in archive.namelist() if name.endswith(".png")]
    assert len(images) == told["images"]
    assert "is there already; choose a new name" in house.fails(*words)
    folder = str(tmp_path / "bob")
    said = house.ok("package", "bob-pb", folder, "--vault", "@vault").stdout
    assert "Send their key by another way." in said
    said = house.fails("package", "nothing", f"{folder}2", "--vault", "@vault")
    assert "There is no release 'nothing'" in said
