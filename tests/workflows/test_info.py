import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.errors import InputError, UnreadableImageError
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.info import describe
from fiftyone_reue.workflows.protect import ProtectSummary, protect
from fiftyone_reue.workflows.restore import restore_licensed

pytestmark = pytest.mark.integration


@pytest.fixture
def summary(
    vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]
) -> ProtectSummary:
    source = write_folder(tmp_path / "source", classes=2, each=2)
    steps = protect(
        vault,
        "alice",
        labelled_items(source),
        tmp_path / "out",
        name="spring",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    return finish(steps)


def test_a_protected_file_says_whose_it_is_without_a_key(vault, summary, tmp_path):
    facts = describe(tmp_path / "out/brick/0.png")
    assert facts["state"] == "protected"
    assert facts["vault"] == vault.vault_id
    assert facts["release"] == summary.release.id
    assert facts["recipient_key"] == vault.recipient("alice").key_id
    assert (facts["format"], facts["size"], facts["bits"]) == ("PNG", "32 x 32", 8)
    assert facts["record_bytes"] > 100


def test_states_are_told_apart(vault, summary, tmp_path):
    key = vault.recipient_key(vault.recipient("alice"))
    finish(restore_licensed(image_items(tmp_path / "out"), None, tmp_path / "w", key))
    assert describe(tmp_path / "w/brick/0.png")["state"] == "licensed"
    assert "no record" in describe(tmp_path / "source/brick/0.png")["state"]
    loaded = load(tmp_path / "out/brick/0.png")
    edited = loaded.raster.with_samples(np.flipud(loaded.raster.samples))
    path = tmp_path / "edited.png"
    path.write_bytes(encode(edited, "PNG", loaded.record))
    assert describe(path)["state"] == "protected, but edited since"


def test_a_releases_folder_is_summed_up(summary, tmp_path):
    facts = describe(tmp_path / "out")
    assert facts["release"] == summary.release.id
    assert (facts["format"], facts["images"]) == (2, 4)
    assert "files" not in facts
    assert "spring" not in facts.values()


def test_manifests_of_format_1_are_still_read(summary, tmp_path):
    old = {
        "format": 1,
        "release": summary.release.id,
        "name": "spring",
        "state": "done",
        "images": 4,
        "failures": [{"sample": "a.png", "reason": "a.png: broken"}],
        "files": [{"file": "brick/0.png", "class": "brick"}],
    }
    (tmp_path / "out" / manifest.NAME).write_text(json.dumps(old))
    facts = describe(tmp_path / "out")
    assert (facts["name"], facts["images"], facts["failed"]) == ("spring", 4, 1)
    assert "files" not in facts


def test_what_can_not_be_described_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        describe(tmp_path / "none")
    with pytest.raises(InputError, match="no release is here"):
        describe(tmp_path)
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(UnreadableImageError, match=r"a\.png: not an image"):
        describe(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    assert describe(tmp_path / "b.png")["size"] == "9 x 9"
