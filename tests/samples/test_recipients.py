"""Recipients and their key files."""

import os
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.vault.identities import new_identity
from fiftyone_reue.vault.key_files import read_key_file

pytestmark = pytest.mark.integration


def test_recipients(vault: Any, tmp_path: Path) -> None:
    names = [person.name for person in reue.list_recipients()]
    assert names == ["alice", "bob"]
    key = tmp_path / "alice.key"
    assert os.stat(key).st_mode & 0o777 == 0o600
    before = key.read_bytes()
    for place, error, match in (
        (key, OutputError, "is there already"),
        (tmp_path, InputError, "is a folder"),
        (tmp_path / "none" / "c.key", OutputError, "no such folder"),
    ):
        with pytest.raises(error, match=match):
            reue.add_recipient("carol", place)
    assert key.read_bytes() == before
    assert len(reue.list_recipients()) == 2
    with pytest.raises(InputError, match="named 'bob' already"):
        reue.add_recipient("bob", tmp_path / "b2.key")
    assert not (tmp_path / "b2.key").exists()
    revoked = reue.revoke_recipient("bob")
    assert revoked.revoked_at is not None
    assert reue.list_recipients()[1].revoked_at == revoked.revoked_at


def test_a_recipient_is_shown_by_another_name_and_reinstated(vault: Any) -> None:
    renamed = reue.rename_recipient("bob", "Robert", vault=vault)
    assert (renamed.name, renamed.label) == ("bob", "Robert (bob)")
    reue.revoke_recipient("bob", vault=vault)
    back = reue.reinstate_recipient("bob", vault=vault)
    assert (back.revoked_at, back.reinstated) == (None, 1)
    alice, bob = reue.list_recipients(vault=vault)
    assert (alice.label, bob) == ("alice", back)
    # Without the key what is sealed isn't known.
    assert [person.label for person in reue.list_recipients()] == ["alice", "bob"]


def test_a_recipients_own_key_seals_the_key_file(vault: Any, tmp_path: Path) -> None:
    public = new_identity(tmp_path / "me.txt")
    path = tmp_path / "carol.key.age"
    with pytest.raises(InputError, match="isn't a public key"):
        reue.add_recipient("carol", path, public_key=public[:-1])
    with pytest.raises(InputError, match="public key or with a passphrase"):
        reue.add_recipient("carol", path, public_key=public, passphrase="two words")
    assert len(reue.list_recipients()) == 2
    added = reue.add_recipient("carol", path, public_key=public)
    key = read_key_file(path, identity=tmp_path / "me.txt")
    assert (key.name, key.key_id) == ("carol", added.key_id)


def test_a_relative_key_file_is_one_of_the_current_folder(
    vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    monkeypatch.chdir(tmp_path / "keys")
    reue.add_recipient("carol", "carol.key")
    assert (tmp_path / "keys/carol.key").is_file()
