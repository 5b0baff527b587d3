"""What the owner must know of the key is told, and confirmed for this very key."""

from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import VaultError
from fiftyone_reue.samples.owner_key import CONFIRMED

pytestmark = pytest.mark.integration


def test_it_says_where_the_key_is_and_is_confirmed_once(vault: Any) -> None:
    facts = reue.owner_key_facts()
    assert "in the variable REUE_OWNER_KEY" in facts.where
    assert "apart from this machine" in facts.backup
    assert "backup of that too" in facts.backup
    assert "no original can be restored" in facts.without
    assert (facts.warning, facts.confirmed) == (None, None)
    reue.confirm_owner_key()
    first = reue.owner_key_facts().confirmed
    assert first is not None
    reue.confirm_owner_key()
    assert reue.owner_key_facts().confirmed == first


def test_another_place_has_to_be_confirmed_anew(
    vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reue.confirm_owner_key()
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("REUE_OWNER_KEY_FILE", str(tmp_path / "owner.key"))
    facts = reue.owner_key_facts()
    assert "a file on the App's machine" in facts.where
    assert facts.warning is not None
    assert facts.confirmed is None


def test_another_key_has_to_be_confirmed_anew(
    vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reue.confirm_owner_key()
    reue.rotate_key(passphrase="a long passphrase of mine")
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("REUE_OWNER_PASSPHRASE", "a long passphrase of mine")
    facts = reue.owner_key_facts()
    assert "computed from your passphrase" in facts.where
    assert "REUE_OWNER_PASSPHRASE." in facts.where
    assert facts.confirmed is None


def test_without_a_vault_there_is_nothing_to_confirm(
    fiftyone_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    for ask in (reue.owner_key_facts, reue.confirm_owner_key):
        with pytest.raises(VaultError, match="There is no vault"):
            ask()
    assert CONFIRMED not in database.list_collection_names()


def test_what_is_noted_holds_no_secret(vault: Any) -> None:
    import fiftyone.core.odm as foo

    reue.confirm_owner_key()
    (noted,) = foo.get_db_conn()[CONFIRMED].find()
    assert noted.keys() == {"_id", "at"}
    assert "5a5a" not in repr(noted)
    assert vault.vault_id not in repr(noted)
