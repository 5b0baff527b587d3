import json

import pytest

from fiftyone_reue.batch.folders import labelled_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.workflows.protect import protect

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("text", [None, "", "no json", "[1, 2]", '"text"', "{"])
def test_what_is_no_manifest_is_none(tmp_path, text):
    if text is not None:
        (tmp_path / manifest.NAME).write_text(text)
    assert manifest.read(tmp_path) is None


def test_bytes_that_are_not_text_are_none(tmp_path):
    (tmp_path / manifest.NAME).write_bytes(b"\xff\xfe{}")
    assert manifest.read(tmp_path) is None


def test_a_manifest_is_read(tmp_path):
    (tmp_path / manifest.NAME).write_text(json.dumps({"release": "x"}))
    assert manifest.read(tmp_path) == {"release": "x"}


def test_marking_a_revocation_forgets_what_format_1_told(vault, write_folder, tmp_path):
    source = write_folder(tmp_path / "source", classes=2, each=2)
    made = finish(
        protect(
            vault,
            "alice",
            labelled_items(source),
            tmp_path / "out",
            name="spring",
            source=str(source),
            config=ProtectConfig("lsp"),
        )
    )
    path = tmp_path / "out" / manifest.NAME
    old = {"format": 1, "release": made.release.id, "name": "spring", "epsilon": 8}
    path.write_text(json.dumps(old))
    alice = vault.revoke("alice")
    assert manifest.mark_revoked(vault, alice) == [path]
    content = manifest.read(tmp_path / "out")
    assert content["revoked_at"] == alice.revoked_at
    assert content["images"] == 4
    assert "spring" not in path.read_text()
    assert "epsilon" not in content


OURS = {"format": 2, "release": "x", "files": ["sea/a.png", "sea/b/c.png"]}


@pytest.mark.parametrize(
    ("place", "below"),
    [("", "."), ("sea", "sea"), ("sea/b", "sea/b"), ("sea/a.png", "sea/a.png")],
)
def test_a_manifest_is_found_from_what_it_lists(tmp_path, place, below):
    (tmp_path / "out/sea/b").mkdir(parents=True)
    (tmp_path / "out/sea/a.png").touch()
    # What others wrote, whatever it is, is passed over.
    (tmp_path / "out/sea" / manifest.NAME).write_text('{"name": "App"}')
    (tmp_path / "out/sea/b" / manifest.NAME).mkdir()
    (tmp_path / "out" / manifest.NAME).write_text(json.dumps(OURS))
    found = manifest.find(tmp_path / "out" / place)
    assert found is not None
    assert found.path == tmp_path / "out" / manifest.NAME
    assert (found.below.as_posix(), found.content) == (below, OURS)


def test_a_manifest_that_lists_other_files_is_not_theirs(tmp_path):
    for folder in ("seaside", "out/sea"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / manifest.NAME).write_text(
        json.dumps({**OURS, "files": [{"file": "seaside/a.png"}, 3, "sea/a.png"]})
    )
    assert manifest.find(tmp_path / "seaside") is None
    # The first of ours is the last one looked at.
    (tmp_path / "out" / manifest.NAME).write_text(json.dumps({**OURS, "files": []}))
    (tmp_path / manifest.NAME).write_text(
        json.dumps({**OURS, "files": ["out/sea/a.png"]})
    )
    assert manifest.find(tmp_path / "out/sea") is None
    (tmp_path / "out" / manifest.NAME).unlink()
    assert manifest.find(tmp_path / "out/sea") is not None


def test_no_link_is_followed_to_a_manifest_above(tmp_path):
    (tmp_path / "real/out/sea").mkdir(parents=True)
    (tmp_path / "real/out" / manifest.NAME).write_text(json.dumps(OURS))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/sea").symlink_to(tmp_path / "real/out/sea")
    (tmp_path / "linked" / manifest.NAME).write_text(json.dumps(OURS))
    assert manifest.find(tmp_path / "linked/sea") is None
    # From a link, ".." leads to another folder than the link lies in.
    assert manifest.find(tmp_path / "linked/sea/../sea") is None
    assert manifest.find(tmp_path / "real/out/../out/sea") is not None
    (tmp_path / "near/sea").mkdir(parents=True)
    (tmp_path / "near" / manifest.NAME).symlink_to(tmp_path / "linked" / manifest.NAME)
    assert manifest.find(tmp_path / "near/sea") is None


def test_a_large_file_above_is_passed_over_and_the_search_ends(tmp_path, monkeypatch):
    deep = tmp_path.joinpath(*"abc")
    deep.mkdir(parents=True)
    (tmp_path / manifest.NAME).write_text(json.dumps({**OURS, "files": ["a/b/c/d"]}))
    (tmp_path / "a" / manifest.NAME).write_text("{}" + " " * 200)
    monkeypatch.setattr(manifest, "MOST_BYTES", 200)
    assert manifest.find(deep) is not None
    monkeypatch.setattr(manifest, "_MOST_ABOVE", 2)
    assert manifest.find(deep) is None
