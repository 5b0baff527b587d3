"""What went to whom, in the status panel."""

from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.samples.shown_names import EVERYBODY

pytestmark = pytest.mark.integration

NAME = "protection_status"


def rows(driver: Any) -> dict[tuple[str, str], dict[str, str]]:
    return {(row["recipient"], row["release"]): row for row in driver.data["holdings"]}


def test_a_row_for_each_recipient_and_release(panel: Any, scene: Any) -> None:
    status = panel(NAME, scene)
    found = rows(status)
    assert list(found) == [("alice", "alice_1"), ("bob", "bob_1")]
    assert (found["alice", "alice_1"]["images"], found["bob", "bob_1"]["images"]) == (
        "23",
        "12",
    )
    folder = scene.get_run_info("bob_1").config.output_dir
    assert found["bob", "bob_1"]["folder"] == folder
    key = next(one.key_id for one in reue.list_recipients() if one.name == "bob")
    assert found["bob", "bob_1"]["key"] == f"{key[:8]}, active"
    assert "2 recipients have something of this dataset." in status.said()


def test_licences_revoked_keys_and_who_has_nothing(
    panel: Any, scene: Any, tmp_path: Path
) -> None:
    reue.add_recipient("carol", tmp_path / "carol.key")
    reue.add_recipient("zoe", tmp_path / "zoe.key")
    made = reue.publish_samples(
        scene.limit(6),
        output_dir=tmp_path / "published",
        method="lsp",
        label_field="ground_truth",
        progress=False,
    )
    path = tmp_path / "carol.licence"
    reue.license_samples(scene, "carol", path, release=made.release, progress=False)
    reue.revoke_recipient("carol")
    found = rows(panel(NAME, scene))
    assert found[EVERYBODY, made.release]["key"] == "nobody has one"
    licence = found["carol", f"licence of {made.release}"]
    assert ", revoked 20" in licence["key"]
    assert licence["images"] == found[EVERYBODY, made.release]["images"]
    assert found["zoe", "none yet"]["images"] == "–"
