import struct
import sys
from pathlib import Path
from zlib import crc32

import pytest

from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.cli import restore
from fiftyone_reue.vault.licence_files import APPLICATION
from fiftyone_reue.workflows.restore import RestoreSummary

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


@pytest.mark.parametrize("verb", ["restore", "extract", "reveal"])
def test_what_is_no_image_is_called_what_it_is(house, tmp_path, verb):
    archive, licence = tmp_path / "alice.zip", tmp_path / "a.license"
    house.ok("package", "alice-pa", str(archive), "--vault", "@vault")
    if verb == "reveal":  # where nothing hides anything, it looks at no file
        words = ("--vault", "@vault", "--recipient", "alice")
        hidden = str(tmp_path / "hidden")
        house.ok("protect", "@source", hidden, *words, "--method", "deep_hiding")
    licence.write_bytes(b"SQLite format 3\0" + bytes(52) + APPLICATION.to_bytes(4))
    place = str(tmp_path / "w")
    to = {"restore": (place,), "extract": (), "reveal": ("--out", place)}[verb]
    for name, what in (
        (str(archive), "Failed: alice.zip: this is a package: `reue unpack FILE"),
        (str(licence), "Failed: a.license: this is a licence: `reue restore"),
        ("@alice.key", "Failed: alice.key: this is a recipient's key file, which is"),
        ("@vault/owner.key", "Failed: owner.key: this is an owner key, which is"),
        ("@vault", "vault: this is a vault: `reue release list --vault`"),
    ):
        assert what in house.fails(verb, name, *to, "--vault", "@vault")
    other, none = tmp_path / "other.zip", tmp_path / "none"
    other.write_bytes(b"PK\3\4")
    none.mkdir()
    for place, what in ((other, "zip: not an image file"), (none, "no image in it")):
        assert what in house.fails(verb, str(place), *to, "--vault", "@vault")


def changed(house, folder: Path, number: int) -> None:
    """Some of alice's copies, of which so many have other metadata."""
    for file in sorted(Path(house.path("pa"), "brick").iterdir()):
        data = file.read_bytes()
        if number > 0:
            number -= 1
            text = b"tEXtComment\0changed"
            chunk = struct.pack(">I", len(text) - 4) + text
            data = data[:33] + chunk + struct.pack(">I", crc32(text)) + data[33:]
        folder.joinpath("brick").mkdir(parents=True, exist_ok=True)
        folder.joinpath("brick", file.name).write_bytes(data)


def test_what_was_changed_on_the_way_is_told_of_parts_too(house, tmp_path):
    changed(house, tmp_path / "p", 2)
    words = ("restore", str(tmp_path / "p/brick"), str(tmp_path / "w"))
    key = ("--key", "@alice.key")
    said = house.ok(*words, *key).stdout.splitlines()
    assert said == [
        "Restored 4 licensed copies exactly, 0 were there, 0 failed",
        "There was no manifest.json in SRC or above to compare the files with: "
        "metadata that was changed on the way wouldn't be noticed.",
    ]
    told = house.json(*words, *key)
    assert (told["compared_with"], told["differing"]) == (None, [])
    listing = tmp_path / "p/manifest.json"
    listing.write_bytes(Path(house.path("pa"), "manifest.json").read_bytes())
    first, second, third = house.ok(*words, *key).stdout.splitlines()
    assert first == "Restored 0 licensed copies exactly, 4 were there, 0 failed"
    assert second.startswith("Of 2 copies only the pixels are")
    assert second.endswith("; get it again from the owner.")
    assert third == "  0.png, 1.png"
    told = house.json(*words, *key)
    assert told["compared_with"] == str(listing)
    assert [one["image"] for one in told["differing"]] == ["0.png", "1.png"]


def test_one_is_told_as_one(house, tmp_path):
    copy = str(sorted(Path(house.path("pa"), "brick").iterdir())[0])
    words = ("restore", copy, str(tmp_path / "w"), "--key", "@alice.key")
    for done, there in (("1 licensed copy", "0 were"), ("0 licensed copies", "1 was")):
        said = house.ok(*words).stdout
        assert said == f"Restored {done} exactly, {there} there, 0 failed\n"


@pytest.mark.parametrize(
    ("reasons", "lines"),
    [
        (["old"], ["Of 1 original the pixels are exact but the file differs: old."]),
        (
            ["old", "old", "new", None],
            [
                "1 is the original file, byte for byte; of 3 originals the pixels are "
                "exact but the file differs.",
                "  0.png, 1.png: old",
                "  2.png: new",
            ],
        ),
    ],
)
def test_a_reason_is_said_once(capsys, reasons, lines):
    names = [f"{number}.png" for number in range(len(reasons))]
    differing = {n: why for n, why in zip(names, reasons, strict=True) if why}
    summary = RestoreSummary(
        *("original", Outcome(done=len(names)), len(names)),
        differing=differing,
        written=dict(zip(names, names, strict=True)),
    )
    restore._print(summary)
    _, *said = capsys.readouterr().out.splitlines()
    assert said == lines + ["  0.png"] * (len(set(reasons)) == 1)
