"""The vault: one random key under the owner key, from which all others derive."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import secrets as random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from fiftyone_reue import prf
from fiftyone_reue.errors import (
    DamagedRecordError,
    InputError,
    OutputError,
    ReueError,
    RevokedKeyError,
    TamperedLedgerError,
    VaultError,
    WrongKeyError,
)
from fiftyone_reue.names.display import printable
from fiftyone_reue.names.filenames import is_text
from fiftyone_reue.stores.address import NO_VAULT, local
from fiftyone_reue.vault import crypto
from fiftyone_reue.vault.description import (
    FORMAT,
    UNAUTHENTICATED,
    Opened,
    check_shape,
    is_signed_with,
    opens,
    signed,
    unwrap,
    wrap,
)
from fiftyone_reue.vault.entities import Recipient
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.ledger.authenticated import AuthenticatedLedger
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.ledger.inventory import Inventory
from fiftyone_reue.vault.ledger.macs import LedgerKeys, has_mac
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger
from fiftyone_reue.vault.memo import (
    SUFFIX,
    Memo,
    MemoStore,
    Remembered,
    remembered_in,
    remembered_of,
    require_remembered,
    stores_for,
)
from fiftyone_reue.vault.owner_keys import (
    KEY_FILE_VARIABLE,
    OwnerKeyProvider,
    choose,
    planned_kind,
    resolve,
    secret,
)
from fiftyone_reue.vault.passphrases import Ask

LEDGER_NAME = "ledger.sqlite"

PUBLISHED = "(published)"
"""The recipient whose mark is in sets that are published for everybody. Nobody can be
given this name, and nobody is given its key."""

logger = logging.getLogger(__name__)

_CODE_SEED_SIZE = 16
_NAME = re.compile(r"[A-Za-z0-9._@ -]{1,64}")
_ID = re.compile(r"[0-9a-f]{16}")
RECIPIENT_EVENT = "recipient"
"""The kind of papers that say what happened to recipients."""

SHOWN_AS: Final = "shown as"
"""One of the things that happen to them."""

_RECIPIENT = "recipient-wrap"
_LOST = (
    "The ledger has lost the vault's description, without which its rows are of no "
    "use. Put the ledger back from a backup, or run `reue vault repair`, which puts "
    "back the copy of the description that is beside the owner key (with --app that of "
    "the vault in FiftyOne's database)"
)
_CHANGED_MEANWHILE = (
    "it was changed while the owner key was being replaced, or by a former owner "
    "since; put it back from a backup"
)


class Vault:
    """The keys of one owner, over a ledger.

    Make one with :meth:`create` or :meth:`open`, or in a folder with
    :func:`create_folder` or :func:`open_folder`. It may be used from several threads.
    """

    def __init__(
        self, ledger: Ledger, vault_id: str, opened: Opened, memo: Memo
    ) -> None:
        self.vault_id = vault_id
        self.memo = memo
        self._keys = opened.keys
        self._key = opened.keys[0]
        self._newest_opened = opened.keys[-1]
        self._owner_key_id = opened.id
        self._shown_id = opened.shown
        self.ledger = ledger

    def __repr__(self) -> str:
        return f"Vault({self.vault_id!r})"

    def __reduce__(self) -> str:
        raise TypeError("A vault holds a key, so it can't be pickled or copied")

    @property
    def ledger(self) -> AuthenticatedLedger:
        """The ledger, authenticated with the vault's keys."""
        return self._ledger

    @ledger.setter
    def ledger(self, ledger: Ledger) -> None:
        keys = self._ledger_keys(self._keys[-1])
        self._ledger = AuthenticatedLedger(
            _raw(ledger), self.vault_id, keys, self.memo, self._is_shut_out
        )

    def _is_shut_out(self) -> bool:
        """Whether the owner key was replaced since the vault was opened.

        Also if it was opened with the new key while that was being done.
        """
        meta = self._ledger.get_meta() or {}
        ids = {one.get("key_id") for one in meta.get("wraps", [])}
        if ids and self._owner_key_id not in ids:
            return True
        in_the_middle = self._keys[-1] != self._newest_opened
        return in_the_middle and self._is_sealed_with(self._newest_opened)

    def _is_sealed_with(self, key: bytes) -> bool:
        sealed = self._ledger.get_inventory() or b""
        return Inventory.is_sealed_with(self._ledger_keys(key), sealed)

    def _ledger_keys(self, key: bytes) -> LedgerKeys:
        return LedgerKeys.of(ledger_root(key, self.vault_id))

    @classmethod
    def create(
        cls,
        ledger: Ledger,
        provider: OwnerKeyProvider,
        *,
        vault_id: str | None = None,
        stores: Sequence[MemoStore] = (),
        ledger_name: str = "",
    ) -> Self:
        """Creates the vault of a ledger that has none.

        Args:
            ledger: an empty ledger
            provider: of the owner key
            vault_id: from :func:`new_vault_id`, if it had to be known before
            stores: where to remember the ledger's state and the description
            ledger_name: which database the ledger is in, to be remembered too

        Raises:
            VaultError: if the ledger has a vault, had one and lost its description,
                or the owner key is missing
        """
        vault_id = vault_id or new_vault_id()
        owner_key = provider.load()
        key = random.token_bytes(prf.KEY_SIZE)
        wrapped = wrap(owner_key, [key], vault_id, kind=provider.kind)
        opened = Opened([key], id=wrapped["key_id"], shown=wrapped["key_id"])
        meta = {
            "format": FORMAT,
            "vault_id": vault_id,
            "created": time.time(),
            "provider": provider.public(),
            "wraps": [wrapped],
        }
        meta = signed(meta, {opened.id: key})
        memo = Memo(vault_id, stores, ledger_name)
        with _raw(ledger).exclusive():
            require_no_vault(ledger)
            vault = cls(ledger, vault_id, opened, memo)
            vault.ledger.begin()
            vault.ledger.create_meta(meta)
        memo.keep_meta(meta)
        vault.ledger.remember()
        return vault

    @classmethod
    def open(
        cls,
        ledger: Ledger,
        provider: OwnerKeyProvider,
        *,
        folder: Path | None = None,
        ledger_name: str = "",
    ) -> Self:
        """Opens the vault of a ledger.

        A ledger of a version that didn't authenticate it is brought up to date.

        Args:
            ledger: the ledger
            provider: of the owner key
            folder: the vault's, or the one for owner keys, where it is remembered
            ledger_name: as for :meth:`create`

        Raises:
            VaultError: if there is none, its description was changed, or the owner
                key is missing
            WrongKeyError: if the owner key is another vault's
            TamperedLedgerError: if the ledger was put back from before it was
                authenticated, changed while the owner key was replaced, or exchanged
                for another vault's
        """
        meta = _existing_meta(ledger)
        owner_key = provider.load()
        opened = unwrap(meta, owner_key, provider.describe(), kind=provider.kind)
        vault_id = meta["vault_id"]
        memo = Memo(vault_id, stores_for(provider, folder), ledger_name)
        if meta["format"] != UNAUTHENTICATED:
            try:
                _require_same_vault(memo.descriptions, opened.keys, memo.found_in)
            except TamperedLedgerError:
                if ledger.get_meta() == meta:
                    raise
                # The owner key was replaced between reading both.
                return cls.open(
                    ledger, provider, folder=folder, ledger_name=ledger_name
                )
        vault = cls(ledger, vault_id, opened, memo)
        if meta["format"] == UNAUTHENTICATED:
            meta = vault._authenticate(meta, owner_key, provider.kind)
        elif not vault._end_epoch(meta, opened):
            return cls.open(ledger, provider, folder=folder, ledger_name=ledger_name)
        memo.keep_meta(meta, lambda: vault.ledger.get_meta() == meta)
        vault.ledger.remember()
        return vault

    def _authenticate(
        self, meta: dict[str, Any], owner_key: bytes, kind: str
    ) -> dict[str, Any]:
        """Brings a ledger of format 1 up to date; once, or after an interruption."""
        if self.memo.known:
            raise TamperedLedgerError(
                "The ledger was authenticated before, and now says that it never was: "
                "it was put back from an old backup, or changed without the owner "
                "key. Put the newest backup back. To start from the old ledger all "
                f"the same, remove {' and '.join(self.memo.places)} first"
            )
        copy = self._ledger.back_up()
        wrapped = wrap(owner_key, self._keys, self.vault_id, kind=kind)
        meta = {**meta, "format": FORMAT, "wraps": [wrapped]}
        meta = signed(meta, {wrapped["key_id"]: self._keys[-1]})
        with self._ledger.exclusive():
            if (self._ledger.get_meta() or {}).get("format") == UNAUTHENTICATED:
                self._ledger.authenticate()
                self._ledger.put_meta(meta)
        logger.warning(
            "The ledger of vault %s is authenticated from now on; as it was before, it "
            "is in %s",
            self.vault_id,
            copy,
        )
        meta = _existing_meta(self._ledger)
        mine = next(one for one in meta["wraps"] if opens(meta, one, owner_key))
        self._owner_key_id = self._shown_id = mine["key_id"]
        return meta

    def _end_epoch(self, meta: Mapping[str, Any], opened: Opened) -> bool:
        """Goes on where a rotation was interrupted.

        If the description has the new owner key alone, the ledger gets the newest
        epoch's MACs; as long as it has the old one too, nothing can be written until
        the rotation is run again. Whether one goes on beside this can only be told
        under the lock, where description and list fit each other.

        Returns:
            False if the description has become another one: it is to be read again.
        """
        if self._is_sealed_with(self._keys[-1]):
            return True
        in_the_middle = len(meta["wraps"]) > 1
        if in_the_middle and self._is_left_as(opened.digest):  # no need to keep it up
            self._go_back()
            return True
        with self._ledger.exclusive():
            if self._ledger.get_meta() != meta:
                return False
            if (
                self._is_sealed_with(self._keys[-1])
                or not self._is_of_the_epoch_before()
            ):
                return True  # or that is noted when it is read
            if not self._is_left_as(opened.digest):
                self._ledger.note("ledger", "", _CHANGED_MEANWHILE)
            elif in_the_middle:
                self._go_back()
            else:
                newest = self._ledger_keys(self._keys[-1])
                self._of_the_epoch_before().rekey(newest)
                self.ledger = self._ledger.raw
        return True

    def _go_back(self) -> None:
        """Use the ledger with the keys of the epoch that a rotation is to end."""
        self._keys = self._keys[:-1]
        self.ledger = self._ledger.raw

    def _is_of_the_epoch_before(self) -> bool:
        return len(self._keys) > 1 and self._is_sealed_with(self._keys[-2])

    def _of_the_epoch_before(self) -> AuthenticatedLedger:
        before = self._ledger_keys(self._keys[-2])
        return AuthenticatedLedger(self._ledger.raw, self.vault_id, before, self.memo)

    def _is_left_as(self, digest: bytes) -> bool:
        """Whether the ledger is the one that a rotation began with."""
        if not self._is_of_the_epoch_before():
            return False
        newest = self._ledger_keys(self._keys[-1])
        return self._of_the_epoch_before().digest(also=newest) == digest

    def derive(self, purpose: str, *context: str | bytes) -> bytes:
        """A 32-byte key for one purpose, the same for as long as the vault exists.

        It isn't changed by a rotation: only for what must be found again, such as
        names of images and places of marks. See :func:`prf.derive`.
        """
        return prf.derive(self._key, purpose, self.vault_id, *context)

    def derive_newest(self, purpose: str, *context: str | bytes) -> bytes:
        """The same of the present epoch, for what is made now."""
        return self.derive_all(purpose, *context)[0]

    def derive_all(self, purpose: str, *context: str | bytes) -> list[bytes]:
        """The same of every epoch, newest first, for what was made at any time."""
        return [
            prf.derive(key, purpose, self.vault_id, *context)
            for key in reversed(self._keys)
        ]

    def seal(self, purpose: str, name: str, content: bytes, aad: bytes = b"") -> bytes:
        """Encrypts for the owner, with a key of its own of the present epoch.

        Args:
            purpose: what the content is, e.g. ``"fit"``
            name: its id
            content: any bytes
            aad: see :func:`crypto.seal`
        """
        return crypto.seal(self.derive_newest(purpose, name), content, aad)

    def unseal(self, purpose: str, name: str, sealed: bytes, aad: bytes = b"") -> bytes:
        """What :meth:`seal` was given, in any epoch.

        Raises:
            WrongKeyError: if it was sealed by another vault, or as something else
            DamagedRecordError: if it was edited
        """
        *newer, oldest = self.derive_all(purpose, name)
        for key in newer:
            with contextlib.suppress(WrongKeyError):
                return crypto.open_sealed(key, sealed, aad)
        return crypto.open_sealed(oldest, sealed, aad)

    # -- recipients

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the ledger; the vault can't be used any more."""
        self.ledger.close()

    def add_recipient(self, name: str) -> tuple[Recipient, RecipientKey]:
        """Adds a recipient with a random key and a random seed of its codes.

        Args:
            name: 1 to 64 of letters, digits and ``. _ @ -`` and inner spaces

        Raises:
            InputError: if the name can't be used or is taken, also but for capitals
                and spaces, or as what somebody else is shown as
        """
        check_name(name)
        with self.ledger.exclusive():
            self._require_another_name(name)
            return self._add(name)

    def _require_another_name(self, name: str) -> None:
        """Refuse what people would take for the name of somebody else."""
        own = [one.name for one in self.recipients()]
        if name in own:
            return  # the ledger says that they are there already
        if alike := next((one for one in own if same_name(one, name)), None):
            raise InputError(
                f"There is {alike!r} already, and a verdict that names one would seem "
                "to speak of the other; choose another name"
            )
        for shown in self._shown_as(name):
            raise InputError(
                f"{shown.name} is shown as {self.names_shown()[shown.id]!r}, and a "
                "verdict that names one would seem to speak of the other; choose "
                f"another name, or show {shown.name} by another one (reue recipient "
                "rename)"
            )

    def published(self) -> Recipient:
        """Who stands for everybody where a set is published; added when first asked."""
        found = self.ledger.recipient_by_name(PUBLISHED)
        return found or self._add(PUBLISHED)[0]

    def _add(self, name: str) -> tuple[Recipient, RecipientKey]:
        key = random.token_bytes(prf.KEY_SIZE)
        recipient_id = random.token_hex(8)
        seed = random.token_bytes(_CODE_SEED_SIZE)
        recipient = Recipient(
            id=recipient_id,
            name=name,
            key_id=crypto.key_id(key),
            wrapped_key=self.seal(_RECIPIENT, recipient_id, key, b"key"),
            wrapped_code_seed=self.seal(_RECIPIENT, recipient_id, seed, b"code-seed"),
            created=time.time(),
            revoked_at=None,
        )
        self.ledger.put_recipient(recipient)
        return recipient, self._key_of(recipient, key)

    def recipients(self) -> list[Recipient]:
        """All recipients, revoked ones included, oldest first."""
        return self.ledger.recipients()

    def recipient(self, name_or_id: str) -> Recipient:
        """Finds a recipient by their own name, their id, or the name shown.

        Of the name shown, capitals and spaces don't matter; with the own name behind it
        in brackets, as forms and tables have it, it is taken too. Somebody's own name
        comes first.

        Raises:
            InputError: if there is none of this name or id, or several are shown so
        """
        # A name that was made of bytes that are no text is in no database.
        found = is_text(name_or_id) and (
            self.ledger.recipient_by_name(name_or_id)
            or self.ledger.recipient(name_or_id)
        )
        if found:
            return found
        shown = self._shown_as(name_or_id)
        if len(shown) > 1:
            names = ", ".join(sorted(one.name for one in shown))
            raise InputError(
                f"Several recipients are shown as {name_or_id!r}; say which of {names}"
            )
        if not shown:
            raise InputError(
                f"There is no recipient {name_or_id!r}; {self._known_names()}"
            )
        return shown[0]

    def names_shown(self) -> dict[str, str]:
        """The names that recipients are shown by beside their own, by their ids; see
        :mod:`fiftyone_reue.vault.recipient_events`.

        What somebody who was added since is called isn't shown any more.
        """
        events = [
            json.loads(self.unseal(RECIPIENT_EVENT, paper.id, paper.sealed))
            for paper in sorted(
                self.ledger.papers(RECIPIENT_EVENT), key=lambda one: one.id
            )
        ]
        shown = [one for one in events if one.get("what") == SHOWN_AS]
        names = {
            str(one["recipient_id"]): str(one["name"])
            for one in sorted(shown, key=lambda one: float(one["time"]))
        }
        own = {one.id: one.name for one in self.recipients()}
        return {
            key: name
            for key, name in names.items()
            if not any(same_name(other, name) for at, other in own.items() if at != key)
            and name
        }

    def _shown_as(self, name: str) -> list[Recipient]:
        """Who is shown by a name, alone or before their own in brackets."""
        if not is_text(name):
            return []
        shown = self.names_shown()
        people = [one for one in self.recipients() if one.id in shown]
        return [
            one
            for one in people
            if same_name(shown[one.id], name)
            or same_name(shown_beside(shown[one.id], one.name), name)
        ]

    def _known_names(self) -> str:
        everybody = [recipient.name for recipient in self.recipients()]
        names = [name for name in everybody if name != PUBLISHED]
        if not names:
            return "add one first"
        shown = ", ".join(names[:5])
        return f"known are: {shown}" + (", ..." if len(names) > 5 else "")

    def recipient_key(self, recipient: Recipient) -> RecipientKey:
        """The key that a recipient was given, also of a revoked one."""
        return self._key_of(recipient, self._open(recipient, "wrapped_key", b"key"))

    def key_to_send(self, recipient: Recipient) -> RecipientKey:
        """The same, to be handed out.

        Raises:
            InputError: if nobody may have it, being the key of published sets
            RevokedKeyError: if it was revoked
        """
        if recipient.name == PUBLISHED:
            raise InputError(
                "The key of published sets is for nobody: whoever has it takes the "
                "perturbation off and names no recipient. Give a recipient's own key "
                "and a licence (reue license)"
            )
        self.require_active(recipient)
        return self.recipient_key(recipient)

    def code_seed(self, recipient: Recipient) -> bytes:
        """The 16 bytes that a recipient's watermark codes derive from."""
        return self._open(recipient, "wrapped_code_seed", b"code-seed")

    def known_recipients(self) -> list[tuple[Recipient, RecipientKey, bytes]]:
        """All recipients whose rows are good, with their keys and code seeds.

        What can't be opened is left out and noted among the ledger's problems.
        """
        found = []
        for one in self.recipients():
            try:
                found.append((one, self.recipient_key(one), self.code_seed(one)))
            except ReueError as error:
                self.ledger.note_row("recipients", one, str(error))
        return found

    def _open(self, recipient: Recipient, field: str, aad: bytes) -> bytes:
        return self.unseal(_RECIPIENT, recipient.id, getattr(recipient, field), aad)

    def _key_of(self, recipient: Recipient, key: bytes) -> RecipientKey:
        return RecipientKey(
            name=recipient.name,
            vault_id=self.vault_id,
            recipient_id=recipient.id,
            key_id=recipient.key_id,
            key=key,
        )

    def revoke(self, name: str) -> Recipient:
        """Revokes a recipient's key, once: later calls change nothing.

        It ends future restores through this vault and destroys nothing, so that
        tracing and the owner's restore go on. A key file that the recipient has
        still opens files that they have.

        Raises:
            InputError: if there is no such recipient
        """
        with self.ledger.exclusive():
            recipient = self.recipient(name)
            if recipient.revoked_at is None:
                recipient = replace(recipient, revoked_at=time.time())
                self.ledger.put_recipient(recipient)
        return recipient

    def require_active(self, recipient: Recipient) -> None:
        """Checks in the ledger that a recipient's key was not revoked.

        Raises:
            RevokedKeyError: if it was
            TamperedLedgerError: if the ledger can't be trusted to know
        """
        self.ledger.require_sound()
        revoked_at = self.recipient(recipient.id).revoked_at
        if revoked_at is not None:
            day = time.strftime("%Y-%m-%d", time.gmtime(revoked_at))
            raise RevokedKeyError(
                f"The key of recipient {recipient.name!r} was revoked on {day}, so "
                "nothing more is made for them: choose somebody else, or take it back "
                f"with `reue recipient reinstate {recipient.name}`"
            )

    # -- rotation

    def rotate(
        self,
        new_provider: OwnerKeyProvider,
        install: Callable[[], object] | None = None,
    ) -> tuple[str, str]:
        """Replaces the owner key. No image, record or recipient key is touched.

        A new epoch begins: what is made from now on can't be opened with the old owner
        key, not even with an old ledger. What was made before stays as it is, and can
        be opened with both.

        The vault is first opened to both keys, then `install` puts the new one where
        it belongs, then the old one is shut out, and the ledger's MACs are made anew.
        If it is interrupted at any point, the vault opens with the key that is in
        place; rotate again to finish. Vaults that others have open must be opened
        again.

        Args:
            new_provider: of the new key, which must load before `install`
            install: e.g. swaps the key file

        Returns:
            ids of the old and the new key; of a passphrase, a random one

        Raises:
            InputError: if the new key is the old one, and no rotation is to finish
            VaultError: if the new key can't be loaded
            TamperedLedgerError: if the ledger as a whole isn't what the owner left
        """
        meta = _existing_meta(self._ledger)
        new_key = new_provider.load()
        others = [one for one in meta["wraps"] if not opens(meta, one, new_key)]
        if not others:
            raise InputError(
                "The new owner key is the one that the vault has; give another one"
            )
        # Of keys of an interrupted rotation, only those that this vault was opened
        # with can be kept: the other epoch's key isn't known.
        newest = {one["key_id"]: self._newest_of(one) for one in others}
        known = {one: key for one, key in newest.items() if key is not None}
        kept = [one for one in others if one["key_id"] in known]
        self._ledger.begin_rotation()
        keys = [*self._keys, random.token_bytes(prf.KEY_SIZE)]
        digest = self._ledger.digest()
        kind = new_provider.kind
        new_wrap = wrap(new_key, keys, self.vault_id, digest, kind=kind)
        new_id = new_wrap["key_id"]
        known[new_id] = keys[-1]
        public = new_provider.public()
        both = {**meta, "wraps": [*kept, new_wrap], "next_provider": public}
        both = signed(both, known)
        self._replace_meta(meta, both)
        if install is not None:
            install()
        meta = {**meta, "wraps": [new_wrap], "provider": public}
        meta.pop("next_provider", None)
        meta = signed(meta, known)
        self._replace_meta(both, meta)
        self.memo.keep_meta(meta, lambda: self._ledger.get_meta() == meta)
        old_id, self._shown_id = self._shown_id, new_id
        self._owner_key_id, self._keys = new_id, keys
        self._newest_opened = keys[-1]
        self._ledger.rekey(self._ledger_keys(keys[-1]))
        return old_id, new_id

    def _replace_meta(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        if self._ledger.get_meta() != before:
            raise VaultError(
                "Another process replaces the owner key at the same moment; wait until "
                "it is done, then open the vault again"
            )
        self._ledger.put_meta(after)

    def _newest_of(self, wrapped: Mapping[str, Any]) -> bytes | None:
        """The newest key that a wrap holds, as far as it is known here."""
        if wrapped["key_id"] == self._owner_key_id:
            return self._newest_opened
        epoch = int(wrapped["epoch"])
        return self._keys[epoch - 1] if epoch <= len(self._keys) else None


def ledger_root(key: bytes, vault_id: str) -> bytes:
    """What a ledger's keys derive from in the epoch of this key."""
    return prf.derive(key, "ledger-mac", vault_id)


def new_vault_id() -> str:
    """A random vault id, 16 hex digits."""
    return random.token_hex(8)


def require_no_vault(ledger: Ledger) -> None:
    """Makes sure that a ledger is empty, before a vault is created.

    Raises:
        VaultError: if there is a vault, or rows of one that lost its description
    """
    if ledger.get_meta() is not None:
        raise VaultError("There is a vault here already; open it instead")
    if ledger.has_rows():
        raise VaultError(_LOST)


def create_folder(
    folder: str | os.PathLike[str],
    *,
    passphrase: str | Ask | None = None,
    use_keyring: bool = False,
    key_file: str | os.PathLike[str] | None = None,
    plain_key_file: bool = False,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> Vault:
    """Creates a vault in a folder, with a SQLite ledger.

    The owner key comes from where it is wanted to, by an argument or a variable; see
    :func:`~fiftyone_reue.vault.owner_keys.choose`. If nothing says where, it is kept
    in the operating system's keyring, or computed from a passphrase that `ask` asks
    for. It is never written to a plain file unless that is wanted.

    Args:
        folder: made with mode 0700 if it isn't there
        passphrase: or a callback that asks for it
        use_keyring: keep the key in the operating system's keyring
        key_file: keep it in a plain file, here
        plain_key_file: keep it in a plain file, ``owner.key`` in the folder
        secrets: where to look up the variables, by default the environment
        ask: asks a person for a new passphrase if nothing else is left

    Raises:
        VaultError: if there is a vault in the folder, or no owner key is possible
        OutputError: if the folder or the key file can't be made
        InputError: if the passphrase is empty, or there are images in the folder
    """
    folder = local(folder, NO_VAULT)
    wanted: dict[str, Any] = {
        "passphrase": passphrase,
        "use_keyring": use_keyring,
        "key_file": key_file,
        "plain_key_file": plain_key_file,
        "secrets": secrets,
        "ask": ask,
    }
    if not (folder / LEDGER_NAME).exists():
        planned_kind(**wanted)  # before anything is made
        _require_no_images(folder)
    _make_private_folder(folder)
    ledger = SqliteLedger(folder / LEDGER_NAME)
    try:
        if ledger.get_meta() is not None:
            raise VaultError(
                f"There is a vault in {folder} already; use it, or choose another "
                "folder"
            )
        require_no_vault(ledger)
        _require_not_remembered(folder)
        vault_id = new_vault_id()
        provider = choose(vault_id, folder, **wanted)
        stores = stores_for(provider, folder)
        return Vault.create(ledger, provider, vault_id=vault_id, stores=stores)
    except BaseException:
        ledger.close()
        raise


def open_folder(
    folder: str | os.PathLike[str],
    *,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> Vault:
    """Opens the vault in a folder.

    Args:
        folder: the vault's folder
        secrets: where to look up the variables, by default the environment
        ask: asks a person for the passphrase if no variable has it

    Raises:
        VaultError: if there is no vault, or the owner key is missing
        WrongKeyError: if the owner key is another vault's
    """
    return open_with_provider(local(folder, NO_VAULT), secrets, ask)[0]


def open_with_provider(
    folder: Path, secrets: Mapping[str, str] | None, ask: Ask | None
) -> tuple[Vault, OwnerKeyProvider]:
    """As :func:`open_folder`, and where its owner key came from."""
    if not (folder / LEDGER_NAME).is_file():
        raise _no_vault(folder)
    ledger = SqliteLedger(folder / LEDGER_NAME)
    try:
        meta = ledger.get_meta()
        if meta is None and not ledger.has_rows():
            raise _no_vault(folder)
        meta = _existing_meta(ledger)
        require_remembered(meta["vault_id"], remembered_of(folder), folder)
        provider = resolve(meta, folder, secrets, ask)
        return Vault.open(ledger, provider, folder=folder), provider
    except BaseException:
        ledger.close()
        raise


def repair_folder(
    folder: str | os.PathLike[str],
    *,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> str:
    """Puts back what the ledger in a folder has lost: its description, or its list.

    The copies are looked for in the folder, and beside the key file that
    ``REUE_OWNER_KEY_FILE`` names. One that the owner key doesn't open is left alone. A
    list may be of before the last images and records: `reue vault check` names those
    that it doesn't know.

    Returns:
        the vault's id

    Raises:
        VaultError: if both are there and whole, or there is no copy
        WrongKeyError: if the owner key opens no copy
    """
    folder = Path(folder)
    if not (folder / LEDGER_NAME).is_file():
        raise _no_vault(folder)
    with SqliteLedger(folder / LEDGER_NAME) as ledger:
        return repair_ledger(ledger, folder, secrets=secrets, ask=ask)


def repair_ledger(
    ledger: Ledger,
    folder: Path,
    *,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
    ledger_name: str = "",
) -> str:
    """The same for any ledger.

    The description that the ledger has is left only if it is of the vault that is
    remembered of this ledger; else what is remembered takes its place.

    Args:
        ledger: the ledger
        folder: the vault's, or the one for owner keys
        secrets: where to look up the variables, by default the environment
        ask: asks a person for the passphrase if no variable has it
        ledger_name: as for :meth:`Vault.create`
    """
    secrets = os.environ if secrets is None else secrets
    named = secret(secrets, KEY_FILE_VARIABLE)
    folders = [folder, *([Path(named).parent] if named else [])]
    kept = remembered_in(folders)
    present = ledger.get_meta()
    left: tuple[dict[str, Any], list[LedgerKeys]] | None = None
    problem: ReueError | None = None
    for meta in [*([present] if present else []), *(one.meta for one in kept)]:
        if left is not None and meta == present:
            continue
        try:
            check_shape(meta)
            if meta is present:
                known = remembered_of(folder, ledger_name)
                require_remembered(meta["vault_id"], known, folder)
            provider = resolve(meta, folder, secrets, ask)
            opened = unwrap(meta, provider.load(), provider.describe())
            if meta is present:
                _require_newest(meta, opened.keys, kept, folders)
        except ReueError as error:
            problem = problem or error
            continue
        vault_id = meta["vault_id"]
        keys = [LedgerKeys.of(ledger_root(key, vault_id)) for key in opened.keys]
        # One owner key may open several vaults: the ledger is of one of them alone.
        if _is_of(ledger, keys):
            return _put_back(ledger, meta, keys, kept)
        if meta is present:
            left = meta, keys
    if left is not None:
        return _put_back(ledger, *left, kept)
    raise problem or VaultError(
        f"There is no copy of the description of this ledger in {folder}; put the "
        "ledger back from a backup"
    )


def _require_newest(
    meta: Mapping[str, Any],
    keys: Sequence[bytes],
    kept: Iterable[Remembered],
    folders: Iterable[Path],
) -> None:
    """Makes sure that a description is the remembered vault's, or a later one of it."""
    same = [one for one in kept if one.vault_id == meta["vault_id"]]
    if same and meta["format"] == UNAUTHENTICATED:
        raise TamperedLedgerError(
            "The ledger was authenticated before, and now says that it never was; put "
            "the newest backup back"
        )
    paths = [one / (meta["vault_id"] + SUFFIX) for one in folders]
    found_in = [str(path) for path in paths if path.exists()]
    _require_same_vault([one.meta for one in same], keys, found_in)


def _is_of(ledger: Ledger, keys: Sequence[LedgerKeys]) -> bool:
    """Whether a ledger has its list, or any row, from these keys."""
    sealed = ledger.get_inventory() or b""
    return any(Inventory.is_sealed_with(one, sealed) for one in keys) or any(
        has_mac(one, "recipients", row) for row in ledger.recipients() for one in keys
    )


def _put_back(
    ledger: Ledger,
    meta: dict[str, Any],
    keys: Sequence[LedgerKeys],
    kept: Iterable[Remembered],
) -> str:
    vault_id = str(meta["vault_id"])
    lists = [one.listed for one in kept if one.vault_id == vault_id]
    with ledger.exclusive():
        sealed = ledger.get_inventory() or b""
        # A rotation that isn't finished leaves the one of the epoch before.
        there = max((_counter(one, vault_id, sealed) for one in keys), default=-1)
        known = [(_counter(keys[-1], vault_id, one), one) for one in lists]
        counter, newest = max(known, default=(-1, b""))
        is_lost = ledger.get_meta() != meta
        if is_lost:
            ledger.put_meta(meta)
        if counter > there:
            ledger.put_inventory(newest)
        elif there < 0 and not is_lost:
            raise VaultError(
                "The list of the ledger's rows is lost, and no copy of it is kept "
                "beside the owner key. Put the ledger back from a backup, or take its "
                "rows for what should be there, with those that were removed before: "
                "`reue vault check --accept`"
            )
        elif not is_lost:
            raise VaultError(
                "The vault's description and its list of rows are whole; nothing was "
                "done"
            )
    return vault_id


def _counter(keys: LedgerKeys, vault_id: str, sealed: bytes) -> int:
    """Of a sealed list; -1 if it isn't one of these keys."""
    try:
        return Inventory.opened(keys, vault_id, sealed).counter
    except (DamagedRecordError, TypeError, WrongKeyError):
        return -1


def _make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(
            f"{folder} is a file; choose a folder for the vault"
        ) from None
    except OSError as error:
        raise OutputError(
            f"The vault's folder {folder} can't be made: {error.strerror}; check the "
            "path and permissions"
        ) from error


def _require_no_images(folder: Path) -> None:
    """A folder of images is copied, shared and deleted as one; a vault isn't to be."""
    from fiftyone_reue.media.codec import IMAGE_SUFFIXES

    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return  # not there, or no folder, which is said when it is to be made
    image = next((n for n in names if Path(n).suffix.lower() in IMAGE_SUFFIXES), None)
    if image is not None:
        raise InputError(
            f"{folder} has images in it ({printable(image)}): choose a folder of its "
            f"own for the vault, such as {folder.resolve().parent / 'vault'}, so that "
            "it isn't handed out with them"
        )


def _require_not_remembered(folder: Path) -> None:
    known = remembered_in([folder])
    if known:
        raise VaultError(
            f"A vault was in {folder}, and its ledger is gone: put {LEDGER_NAME} back "
            f"from a backup. For a new vault, choose another folder, or remove "
            f"{folder / (known[0].vault_id + SUFFIX)} and the old owner key"
        )


def _no_vault(folder: Path) -> VaultError:
    return VaultError(
        f"There is no vault in {folder}. Run `reue init --vault {folder}` first"
    )


def _existing_meta(ledger: Ledger) -> dict[str, Any]:
    meta = ledger.get_meta()
    if meta is None and ledger.has_rows():
        raise VaultError(_LOST)
    if meta is None:
        raise VaultError("There is no vault here yet. Create one first")
    check_shape(meta)
    return meta


def _require_same_vault(
    descriptions: Iterable[Mapping[str, Any]],
    keys: Sequence[bytes],
    found_in: Iterable[str],
) -> None:
    """Makes sure that it is the vault that was opened here before.

    Whoever writes the ledger can put a vault of their own there, under the same id, and
    lead to an owner key of theirs. The keys of the remembered one they don't have.

    Args:
        descriptions: as they are remembered of the vault with this id
        keys: that were opened
        found_in: where it is remembered, in words
    """
    if all(is_signed_with(one, keys) for one in descriptions):
        return
    raise TamperedLedgerError(
        "The ledger's vault has the id of the one that was here before, but other "
        "keys: somebody put a vault of their own in its place, or an old backup from "
        "before the owner key was replaced. Put the newest backup back; if only the "
        "description is wrong, `reue vault repair`. If you did that yourself, "
        f"remove {' and '.join(found_in)} first"
    )


def _raw(ledger: Ledger) -> Ledger:
    return ledger.raw if isinstance(ledger, AuthenticatedLedger) else ledger


def shown_beside(shown_as: str, name: str) -> str:
    """A name that somebody is shown by, and their own in brackets."""
    return f"{shown_as} ({name})"


def same_name(one: str, other: str) -> bool:
    """Whether people take two names for the same; none is that of nobody."""
    return bool(other) and _as_read(one) == _as_read(other)


def _as_read(name: str) -> str:
    return " ".join(name.casefold().split())


def check_name(name: str) -> None:
    """Checks that somebody can be called so.

    Raises:
        InputError: if not
    """
    if not _NAME.fullmatch(name) or name != name.strip():
        raise InputError(
            f"The recipient's name {name!r} can't be used; use 1 to 64 letters "
            "(a to z, A to Z), digits, and . _ @ - or inner spaces"
        )
    if _ID.fullmatch(name):
        raise InputError(
            f"The recipient's name {name!r} looks like an id; choose another one"
        )
