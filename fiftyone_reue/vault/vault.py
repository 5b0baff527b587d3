"""The vault: one random key under the owner key, from which all others derive."""

from __future__ import annotations

import os
import re
import secrets as random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from fiftyone_reue import prf
from fiftyone_reue.errors import (
    InputError,
    OutputError,
    RevokedKeyError,
    VaultError,
)
from fiftyone_reue.vault import crypto, wraps
from fiftyone_reue.vault.entities import Recipient
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger
from fiftyone_reue.vault.owner_keys import (
    KEY_FILE_NAME,
    KeyFile,
    KeyringKey,
    MidRotation,
    OwnerKeyProvider,
    Passphrase,
    choose,
    planned_kind,
    resolve,
)
from fiftyone_reue.vault.stretch import Ask, spoken

FORMAT = 1
LEDGER_NAME = "ledger.sqlite"

_CODE_SEED_SIZE = 16
_NAME = re.compile(r"[A-Za-z0-9._@ -]{1,64}")
_ID = re.compile(r"[0-9a-f]{16}")


class Vault:
    """The keys of one owner, over a ledger.

    Make one with :meth:`create` or :meth:`open`, or in a folder with
    :func:`create_folder` or :func:`open_folder`. It may be used from several threads.
    """

    def __init__(self, ledger: Ledger, vault_id: str, key: bytes, owner: str) -> None:
        self.ledger = ledger
        self.vault_id = vault_id
        self._key = key
        self._owner_key_id = owner

    def __repr__(self) -> str:
        return f"Vault({self.vault_id!r})"

    def __reduce__(self) -> str:
        raise TypeError("A vault holds a key, so it can't be pickled or copied")

    @classmethod
    def create(
        cls, ledger: Ledger, provider: OwnerKeyProvider, *, vault_id: str | None = None
    ) -> Self:
        """Creates the vault of a ledger that has none.

        Args:
            ledger: an empty ledger
            provider: of the owner key
            vault_id: from :func:`new_vault_id`, if it had to be known before

        Raises:
            VaultError: if the ledger has a vault, or the owner key is missing
        """
        if ledger.get_meta() is not None:
            raise VaultError("There is a vault here already; open it instead")
        vault_id = vault_id or new_vault_id()
        owner_key = provider.load()
        key = random.token_bytes(prf.KEY_SIZE)
        wrap = wraps.wrap(provider.kind, owner_key, key, vault_id)
        ledger.create_meta(
            {
                "format": FORMAT,
                "vault_id": vault_id,
                "created": time.time(),
                "provider": provider.public(),
                "wraps": [wrap],
            }
        )
        return cls(ledger, vault_id, key, wrap["key_id"])

    @classmethod
    def open(cls, ledger: Ledger, provider: OwnerKeyProvider) -> Self:
        """Opens the vault of a ledger.

        Raises:
            VaultError: if there is none, or the owner key is missing
            WrongKeyError: if the owner key is another vault's
        """
        meta = _existing_meta(ledger)
        owner_key = provider.load()
        opened = wraps.unwrap(meta, owner_key, provider.kind, provider.describe())
        return cls(ledger, meta["vault_id"], opened.key, opened.id)

    def derive(self, purpose: str, *context: str | bytes) -> bytes:
        """A 32-byte key for one purpose; see :func:`prf.derive`."""
        return prf.derive(self._key, purpose, self.vault_id, *context)

    # -- recipients

    def add_recipient(self, name: str) -> tuple[Recipient, RecipientKey]:
        """Adds a recipient with a random key and a random seed of its codes.

        Args:
            name: 1 to 64 of letters, digits and ``. _ @ -`` and inner spaces

        Raises:
            InputError: if the name can't be used or is taken
        """
        _check_name(name)
        key = random.token_bytes(prf.KEY_SIZE)
        recipient_id = random.token_hex(8)
        wrapping_key = self.derive("recipient-wrap", recipient_id)
        recipient = Recipient(
            id=recipient_id,
            name=name,
            key_id=crypto.key_id(key),
            wrapped_key=crypto.seal(wrapping_key, key, b"key"),
            wrapped_code_seed=crypto.seal(
                wrapping_key, random.token_bytes(_CODE_SEED_SIZE), b"code-seed"
            ),
            created=time.time(),
            revoked_at=None,
        )
        self.ledger.put_recipient(recipient)
        return recipient, self._key_of(recipient, key)

    def recipients(self) -> list[Recipient]:
        """All recipients, revoked ones included, oldest first."""
        return self.ledger.recipients()

    def recipient(self, name_or_id: str) -> Recipient:
        """Finds a recipient.

        Raises:
            InputError: if there is none with this name or id
        """
        found = self.ledger.recipient_by_name(name_or_id) or self.ledger.recipient(
            name_or_id
        )
        if found is None:
            raise InputError(
                f"There is no recipient {name_or_id!r}; {self._known_names()}"
            )
        return found

    def _known_names(self) -> str:
        names = [recipient.name for recipient in self.recipients()]
        if not names:
            return "add one first"
        shown = ", ".join(names[:5])
        return f"known are: {shown}" + (", ..." if len(names) > 5 else "")

    def recipient_key(self, recipient: Recipient) -> RecipientKey:
        """The key that a recipient was given, also of a revoked one."""
        return self._key_of(recipient, self._open(recipient, "wrapped_key", b"key"))

    def code_seed(self, recipient: Recipient) -> bytes:
        """The 16 bytes that a recipient's watermark codes derive from."""
        return self._open(recipient, "wrapped_code_seed", b"code-seed")

    def _open(self, recipient: Recipient, field: str, aad: bytes) -> bytes:
        wrapping_key = self.derive("recipient-wrap", recipient.id)
        return crypto.open_sealed(wrapping_key, getattr(recipient, field), aad)

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
        recipient = self.recipient(name)
        if recipient.revoked_at is None:
            recipient = replace(recipient, revoked_at=time.time())
            self.ledger.put_recipient(recipient)
        return recipient

    def require_active(self, recipient: Recipient) -> None:
        """Checks in the ledger that a recipient's key was not revoked.

        Raises:
            RevokedKeyError: if it was
        """
        revoked_at = self.recipient(recipient.id).revoked_at
        if revoked_at is not None:
            day = time.strftime("%Y-%m-%d", time.gmtime(revoked_at))
            raise RevokedKeyError(
                f"The key of recipient {recipient.name!r} was revoked on {day}; only "
                "the owner can restore these images"
            )

    # -- rotation

    def rotate(
        self,
        new_provider: OwnerKeyProvider,
        install: Callable[[], object] | None = None,
    ) -> tuple[str, str]:
        """Replaces the owner key. No image, record or recipient key is touched.

        The vault is first opened to both keys, then `install` puts the new one where
        it belongs, then the old one is shut out. If it is interrupted at any point,
        the vault opens with the key that is in place; rotate again to finish.

        Args:
            new_provider: of the new key, which must load before `install`
            install: e.g. swaps the key file

        Returns:
            ids of the old and the new key; of a passphrase, a random one

        Raises:
            InputError: if the new key is the old one, and no rotation is to finish
            VaultError: if the new key can't be loaded
        """
        meta = _existing_meta(self.ledger)
        new_key = new_provider.load()
        others = [
            one
            for one in meta["wraps"]
            if wraps.opens(one, new_key, self.vault_id) is None
        ]
        if not others:
            raise InputError(
                "The new owner key is the one that the vault has; give another one"
            )
        new_wrap = wraps.wrap(new_provider.kind, new_key, self._key, self.vault_id)
        public = new_provider.public()
        self.ledger.put_meta(
            {**meta, "wraps": [*others, new_wrap], "next_provider": public}
        )
        if install is not None:
            install()
        meta.pop("next_provider", None)
        self.ledger.put_meta({**meta, "wraps": [new_wrap], "provider": public})
        old_id, self._owner_key_id = self._owner_key_id, new_wrap["key_id"]
        return old_id, self._owner_key_id


