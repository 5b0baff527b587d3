"""Revoking and reinstating a recipient: in the ledger, and in the release folders that
are here."""

from __future__ import annotations

from pathlib import Path

from fiftyone_reue.releases import manifest
from fiftyone_reue.vault import recipient_events
from fiftyone_reue.vault.entities import Recipient
from fiftyone_reue.vault.vault import Vault


def revoke(vault: Vault, name: str) -> tuple[Recipient, list[Path]]:
    """Revoke a recipient's key, and say so in the manifests of their releases.

    It stops future releases and restores. Copies that they have stay what they are.

    Args:
        vault: the owner's.
        name: whose, or the id.

    Returns:
        The recipient, and the manifests that were changed.

    Raises:
        InputError: there is no such recipient.
        OutputError: a manifest can't be written.
    """
    recipient = vault.revoke(name)
    return recipient, manifest.mark_revoked(vault, recipient)


def reinstate(vault: Vault, name: str) -> tuple[Recipient, list[Path]]:
    """Take a revocation back, in the manifests of their releases too.

    See :func:`fiftyone_reue.vault.recipient_events.reinstate`.

    Args:
        vault: the owner's.
        name: whose, or the id.

    Returns:
        The recipient, and the manifests that were changed.

    Raises:
        InputError: there is no such recipient, or they aren't revoked.
        OutputError: a manifest can't be written.
    """
    recipient = recipient_events.reinstate(vault, name)
    return recipient, manifest.mark_revoked(vault, recipient)
