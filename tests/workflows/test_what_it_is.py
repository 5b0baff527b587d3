"""What is said of files that are neither image nor release."""

import zipfile
from pathlib import Path

import pytest

import fiftyone_reue as reue
from fiftyone_reue.vault.identities import new_identity
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.what_it_is import what_it_is

pytestmark = pytest.mark.unit


def test_keys(vault: Vault, tmp_path: Path) -> None:
    key = vault.recipient_key(vault.recipient("alice"))
    public = new_identity(tmp_path / "me.txt")
    reue.write_key_file(tmp_path / "alice.key", key)
    reue.write_key_file(tmp_path / "alice.age", key, public_key=public)
    assert "`reue restore COPIES DST --key`" in str(what_it_is(tmp_path / "alice.key"))
    assert "sealed with age" in str(what_it_is(tmp_path / "alice.age"))
    assert "an identity, which is secret" in str(what_it_is(tmp_path / "me.txt"))


@pytest.mark.slow
def test_a_licence_and_a_package(vault: Vault, tmp_path: Path, write_folder) -> None:
    source = write_folder(tmp_path / "source", classes=2, each=2)
    made = reue.publish(source, tmp_path / "public", vault=vault, method="lsp")
    release = made.release.name
    reue.license("alice", tmp_path / "a.license", vault=vault, release=release)
    reue.package(release, tmp_path / "p.zip", vault=vault)
    reue.package(release, tmp_path / "p", vault=vault)
    assert str(what_it_is(tmp_path / "a.license")).startswith("a licence: ")
    assert str(what_it_is(tmp_path / "p.zip")).startswith("a package: `reue unpack")
    assert str(what_it_is(tmp_path / "p")).startswith("a package: `reue info`")


def test_manifests_commitments_and_cases(tmp_path: Path) -> None:
    for name in ("manifest.json", "commitment.json", "evidence.json"):
        (tmp_path / name).write_text('{"format": 3}')
    assert "a release's manifest" in str(what_it_is(tmp_path / "manifest.json"))
    assert "`reue verify CASE --manifest`" in str(
        what_it_is(tmp_path / "commitment.json")
    )
    assert "a case's evidence" in str(what_it_is(tmp_path / "evidence.json"))
    assert str(what_it_is(tmp_path)).startswith("a case: `reue verify`")
    (tmp_path / "evidence.json").write_bytes(b"PNG")
    assert what_it_is(tmp_path / "evidence.json") is None


def test_what_is_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("a key")
    (tmp_path / "half.sqlite").write_bytes(b"SQLite format 3\0" + bytes(90))
    (tmp_path / "half.zip").write_bytes(b"PK\5\6" + bytes(18))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    for path in (tmp_path, *tmp_path.iterdir(), tmp_path / "none"):
        assert what_it_is(path) is None, path