def new_vault_id() -> str:
    """A random vault id, 16 hex digits."""
    return random.token_hex(8)


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
        InputError: if the passphrase is empty
    """
    folder = Path(folder)
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
    _make_private_folder(folder)
    ledger = SqliteLedger(folder / LEDGER_NAME)
    try:
        if ledger.get_meta() is not None:
            raise VaultError(
                f"There is a vault in {folder} already; use it, or choose another "
                "folder"
            )
        vault_id = new_vault_id()
        provider = choose(vault_id, folder, **wanted)
        return Vault.create(ledger, provider, vault_id=vault_id)
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
    return _open_folder(Path(folder), secrets, ask)[0]


def _open_folder(
    folder: Path, secrets: Mapping[str, str] | None, ask: Ask | None
) -> tuple[Vault, OwnerKeyProvider]:
    if not (folder / LEDGER_NAME).is_file():
        raise _no_vault(folder)
    ledger = SqliteLedger(folder / LEDGER_NAME)
    try:
        meta = ledger.get_meta()
        if meta is None:
            raise _no_vault(folder)
        provider = resolve(meta, folder, secrets, ask)
        return Vault.open(ledger, provider), provider
    except BaseException:
        ledger.close()
        raise


def rotate_folder(
    folder: str | os.PathLike[str],
    *,
    passphrase: str | Ask | None = None,
    use_keyring: bool = False,
    key_file: str | os.PathLike[str] | None = None,
    plain_key_file: bool = False,
    provider: OwnerKeyProvider | None = None,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
    ask_new: Ask | None = None,
) -> tuple[str, str]:
    """Gives the vault in a folder a new owner key; see :meth:`Vault.rotate`.

    The new key comes from `provider`, a new passphrase, the keyring, a new key file at
    `key_file`, or with `plain_key_file` one in the vault's folder, in this order.
    Without any of these it is kept as the old one is: the key file is swapped, the
    keyring gets another entry, a new passphrase is asked for.

    Args:
        folder: the vault's
        passphrase: the new one, or a callback that asks for it
        use_keyring: keep the new key in the operating system's keyring
        key_file: keep it in a plain file, here
        plain_key_file: keep it in a plain file, the vault's or ``owner.key``
        provider: of the new key
        secrets: where to look up the variables, by default the environment
        ask: asks a person for the present passphrase
        ask_new: asks a person for a new passphrase

    Returns:
        ids of the old and the new key

    Raises:
        VaultError: if there is no vault, its owner key is missing, or it has to be
            said where the new one is to come from
        WrongKeyError: if the owner key is another vault's
        OutputError: if `key_file` is there already, or a key file can't be written
    """
    folder = Path(folder)
    vault, present = _open_folder(folder, secrets, ask)
    with vault.ledger:
        if provider is not None:
            return vault.rotate(provider)
        if passphrase is not None:
            return vault.rotate(Passphrase.new(passphrase))
        if use_keyring:
            return _rotate_in_keyring(vault)
        if key_file is not None:
            return vault.rotate(_free_key_file(Path(key_file)))
        if plain_key_file or isinstance(_found(present), KeyFile):
            return _swap_key_file(vault, _present_key_file(folder, present))
        if isinstance(_found(present), KeyringKey):
            return _rotate_in_keyring(vault)
        if ask_new is not None:
            return vault.rotate(Passphrase.new(spoken(ask_new, "New passphrase")))
        raise VaultError(
            "Say where the new owner key is to come from: `reue keys rotate` with "
            "--passphrase, --keyring, --key-file or --plain-key-file, or with "
            "REUE_OWNER_PASSPHRASE_NEW or REUE_OWNER_KEY_NEW set"
        )


def _found(present: OwnerKeyProvider) -> OwnerKeyProvider | None:
    return present.found if isinstance(present, MidRotation) else present


def _rotate_in_keyring(vault: Vault) -> tuple[str, str]:
    # Another account than before, so that both keys are there until the end.
    keyring_key = KeyringKey(f"{vault.vault_id}-{random.token_hex(4)}")
    keyring_key.create()
    return vault.rotate(keyring_key)


def _free_key_file(path: Path) -> KeyFile:
    provider = KeyFile(path)
    try:
        provider.create()
    except FileExistsError:
        raise OutputError(
            f"{path} is there already; choose another name for the new owner key"
        ) from None
    return provider


def _present_key_file(folder: Path, present: OwnerKeyProvider) -> KeyFile:
    found = _found(present)
    if isinstance(found, KeyFile):
        return found
    return KeyFile(folder / KEY_FILE_NAME, reference=KEY_FILE_NAME)


def _swap_key_file(vault: Vault, present: KeyFile) -> tuple[str, str]:
    staged = KeyFile(
        present.path.with_name(present.path.name + ".next"),
        reference=present.reference,
    )
    staged.create(overwrite=True)
    return vault.rotate(staged, lambda: _move_key_file(staged.path, present.path))


def _move_key_file(path: Path, final: Path) -> None:
    try:
        os.replace(path, final)
    except OSError as error:
        raise OutputError(
            f"The new owner key can't be moved to {final}: {error.strerror}; the old "
            "one is still valid"
        ) from error


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


def _no_vault(folder: Path) -> VaultError:
    return VaultError(
        f"There is no vault in {folder}. Run `reue init --vault {folder}` first"
    )


def _existing_meta(ledger: Ledger) -> dict[str, Any]:
    meta = ledger.get_meta()
    if meta is None:
        raise VaultError("There is no vault here yet. Create one first")
    if meta.get("format") != FORMAT:
        raise VaultError(
            "The vault was made by a newer version of fiftyone-reue; update it"
        )
    return meta


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name != name.strip():
        raise InputError(
            f"The recipient's name {name!r} can't be used; use 1 to 64 letters, "
            "digits, and . _ @ - or inner spaces"
        )
    if _ID.fullmatch(name):
        raise InputError(
            f"The recipient's name {name!r} looks like an id; choose another one"
        )
