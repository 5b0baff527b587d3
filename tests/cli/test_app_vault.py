"""The vault in FiftyOne's database, from a terminal: its key, its ledger."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import VaultError, WrongKeyError
from fiftyone_reue.samples.vaults import require_vault
from fiftyone_reue.vault.owner_keys import KeyFile

pytestmark = pytest.mark.integration


@pytest.fixture
def database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_scrypt: None
) -> Iterator[Any]:
    """FiftyOne's, without a vault, and a folder of its own for owner keys."""
    import fiftyone.core.odm as foo

    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "fo" / "config.json"))
    found = foo.get_db_conn()
    drop(found)
    yield found
    drop(found)


def drop(database: Any) -> None:
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)


@pytest.fixture
def dataset(tmp_path: Path, write_folder: Callable[..., Path]) -> Iterator[Any]:
    import fiftyone as fo

    made = fo.Dataset.from_dir(
        str(write_folder(tmp_path / "photos", classes=2, each=6, side=48)),
        fo.types.ImageClassificationDirectoryTree,
        progress=False,
    )
    yield made
    made.delete()


def collections(database: Any) -> dict[str, list[Any]]:
    """What a backup of the ledger holds."""
    found = {
        name: list(database[name].find())
        for name in database.list_collection_names()
        if name.startswith("reue_")
    }
    return {name: rows for name, rows in found.items() if rows}


def test_the_apps_owner_key_is_rotated(
    empty: Any,
    database: Any,
    dataset: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fiftyone_reue import samples as reue

    rotate = ("keys", "rotate", "--app")
    assert "There is no vault in FiftyOne's database" in empty.fails(*rotate)

    file = tmp_path / "fo" / "reue" / "owner.key"
    reue.open_vault(plain_key_file=True)
    reue.add_recipient("alice", tmp_path / "alice.key")

    def protected(name: str) -> Any:
        return reue.protect_samples(
            dataset,
            "alice",
            name=name,
            output_dir=tmp_path / name,
            method="lsp",
            progress=False,
        )

    protected("before")
    backup = collections(database)
    old = file.read_bytes()

    monkeypatch.setenv("REUE_OWNER_PASSPHRASE_NEW", "two words")
    said = empty.ok(*rotate).stdout
    monkeypatch.delenv("REUE_OWNER_PASSPHRASE_NEW")
    assert "The owner key is now computed from the new passphrase" in said
    (kept,) = file.parent.glob("owner.key.old-*")
    assert kept.read_bytes() == old
    assert not file.exists()
    assert f"{file} was renamed to {kept}" in said

    assert "passphrase" in empty.fails("vault", "check", "--app")
    raw = {"REUE_OWNER_KEY": KeyFile(kept).load().hex()}
    with pytest.raises(WrongKeyError):
        reue.open_vault(raw)
    monkeypatch.setenv("REUE_OWNER_PASSPHRASE", "two words")
    reue.add_recipient("bob", tmp_path / "bob.key")
    protected("since")
    for name in ("before", "since"):
        assert reue.extract_folder(tmp_path / name).recipient == "alice"
        found = reue.restore_samples(
            dataset, output_dir=tmp_path / f"o_{name}", release=name, progress=False
        )
        assert (found.restored, found.failures) == (12, [])
        assert set(dataset.values("restored_filepath")) != {None}
        for sample in dataset:
            original = Path(sample.filepath).read_bytes()
            assert Path(sample.restored_filepath).read_bytes() == original
    assert empty.json("vault", "check", "--app")["ok"]

    # The old key opens an old backup, and nothing that was made since.
    since = [one.id for one in reue.open_vault().recipients()]
    sealed = reue.open_vault().recipient("bob")
    drop(database)
    for name, rows in backup.items():
        database[name].insert_many(rows)
    for path in file.parent.glob("*.counter"):
        path.unlink()
    former = reue.open_vault(raw)
    assert [one.id for one in former.recipients()] == since[:1]
    with pytest.raises(WrongKeyError):
        former.recipient_key(sealed)


def test_the_apps_key_is_swapped_where_it_is(
    empty: Any, database: Any, tmp_path: Path
) -> None:
    from fiftyone_reue import samples as reue

    file = tmp_path / "fo" / "reue" / "owner.key"
    made = reue.open_vault(plain_key_file=True)
    old = file.read_bytes()
    done = empty.json("keys", "rotate", "--app")
    assert file.read_bytes() != old
    assert list(done["renamed"]) == [str(file)]
    assert reue.open_vault().derive("x") == made.derive("x")


def test_the_apps_description_is_put_back(
    empty: Any, database: Any, tmp_path: Path
) -> None:
    from fiftyone_reue import samples as reue

    made = reue.open_vault(plain_key_file=True)
    made.add_recipient("alice")
    database["reue_meta"].delete_one({"_id": "vault"})
    assert "`reue vault repair`" in empty.fails("vault", "check", "--app")
    assert empty.json("vault", "repair", "--app") == {"vault": made.vault_id}
    assert empty.json("vault", "check", "--app")["rows"]["recipients"] == 1


@pytest.mark.parametrize("kind", ["raw", "passphrase"])
def test_what_is_remembered_of_the_apps_ledger_is_kept_whatever_its_key(
    kind: str,
    empty: Any,
    database: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fiftyone_reue import samples as reue

    name = {"raw": "REUE_OWNER_KEY", "passphrase": "REUE_OWNER_PASSPHRASE"}[kind]
    monkeypatch.setenv(name, "6d" * 32)
    made = reue.open_vault()
    backup = collections(database)
    made.add_recipient("alice")
    assert empty.json("vault", "check", "--app")["notes"] == []
    folder, memo = tmp_path / "fo" / "reue", f"{made.vault_id}.counter"
    assert {one.name for one in folder.iterdir()} == {memo, f"{memo}.lock"}
    assert folder.stat().st_mode & 0o777 == 0o700
    drop(database)
    for collection, rows in backup.items():
        database[collection].insert_many(rows)
    found = empty.json("vault", "check", "--app", status=1)
    assert "is older" in found["problems"][0]["problem"]


def test_the_apps_vault_of_a_newer_version(
    empty: Any, database: Any, tmp_path: Path
) -> None:
    from fiftyone_reue import samples as reue

    reue.open_vault(plain_key_file=True)
    ledger = reue.open_vault().ledger.raw
    ledger.put_meta({**(ledger.get_meta() or {}), "format": 3})
    for words in (("vault", "check"), ("keys", "rotate")):
        said = empty.fails(*words, "--app")
        assert "made by a newer version: update fiftyone-reue" in said
    with pytest.raises(VaultError, match="made by a newer version"):
        require_vault()  # which every form of the App calls
