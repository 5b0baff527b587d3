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
