"""The vault in FiftyOne's database, and where its key comes from."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import VaultError
from fiftyone_reue.samples import vaults
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
    kept = {path.suffix for path in (tmp_path / "reue").iterdir()}
    assert kept == {".counter", ".lock"}  # and no key


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
