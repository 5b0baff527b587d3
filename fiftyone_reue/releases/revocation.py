"""Revoking and reinstating a recipient: in the ledger, and in the release folders that
are here."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.names.display import count, moment
from fiftyone_reue.releases import manifest
from fiftyone_reue.stores.address import Place
from fiftyone_reue.vault import recipient_events
from fiftyone_reue.vault.entities import LICENCE_OF, Recipient
from fiftyone_reue.vault.vault import Vault


@dataclass(frozen=True)
class Revoked:
    """What revoking did.

    Attributes:
        recipient: as they are now.
        since: from when on they were revoked before, seconds since 1970, or None.
        manifests: those that say it now.
        copies: whether they were given copies.
        licences: whether they were given licences.
    """

    recipient: Recipient
    since: float | None
    manifests: list[Place]
    copies: bool
    licences: bool

    def sentences(self, name: str) -> list[str]:
        """It in words, the recipient being called so."""
        marked = count(len(self.manifests), "release folder")
        folders = f"; {marked} marked" if self.manifests else ""
        already = f"{name} is revoked already, since {moment(self.since)}"
        said = [f"{already if self.since else f'Revoked {name}'}{folders}."]
        if self.copies:
            said.append(
                "Copies that they have already, and what they restored, stay readable."
            )
        if self.licences:
            said.append(
                "A licence that they hold still opens what was published before, and "
                "what they restored stays readable."
            )
        return said


@dataclass(frozen=True)
class Reinstated:
    """What taking a revocation back did.

    Attributes:
        recipient: as they are now.
        manifests: those out of which the notice was taken.
        copies: whether they were given copies.
        licences: whether they were given licences.
    """

    recipient: Recipient
    manifests: list[Place]
    copies: bool
    licences: bool

    def sentences(self, name: str) -> list[str]:
        """It in words, the recipient being called so."""
        folders = count(len(self.manifests), "release folder")
        taken = f"; the notice was taken out of {folders}" if self.manifests else ""
        said = [f"Reinstated {name}{taken}."]
        if self.copies:
            said.append(
                "Folders that were copied, moved or handed out with the notice keep "
                "it, and nothing is restored from them: put the manifest.json that is "
                "in the release's folder now in place of theirs."
            )
        if self.licences:
            said.append("What was published meanwhile takes a new licence.")
        return said


def revoke(vault: Vault, name: str) -> Revoked:
    """Revoke a recipient's key, and say so in the manifests of their releases.

    It stops future releases and restores. Copies that they have stay what they are.

    Args:
        vault: the owner's.
        name: whose, or the id.

    Raises:
        InputError: there is no such recipient.
        OutputError: a manifest can't be written.
    """
    since = vault.recipient(name).revoked_at
    recipient = vault.revoke(name)
    manifests = manifest.mark_revoked(vault, recipient)
    return Revoked(recipient, since, manifests, *_given(vault, recipient))


def reinstate(vault: Vault, name: str) -> Reinstated:
    """Take a revocation back, in the manifests of their releases too.

    See :func:`fiftyone_reue.vault.recipient_events.reinstate`.

    Args:
        vault: the owner's.
        name: whose, or the id.

    Raises:
        InputError: there is no such recipient, or they aren't revoked.
        OutputError: a manifest can't be written.
    """
    recipient = recipient_events.reinstate(vault, name)
    manifests = manifest.mark_revoked(vault, recipient)
    return Reinstated(recipient, manifests, *_given(vault, recipient))


def _given(vault: Vault, recipient: Recipient) -> tuple[bool, bool]:
    """Whether somebody was given copies, and whether licences."""
    releases = vault.ledger.releases(recipient.id)
    licences = [one for one in releases if LICENCE_OF in one.parameters]
    return len(licences) < len(releases), bool(licences)
