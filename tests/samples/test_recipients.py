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


def test_the_name_shown_is_taken_where_the_own_is(
    vault: Any, dataset: Any, protect: Any, tmp_path: Path
) -> None:
    reue.rename_recipient("bob", "Bob Example", vault=vault)
    for name in ("bob", "Bob Example", "bob  example", "Bob Example (bob)"):
        assert vault.recipient(name).name == "bob"
    made = protect(dataset[:2], "Bob Example", output_dir=None)
    assert (made.release, made.recipient) == ("bob_1", "bob")
    assert Path(made.output_dir).name == "bob"
    reue.restore_samples(
        dataset[:2],
        output_dir=tmp_path / "back",
        recipient="Bob Example",
        vault=vault,
        progress=False,
    )
    reue.write_recipient_key("Bob Example", tmp_path / "again.key", vault=vault)
    assert reue.revoke_recipient("Bob Example", vault=vault).name == "bob"
    # Somebody's own name comes first: an older version added whom bob is shown as.
    vault._add("Bob Example")
    assert vault.recipient("Bob Example").name == "Bob Example"
    with pytest.raises(InputError, match="no recipient 'Bob'; known are: alice, bob"):
        vault.recipient("Bob")


def test_what_two_are_shown_as_is_asked_back(
    vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No version shows two by one name; a ledger that was put together may."""
    both = {vault.recipient(name).id: "Example Ltd" for name in ("alice", "bob")}
    monkeypatch.setattr(vault, "names_shown", lambda: both)
    with pytest.raises(InputError, match="say which of alice, bob"):
        vault.recipient("example ltd")
    assert vault.recipient("Example Ltd (bob)").name == "bob"


def test_who_is_revoked_stays_so_and_nothing_is_written_again(
    vault: Any, dataset: Any, protect: Any
) -> None:
    from fiftyone_reue.releases.revocation import revoke
    from fiftyone_reue.vault.recipient_events import list_events

    made = protect(dataset[:2])
    first = revoke(vault, "alice")
    manifest = Path(made.output_dir) / "manifest.json"
    before, events = manifest.stat(), list_events(vault)
    again = revoke(vault, "alice")
    assert (first.since, again.since) == (None, first.recipient.revoked_at)
    assert again.recipient == first.recipient
    assert again.sentences("Al")[0].startswith("Al is revoked already, since 20")
    assert "marked" not in again.sentences("Al")[0]
    assert (again.manifests, list_events(vault)) == ([], events)
    assert manifest.stat().st_mtime_ns == before.st_mtime_ns
    reue.reinstate_recipient("alice", vault=vault)
    events = list_events(vault)
    with pytest.raises(InputError, match="alice isn't revoked"):
        reue.reinstate_recipient("alice", vault=vault)
    assert list_events(vault) == events
