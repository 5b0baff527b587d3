"""The vault in FiftyOne's database, and where its key comes from."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import TamperedLedgerError, VaultError
from fiftyone_reue.samples import vaults
from fiftyone_reue.vault.owner_keys import KeyFile
from fiftyone_reue.vault.vault import Vault
from tests.keyrings import owner_keys_in

pytestmark = pytest.mark.integration


@pytest.fixture
def no_key(vault: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No vault yet, and nothing that says where its key is to be."""
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "config.json"))


@pytest.mark.usefixtures("no_key")
def test_the_first_use_writes_no_key_file_unasked(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="Set REUE_OWNER_PASSPHRASE to a passphrase"):
        reue.add_recipient("carol", tmp_path / "carol.key")
    with pytest.raises(VaultError, match="`reue app confirm manage_recipients`"):
        vaults.key_notice()
    assert vaults.open_ledger().get_meta() is None
    assert not (tmp_path / "carol.key").exists()
    assert not list(tmp_path.rglob("owner.key"))
    assert not (tmp_path / "reue").exists()


@pytest.mark.usefixtures("no_key")
def test_the_first_use_takes_the_keyring(
    memory_keyring: dict[tuple[str, str], str], tmp_path: Path
) -> None:
    with pytest.raises(VaultError, match="`reue app confirm manage_recipients`"):
        vaults.key_notice()  # nothing of a key that this wouldn't make
    said: list[str] = []
    made = reue.open_vault(on_new_key=said.append)
    assert owner_keys_in(memory_keyring) == [made.vault_id]
    assert f"keyring's entry fiftyone-reue/{made.vault_id}" in said[0]
    assert reue.open_vault(on_new_key=said.append).derive("x") == made.derive("x")
    assert len(said) == 1
    assert vaults.key_notice() is None
    # Nothing that is secret is in a file.
    kept = {path.name for path in (tmp_path / "reue").iterdir()}
    memo = f"{made.vault_id}.counter"
    assert kept == {memo, f"{memo}.lock"}


@pytest.mark.usefixtures("no_key")
def test_a_passphrase_may_be_asked_for(
    quick_scrypt: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = reue.open_vault(ask_new=lambda prompt: "two words")
    monkeypatch.setenv("REUE_OWNER_PASSPHRASE", "two words")
    assert reue.open_vault().derive("x") == made.derive("x")
    assert vaults.key_notice() is None


@pytest.mark.usefixtures("no_key")
def test_a_key_in_a_file_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = tmp_path / "named.key"
    monkeypatch.setenv("REUE_OWNER_KEY_FILE", str(named))
    reue.open_vault()
    assert "FiftyOne's server sends every file" in str(vaults.key_notice())
    assert str(tmp_path) not in str(vaults.key_notice())
    assert named.is_file()


@pytest.mark.usefixtures("no_key")
def test_a_plain_key_file_is_made_if_wanted_and_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    made = reue.open_vault(on_new_key=said.append, plain_key_file=True)
    key = tmp_path / "reue" / "owner.key"
    assert os.stat(key).st_mode & 0o777 == 0o600
    assert len(said) == 1
    assert str(key) in said[0]
    assert "FiftyOne's server sends every file" in said[0]
    assert "FiftyOne's server sends every file" in str(vaults.key_notice())
    assert reue.open_vault(on_new_key=said.append).vault_id == made.vault_id
    assert len(said) == 1
    shutil.move(key, tmp_path / "elsewhere.key")
    with pytest.raises(VaultError, match=r"owner.key is missing.*REUE_OWNER_KEY_FILE"):
        reue.open_vault()
    secrets = {"REUE_OWNER_KEY_FILE": str(tmp_path / "elsewhere.key")}
    assert reue.open_vault(secrets).vault_id == made.vault_id


def test_a_lost_description_makes_no_new_vault_and_is_put_back(
    vault: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import fiftyone.core.odm as foo

    assert reue.check_vault().problems == []
    foo.get_db_conn()["reue_meta"].delete_one({"_id": "vault"})
    with monkeypatch.context() as patch:
        patch.delenv("REUE_OWNER_KEY")
        patch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "config.json"))
        with pytest.raises(VaultError, match=r"lost.*`reue vault repair`.*--app"):
            reue.open_vault()
        assert not (tmp_path / "reue").exists()
    assert reue.repair_vault() == vault.vault_id
    assert reue.check_vault().problems == []


