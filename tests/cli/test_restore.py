import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("@none.key", "no key file"),
        ("@vault/owner.key", "owner key where a recipient's key is expected"),
        ("@pa/brick/0.png", "isn't a key file"),
        ("@pa", "can't be read"),
    ],
)
def test_what_is_no_key_file_is_named(house, key, said):
    assert said in house.fails("restore", "@pa", "@x", "--key", key)


def test_what_is_in_the_way_is_named_once(house, tmp_path):
    files = sorted(Path(house.path("pa"), "brick").iterdir())[:2]
    for file in files:
        (tmp_path / file.name).write_bytes(
            Path(house.path("pb"), "brick", file.name).read_bytes()
        )
    said = house.fails(
        "restore", house.path("pa") + "/brick", str(tmp_path), "--key", "@alice.key"
    )
    assert f"{files[0].name}, {files[1].name}: another image is in its place" in said


def test_one_file_comes_back_alone(house, tmp_path):
    copy = sorted(Path(house.path("pa"), "brick").iterdir())[0]
    for to, opened_with in (("w", "--key @alice.key"), ("o", "--vault @vault")):
        words = ("restore", str(copy), str(tmp_path / to), *opened_with.split())
        assert house.json(*words)["restored"] == 1
        assert [path.stem for path in (tmp_path / to).iterdir()] == [copy.stem]


def test_no_worker_gets_what_the_owners_restore_takes(house, tmp_path):
    words = ("restore", "@pa", str(tmp_path / "o"), "--vault", "@vault")
    said = house.fails(*words, "--engine", "ray", status=2)
    assert "which no worker gets" in said


@pytest.mark.parametrize("verb", ["protect", "restore"])
def test_without_ray_it_says_what_to_install(house, tmp_path, monkeypatch, verb):
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / "new"
    words = {
        "protect": ("@source", str(out), "--vault", "@vault", "--recipient", "alice"),
        "restore": ("@pa", str(out), "--key", "@alice.key"),
    }[verb]
    said = house.fails(verb, *words, "--engine", "ray")
    assert "pip install 'fiftyone-reue[ray]'" in said
    assert not out.exists()
