import sqlite3
from pathlib import Path

import pytest

from fiftyone_reue.batch.folders import labelled_items
from fiftyone_reue.errors import TamperedLedgerError
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.check import check
from fiftyone_reue.vault.commitments import Original, commit_to, list_commitments
from fiftyone_reue.watermark.patterns import carrier_key
from fiftyone_reue.workflows import protect_work
from fiftyone_reue.workflows.protect import protect

pytestmark = pytest.mark.integration


def run(vault, source: Path, output: Path):
    return finish(
        protect(
            vault,
            "bob",
            labelled_items(source),
            output,
            name="r",
            source=str(source),
            config=ProtectConfig("lsp"),
        )
    )


def originals(vault, release) -> list[Original]:
    found = [vault.ledger.image(r.image_id) for r in vault.ledger.records(release.id)]
    key = vault.derive("watermark")
    return [Original(i.id, i.digest, carrier_key(key, i.id)) for i in found]


def test_a_release_is_committed_before_any_file_is_made(
    vault, tmp_path, write_folder, monkeypatch
):
    source = write_folder(tmp_path / "source", classes=2, each=3, side=48)
    seen = []

    def first(item, own, boxes, release, *rest, **options):
        seen.append(release.commitment)
        assert manifest.read(tmp_path / "out")["commitment"] == release.commitment
        return make(item, own, boxes, release, *rest, **options)

    make = protect_work.protect_image
    monkeypatch.setattr(protect_work, "protect_image", first)
    release = run(vault, source, tmp_path / "out").release
    (made,) = list_commitments(vault, release.id)
    assert set(seen) == {made.root.hex()} == {release.commitment}
    leaves = {one.leaf for one in originals(vault, release)}
    assert leaves == set(made.images)
    assert len(leaves) == 6
    assert len(made.recipients) == len(vault.recipients())
    assert manifest.read(tmp_path / "out")["commitment"] == release.commitment
    assert finish(check(vault)).problems == []


def test_images_that_come_later_are_committed_on_top(vault, tmp_path, write_folder):
    source = write_folder(tmp_path / "source", classes=2, each=2, side=48)
    first = run(vault, source, tmp_path / "out").release
    assert run(vault, source, tmp_path / "out").release.commitment == first.commitment
    write_folder(tmp_path / "more", classes=2, each=3, side=40)
    for one in (tmp_path / "more").rglob("*.png"):
        (source / one.parent.name / f"m{one.name}").write_bytes(one.read_bytes())
    later = run(vault, source, tmp_path / "out").release
    one, two = list_commitments(vault, first.id)
    assert (one.root.hex(), two.root.hex()) == (first.commitment, later.commitment)
    assert two.previous == one.root
    assert not set(one.images) & set(two.images)
    assert finish(check(vault)).problems == []


def test_a_release_is_not_gone_on_with_without_its_commitment(
    vault, tmp_path, write_folder
):
    source = write_folder(tmp_path / "source", classes=2, each=2, side=48)
    release = run(vault, source, tmp_path / "out").release
    with sqlite3.connect(vault.ledger.raw._path) as ledger:
        ledger.execute("DELETE FROM papers")
    with pytest.raises(TamperedLedgerError, match="commitment isn't known"):
        commit_to(vault, release, originals(vault, release))