def test_the_declared_secrets_are_the_ones_used() -> None:
    import yaml

    manifest = Path(__file__).parents[2] / "fiftyone.yml"
    assert yaml.safe_load(manifest.read_text())["secrets"] == list(vaults.SECRETS)


def memos(tmp_path: Path) -> dict[str, str]:
    found = (tmp_path / "fo" / "reue").glob("*.counter")
    return {path.name: path.read_text() for path in found}


def test_a_database_without_its_ledger_gets_no_new_vault(
    vault: Any, tmp_path: Path
) -> None:
    """Also where every row is gone, nothing but the memo tells that one was there."""
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    with pytest.raises(VaultError, match="its ledger is gone"):
        reue.open_vault()
    assert vaults.open_ledger().get_meta() is None
    (tmp_path / "fo" / "reue" / f"{vault.vault_id}.counter").unlink()
    assert reue.open_vault().vault_id != vault.vault_id


@pytest.mark.parametrize("same_id", [True, False])
def test_a_vault_of_others_in_the_database_is_noticed(
    same_id: bool, vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the database could give the owner's programs a key of theirs."""
    import fiftyone.core.odm as foo

    before = memos(tmp_path)
    assert list(before) == [f"{vault.vault_id}.counter"]
    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    planted = KeyFile(tmp_path / "planted.key")
    planted.create()
    theirs = Vault.create(
        vaults.open_ledger(), planted, vault_id=vault.vault_id if same_id else None
    )
    theirs.add_recipient("alice")
    monkeypatch.delenv("REUE_OWNER_KEY")  # as with a key in the keyring
    with pytest.raises(
        TamperedLedgerError, match=r"a vault of their own|another vault"
    ):
        reue.open_vault()
    assert memos(tmp_path) == before
    # Another database may have another vault.
    monkeypatch.setattr(vaults, "_database", lambda: "mongodb://elsewhere/fiftyone")
    if not same_id:
        assert reue.open_vault().vault_id == theirs.vault_id


def test_an_exchanged_description_in_the_database_is_put_back(
    vault: Any, tmp_path: Path
) -> None:
    from fiftyone_reue.vault.ledger.sqlite import SqliteLedger

    planted = KeyFile(tmp_path / "planted.key")
    planted.create()
    with SqliteLedger(tmp_path / "theirs.sqlite") as ledger:
        theirs = Vault.create(ledger, planted).ledger.get_meta()
    vaults.open_ledger().put_meta(theirs or {})
    with pytest.raises(TamperedLedgerError, match="reue vault repair"):
        reue.open_vault()
    assert reue.repair_vault() == vault.vault_id
    assert reue.check_vault().problems == []


def test_which_database_it_is_of_is_remembered_through_a_rotation(
    vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for key_file in (elsewhere / "owner.key", None):
        # What is there was written by a version that didn't say it.
        for path in tmp_path.rglob("*.counter"):
            content = json.loads(path.read_text())
            assert content.pop("ledger") == vaults._database()
            path.write_text(json.dumps(content))
        reue.rotate_key(key_file=key_file)
        monkeypatch.delenv("REUE_OWNER_KEY", raising=False)
        paths = list(tmp_path.rglob("*.counter"))
        assert {path.parent for path in paths} == {elsewhere, tmp_path / "fo" / "reue"}
        for path in paths:
            assert json.loads(path.read_text())["ledger"] == vaults._database()


def test_no_password_of_the_database_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import fiftyone as fo

    uri = "mongodb://me:p@ss@db.example.org:27017/?authSource=admin"
    monkeypatch.setattr(fo.config, "database_uri", uri)
    monkeypatch.setattr(fo.config, "database_name", "photos")
    assert vaults._database() == "mongodb://db.example.org:27017/photos"
