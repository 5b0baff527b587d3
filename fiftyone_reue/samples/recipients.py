"""Who is given copies."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.releases.revocation import reinstate, revoke
from fiftyone_reue.samples.vaults import open_ledger, open_vault
from fiftyone_reue.vault.entities import Recipient
from fiftyone_reue.vault.identities import check_public_key
from fiftyone_reue.vault.key_files import write_key_file
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.passphrases import chosen
from fiftyone_reue.vault.recipient_events import list_events, rename
from fiftyone_reue.vault.vault import PUBLISHED, Vault, shown_beside


@dataclass(frozen=True)
class RecipientInfo:
    """What may be shown of a recipient.

    Attributes:
        name: as given; bound in what they are given.
        key_id: names the key, tells nothing about it.
        created: seconds since 1970.
        revoked_at: seconds since 1970, or None.
        releases: how many copies were made for them.
        shown_as: the name that they are shown by beside their own, if there is one and
            the vault was open.
        reinstated: how often a revocation was taken back; likewise.
    """

    name: str
    key_id: str
    created: float
    revoked_at: float | None
    releases: int
    shown_as: str = ""
    reinstated: int = 0

    @property
    def label(self) -> str:
        """What to call them: the name shown, if there is one, and their own."""
        return shown_beside(self.shown_as, self.name) if self.shown_as else self.name


def list_recipients(
    ledger: Ledger | None = None, *, vault: Vault | None = None
) -> list[RecipientInfo]:
    """All recipients, oldest first; no key is needed. Published sets have none.

    Example::

        print([recipient.name for recipient in reue.list_recipients()])

    Args:
        ledger: by default the one in FiftyOne's database.
        vault: an open one: its recipients, and the names that they are shown by and
            what happened to them, which are sealed.
    """
    ledger = vault.ledger if vault is not None else ledger or open_ledger()
    events = list_events(vault) if vault is not None else []
    names = vault.names_shown() if vault is not None else {}
    back = Counter(one.recipient_id for one in events if one.what == "reinstated")
    releases = ledger.releases()
    return [
        RecipientInfo(
            name=person.name,
            key_id=person.key_id,
            created=person.created,
            revoked_at=person.revoked_at,
            releases=sum(r.recipient_id == person.id for r in releases),
            shown_as=names.get(person.id, ""),
            reinstated=back[person.id],
        )
        for person in ledger.recipients()
        if person.name != PUBLISHED
    ]


def add_recipient(
    name: str,
    key_out: str | os.PathLike[str],
    *,
    passphrase: str | None = None,
    public_key: str | None = None,
    vault: Vault | None = None,
) -> RecipientInfo:
    """Add a recipient and write the key file to send them.

    Example::

        reue.add_recipient("bob", "bob.key")

    Args:
        name: 1 to 64 letters, digits and ``. _ @ -`` and inner spaces.
        key_out: the key file to write, mode 0600; must not be there yet. A relative
            path is one below the current directory.
        passphrase: seals the key file.
        public_key: of the recipient's own, ``age1...``: seals the key file so that
            only who has its identity can open it.
        vault: by default the one in FiftyOne's database.

    Raises:
        InputError: the name is taken or can't be used, or the public key isn't one.
        OutputError: the key file can't be written.
    """
    path = _key_path(name, key_out, passphrase, public_key)
    vault = vault or open_vault()
    person, key = vault.add_recipient(name)
    write_key_file(path, key, passphrase, public_key=public_key)
    return RecipientInfo(person.name, person.key_id, person.created, None, 0)


def write_recipient_key(
    name: str,
    key_out: str | os.PathLike[str],
    *,
    passphrase: str | None = None,
    public_key: str | None = None,
    vault: Vault | None = None,
) -> RecipientInfo:
    """Write a recipient's key file once more, when it or their identity was lost.

    The key is the one that they had: what was handed out to them is opened as before.

    Example::

        reue.write_recipient_key("bob", "bob_again.key")

    Args:
        name: whose.
        key_out: as for :func:`add_recipient`, and so are the others.
        passphrase: seals the key file.
        public_key: seals it for who has the identity of this key.
        vault: by default the one in FiftyOne's database.

    Raises:
        InputError: there is no such recipient, or the public key isn't one.
        RevokedKeyError: their key was revoked.
        OutputError: the key file can't be written.
    """
    path = _key_path(name, key_out, passphrase, public_key)
    vault = vault or open_vault()
    person = vault.recipient(name)
    key = vault.key_to_send(person)
    write_key_file(path, key, passphrase, public_key=public_key)
    return _info(vault, person)


def revoke_recipient(name: str, *, vault: Vault | None = None) -> RecipientInfo:
    """Revoke a recipient's key, and say so in the manifests of their releases.

    It stops future releases and restores. Copies that they have stay what they are.
    Somebody who is revoked already stays so, since when they were.

    Example::

        reue.revoke_recipient("bob")

    Args:
        name: whose.
        vault: by default the one in FiftyOne's database.

    Raises:
        InputError: there is no such recipient.
    """
    vault = vault or open_vault()
    return _info(vault, revoke(vault, name).recipient)


def reinstate_recipient(name: str, *, vault: Vault | None = None) -> RecipientInfo:
    """Take a revocation back, and out of the manifests of the recipient's releases.

    The key that they had counts again; that they were revoked stays in the ledger.
    What was published meanwhile takes a new licence. If somebody else has the key by
    now, add the recipient under another name instead.

    Example::

        reue.reinstate_recipient("bob")

    Args:
        name: whose.
        vault: by default the one in FiftyOne's database.

    Raises:
        InputError: there is no such recipient, or they aren't revoked.
        OutputError: a manifest can't be written.
    """
    vault = vault or open_vault()
    return _info(vault, reinstate(vault, name).recipient)


def rename_recipient(
    name: str, shown_as: str, *, vault: Vault | None = None
) -> RecipientInfo:
    """Have a recipient shown by another name beside their own.

    Their own name is bound in the commitments of what they were given, and goes on
    being what keys, releases, evidence and every other function say.

    Example::

        reue.rename_recipient("bob", "Bob of Example Ltd")

    Args:
        name: whose: their own name, or the one shown so far.
        shown_as: the name to show; empty for their own alone.
        vault: by default the one in FiftyOne's database.

    Raises:
        InputError: there is no such recipient, or the name can't be used or is
            somebody else's.
    """
    vault = vault or open_vault()
    return _info(vault, rename(vault, name, shown_as))


def _info(vault: Vault, person: Recipient) -> RecipientInfo:
    (found,) = (one for one in list_recipients(vault=vault) if one.name == person.name)
    return found


def _key_path(
    name: str,
    key_out: str | os.PathLike[str],
    passphrase: str | None,
    public_key: str | None,
) -> Path:
    """Where a key file goes, and can be written; said before anything is done."""
    if public_key is not None:
        check_public_key(public_key)
    if public_key is not None and passphrase is not None:
        raise InputError("Seal the key file for a public key or with a passphrase")
    if passphrase is not None:
        chosen(passphrase, "")
    path = Path(key_out).expanduser().absolute()
    if path.is_dir():
        raise InputError(f"{path} is a folder; add a file name, such as {name}.key")
    if os.path.lexists(path):
        raise OutputError(f"{path} is there already; choose another name")
    if not path.parent.is_dir():
        raise OutputError(f"{path.parent}: there is no such folder; make it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path.parent}: no permission to write; choose another")
    return path
