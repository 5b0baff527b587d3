"""Revoking a recipient, in the ledger and in folders that are here; taking it back."""

from collections.abc import Callable
from pathlib import Path

import pytest

import fiftyone_reue as reue
from fiftyone_reue.errors import InputError, RevokedKeyError
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.revocation import reinstate, revoke
from fiftyone_reue.vault.vault import Vault

pytestmark = pytest.mark.unit


def test_it_is_noted_in_the_ledger_and_in_the_folder(
    vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]
) -> None:
    source = write_folder(tmp_path / "source", classes=2, each=2)
    out = tmp_path / "copies"
    reue.protect(source, out, vault=vault, recipient="alice", method="lsp")
    done = revoke(vault, "alice")
    recipient, since = done.recipient, done.recipient.revoked_at
    assert done.sentences("Al") == [
        "Revoked Al; 1 release folder marked.",
        "Copies that they have already, and what they restored, stay readable.",
    ]
    assert revoke(vault, "alice").since == since
    assert recipient.revoked_at == vault.recipient("alice").revoked_at is not None
    assert done.manifests == [out / manifest.NAME]
    key = vault.recipient_key(recipient)
    with pytest.raises(RevokedKeyError):
        reue.restore(out, tmp_path / "licensed", key=key)
    assert reue.revoke_recipient("alice", vault=vault) == recipient


@pytest.mark.slow
def test_taken_back_it_is_gone_from_the_folder_and_the_key_counts(
    vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]
) -> None:
    source = write_folder(tmp_path / "source", classes=2, each=2)
    out = tmp_path / "copies"
    reue.protect(source, out, vault=vault, recipient="alice", method="lsp")
    before = (out / manifest.NAME).read_bytes()
    revoke(vault, "alice")
    with pytest.raises(RevokedKeyError):
        reue.protect(source, out, vault=vault, recipient="alice", method="lsp")
    done = reinstate(vault, "alice")
    recipient = done.recipient
    assert done.manifests == [out / manifest.NAME]
    assert (out / manifest.NAME).read_bytes() == before
    key = vault.recipient_key(recipient)
    restored = reue.restore(out, tmp_path / "licensed", key=key)
    assert restored.outcome.done == 4
    made = reue.protect(source, out, vault=vault, recipient="alice", method="lsp")
    assert not made.outcome.failures
    with pytest.raises(InputError, match="isn't revoked"):
        reue.reinstate_recipient("alice", vault=vault)


@pytest.mark.slow
def test_what_was_published_meanwhile_takes_a_new_licence(
    vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]
) -> None:
    source, out = tmp_path / "source", tmp_path / "public"
    write_folder(source, classes=2, each=2)
    release = reue.publish(source, out, vault=vault, method="lsp").release
    old, new = tmp_path / "old.license", tmp_path / "new.license"
    reue.license("alice", old, vault=vault, release=release.name)
    reue.revoke_recipient("alice", vault=vault)
    write_folder(source, classes=2, each=4)
    reue.publish(source, out, vault=vault, method="lsp")
    person = reue.reinstate_recipient("alice", vault=vault)
    key = vault.recipient_key(person)
    mine = reue.restore(out, tmp_path / "some", key=key, license=old)
    assert len(mine.outcome.failures) > 0
    reue.license("alice", new, vault=vault, release=release.name)
    mine = reue.restore(out, tmp_path / "all", key=key, license=new)
    assert (mine.outcome.done, mine.outcome.failures) == (8, [])


def test_who_was_given_nothing_is_told_nothing_of_copies(vault: Vault) -> None:
    assert revoke(vault, "bob").sentences("bob") == ["Revoked bob."]
    assert revoke(vault, "bob").sentences("bob")[0].startswith("bob is revoked already")
    assert reinstate(vault, "bob").sentences("bob") == ["Reinstated bob."]


def test_nobody_can_not_be_revoked(vault: Vault) -> None:
    with pytest.raises(InputError, match="'nobody'"):
        revoke(vault, "nobody")
