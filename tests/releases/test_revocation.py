"""Revoking a recipient: in the ledger, and in the folders that are here."""

from collections.abc import Callable
from pathlib import Path

import pytest

import fiftyone_reue as reue
from fiftyone_reue.errors import InputError, RevokedKeyError
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.revocation import revoke
from fiftyone_reue.vault.vault import Vault

pytestmark = pytest.mark.unit


def test_it_is_noted_in_the_ledger_and_in_the_folder(
    vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]
) -> None:
    source = write_folder(tmp_path / "source", classes=2, each=2)
    out = tmp_path / "copies"
    reue.protect(source, out, vault=vault, recipient="alice", method="lsp")
    recipient, marked = revoke(vault, "alice")
    assert recipient.revoked_at == vault.recipient("alice").revoked_at is not None
    assert marked == [out / manifest.NAME]
    key = vault.recipient_key(recipient)
    with pytest.raises(RevokedKeyError):
        reue.restore(out, tmp_path / "licensed", key=key)
    assert reue.revoke_recipient("alice", vault=vault) == recipient


def test_nobody_can_not_be_revoked(vault: Vault) -> None:
    with pytest.raises(InputError, match="'nobody'"):
        revoke(vault, "nobody")
