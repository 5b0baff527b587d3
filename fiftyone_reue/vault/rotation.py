"""Giving a vault a new owner key: where it is kept, and where the old one stays.

See :meth:`~fiftyone_reue.vault.vault.Vault.rotate` for what a rotation does to the
ledger. The file of an old key is never deleted, since backups need it: it gets
another name once the vault opens with the new key, so that nothing takes it for the
present one.
"""

from __future__ import annotations

import contextlib
import os
import secrets as random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fiftyone_reue.errors import InputError, OutputError, ReueError, VaultError
from fiftyone_reue.stores.address import NO_VAULT, local
from fiftyone_reue.vault import crypto
from fiftyone_reue.vault.description import fits
from fiftyone_reue.vault.key_files import read_text
from fiftyone_reue.vault.memo import remembered_in
from fiftyone_reue.vault.owner_keys import (
    FORMER,
    KEY_FILE_NAME,
    KEY_VARIABLE,
    PLAIN_FILE_WARNING,
    EnvironmentKey,
    KeyFile,
    KeyringKey,
    MidRotation,
    OwnerKeyProvider,
    Passphrase,
)
from fiftyone_reue.vault.passphrases import Ask, chosen
from fiftyone_reue.vault.private_files import write_private
from fiftyone_reue.vault.vault import Vault, open_with_provider

OPENED_BY_THE_OLD = (
    "The old key opens backups of the ledger from before, and with one of them the "
    "originals of copies that were made until now; nothing that is made from now on"
)
"""What a former owner key is still good for."""


@dataclass(frozen=True)
class Rotation:
    """What became of a vault's owner keys.

    Attributes:
        old_id: of the old key; of a passphrase, a random one.
        new_id: of the new one.
        plain: whether the new one is in a plain file.
        now: where the new key comes from, in words.
        before: where the old key came from, in words.
        renamed: files that hold an old key, by the name that each has now.
        left: files that hold an old key and couldn't or mustn't be renamed, and why.
    """

    old_id: str
    new_id: str
    plain: bool
    now: str
    before: str
    renamed: dict[Path, Path] = field(default_factory=dict)
    left: dict[Path, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "old_key": self.old_id,
            "new_key": self.new_id,
            "new_key_from": self.now,
            "old_key_from": self.before,
            "renamed": {str(old): str(new) for new, old in self.renamed.items()},
            "left": {str(path): why for path, why in self.left.items()},
            "old_key_opens": OPENED_BY_THE_OLD,
            "warning": PLAIN_FILE_WARNING if self.plain else None,
        }

    def notes(self) -> list[str]:
        """What the owner has to know, and to do."""
        warning = [f"Warning: {PLAIN_FILE_WARNING}."] if self.plain else []
        return [
            f"The owner key is now {self.now} ({self.new_id}), with which the vault "
            f"was opened. The old one ({self.old_id}), {self.before}, opens this vault "
            "no more.",
            f"{OPENED_BY_THE_OLD}. So make a backup of the vault now, and once you can "
            "do without older ones, destroy them and the old key.",
            *(
                f"The old key's file {old} was renamed to {new}: delete it with those "
                "backups."
                for new, old in self.renamed.items()
            ),
            *(
                f"{path} was left where it is: {why}."
                for path, why in self.left.items()
            ),
            *warning,
        ]


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
) -> Rotation:
    """Gives the vault in a folder a new owner key; see :func:`rotate_vault`.

    Args:
        folder: the vault's
        passphrase: the new key's, or a callback that asks for it
        use_keyring: keep the new key in the operating system's keyring
        key_file: keep it in a plain file, here
        plain_key_file: keep it in a plain file, the vault's
        provider: of the new key
        secrets: where to look up the variables, by default the environment
        ask: asks a person for the present passphrase
        ask_new: asks a person for a new passphrase

    Raises:
        VaultError: if there is no vault, its owner key is missing, or it has to be
            said where the new one is to come from
        WrongKeyError: if the owner key is another vault's
        OutputError: if `key_file` is there already, or a key file can't be written
        InputError: if the present key's file opens other vaults too
    """
    folder = local(folder, NO_VAULT)
    vault, present = open_with_provider(folder, secrets, ask)
    with vault.ledger:
        return rotate_vault(
            vault,
            present,
            folder,
            passphrase=passphrase,
            use_keyring=use_keyring,
            key_file=key_file,
            plain_key_file=plain_key_file,
            provider=provider,
            ask_new=ask_new,
        )


def rotate_vault(
    vault: Vault,
    present: OwnerKeyProvider,
    folder: Path,
    *,
    passphrase: str | Ask | None = None,
    use_keyring: bool = False,
    key_file: str | os.PathLike[str] | None = None,
    plain_key_file: bool = False,
    provider: OwnerKeyProvider | None = None,
    ask_new: Ask | None = None,
) -> Rotation:
    """Gives a vault a new owner key; see :meth:`Vault.rotate`.

    The new key comes from `provider`, a new passphrase, the keyring, a new key file at
    `key_file`, or with `plain_key_file` one in the folder, in this order. Without any
    of these it is kept as the old one is: the key file is swapped, the keyring gets
    another entry, a new passphrase is asked for.

    Then the vault is opened with the new key, read anew from where it is kept; and
    only then a file with the old key is renamed to ``NAME.old-ID``, unless it is the
    key of other vaults that are remembered beside it.

    Args:
        vault: as it was opened with the present key
        present: where that came from
        folder: the vault's, or the one for owner keys
        passphrase: the new one, or a callback that asks for it
        use_keyring: keep the new key in the operating system's keyring
        key_file: keep it in a plain file, here
        plain_key_file: keep it in a plain file, the vault's or ``owner.key``
        provider: of the new key
        ask_new: asks a person for a new passphrase

    Raises:
        VaultError: if it has to be said where the new key is to come from
        OutputError: if `key_file` is there already, or a key file can't be written
        InputError: if the present key's file opens other vaults too
    """
    before = dict(vault.ledger.get_meta() or {})
    found = _found(present)
    renamed: dict[Path, Path] = {}
    new: OwnerKeyProvider
    if provider is not None:
        new = provider
        ids = vault.rotate(new)
    elif passphrase is not None:
        new = Passphrase.new(chosen(passphrase, "New passphrase"))
        ids = vault.rotate(new)
    elif use_keyring:
        new, ids = _rotate_in_keyring(vault)
    elif key_file is not None:
        new = _free_key_file(Path(key_file))
        ids = vault.rotate(new)
    elif plain_key_file or isinstance(found, KeyFile):
        new = _present_key_file(folder, found)
        ids = _swap_key_file(vault, new, folder, renamed)
    elif isinstance(found, KeyringKey):
        new, ids = _rotate_in_keyring(vault)
    elif ask_new is not None:
        new = Passphrase.new(chosen(ask_new, "New passphrase"))
        ids = vault.rotate(new)
    else:
        raise VaultError(
            "Say where the new owner key is to come from: `reue keys rotate` with "
            "--passphrase, --keyring, --key-file or --plain-key-file, or with "
            "REUE_OWNER_PASSPHRASE_NEW or REUE_OWNER_KEY_NEW set"
        )
    Vault.open(vault.ledger, new, folder=folder, ledger_name=vault.memo.ledger)
    left: dict[Path, str] = {}
    for path in _former_files(before, found, folder):
        _put_away(path, before, vault, folder, renamed, left)
    old = found.describe() if found is not None else present.describe()
    plain = isinstance(new, KeyFile)
    return Rotation(*ids, plain, _now(new), old, renamed, left)


def _found(present: OwnerKeyProvider) -> OwnerKeyProvider | None:
    return present.found if isinstance(present, MidRotation) else present


def _now(provider: OwnerKeyProvider) -> str:
    if isinstance(provider, EnvironmentKey):
        return f"the new one, which you must set as {KEY_VARIABLE} from now on"
    if isinstance(provider, Passphrase):
        return "computed from the new passphrase"
    return provider.describe()


def _rotate_in_keyring(vault: Vault) -> tuple[KeyringKey, tuple[str, str]]:
    # Another account than before, so that both keys are there until the end.
    keyring_key = KeyringKey(f"{vault.vault_id}-{random.token_hex(4)}")
    keyring_key.create()
    return keyring_key, vault.rotate(keyring_key)


def _free_key_file(path: Path) -> KeyFile:
    provider = KeyFile(path)
    try:
        provider.create()
    except FileExistsError:
        raise OutputError(
            f"{path} is there already; choose another name for the new owner key"
        ) from None
    return provider


def _present_key_file(folder: Path, found: OwnerKeyProvider | None) -> KeyFile:
    if isinstance(found, KeyFile):
        return found
    return KeyFile(folder / KEY_FILE_NAME, reference=KEY_FILE_NAME)


def _swap_key_file(
    vault: Vault, present: KeyFile, folder: Path, renamed: dict[Path, Path]
) -> tuple[str, str]:
    """Rotates to a new key in the place of the present file, which is copied."""
    there = present.path.exists()
    if there:
        others = _others_of(_key_in(present.path), vault, present.path, folder)
        if others:
            raise InputError(
                f"{present.path} is the owner key of {_vaults(others)} too; give this "
                "vault a key of its own, with --passphrase, --keyring or --key-file"
            )
    staged = KeyFile(
        present.path.with_name(present.path.name + ".next"),
        reference=present.reference,
    )
    staged.create(overwrite=True)

    def install() -> None:
        if there:
            renamed[_copied(present.path)] = present.path
        _move_key_file(staged.path, present.path)

    return vault.rotate(staged, install)


def _move_key_file(path: Path, final: Path) -> None:
    try:
        os.replace(path, final)
    except OSError as error:
        raise OutputError(
            f"The new owner key can't be moved to {final}: {error.strerror}; the old "
            "one is still valid"
        ) from error


# -- the old key's file


def _former_files(
    meta: Mapping[str, Any], found: OwnerKeyProvider | None, folder: Path
) -> list[Path]:
    """Where a key file of a former owner key may be."""
    paths = [found.path] if isinstance(found, KeyFile) else []
    for name in ("provider", "next_provider"):
        public = meta.get(name) or {}
        if public.get("kind") == KeyFile.kind:
            paths.append(folder / public["path"])  # which may be absolute
    # Of a rotation that was interrupted before it came to this.
    paths.append(folder / KEY_FILE_NAME)
    return list({path.absolute(): path for path in reversed(paths)}.values())


def _put_away(
    path: Path,
    before: Mapping[str, Any],
    vault: Vault,
    folder: Path,
    renamed: dict[Path, Path],
    left: dict[Path, str],
) -> None:
    """Renames a file if it holds a former key of this vault, and notes it."""
    try:
        key = _key_in(path)
    except ReueError:
        return  # there is none, or it isn't an owner key
    if fits(vault.ledger.get_meta() or {}, key):
        return
    others = _others_of(key, vault, path, folder)
    if others:
        left[path] = f"it is the owner key of {_vaults(others)}"
        return
    if not fits(before, key):
        left[path] = (
            "it holds an owner key that opens no vault known here; delete it if it is "
            "of an earlier rotation"
        )
        return
    target = _old_name(path, key)
    try:
        os.replace(path, target)
    except OSError as error:
        left[path] = f"it can't be renamed ({error.strerror}); delete it yourself"
    else:
        renamed[target] = path


def _copied(path: Path) -> Path:
    """Copies a key file to where it is put away."""
    target = _old_name(path, _key_in(path))
    write_private(target, read_text(path), overwrite=True)
    return target


def _old_name(path: Path, key: bytes) -> Path:
    return path.with_name(f"{path.name}{FORMER}{crypto.key_id(key)}")


def _key_in(path: Path) -> bytes:
    return KeyFile(path, private=False).load()


def _others_of(key: bytes, vault: Vault, path: Path, folder: Path) -> list[str]:
    """The ids of other vaults that a key opens, as far as they are remembered."""
    folders: Iterable[Path] = dict.fromkeys([path.absolute().parent, folder.absolute()])
    others = []
    for one in remembered_in(folders):
        with contextlib.suppress(ReueError):
            if one.vault_id != vault.vault_id and fits(one.meta, key):
                others.append(one.vault_id)
    return others


def _vaults(ids: list[str]) -> str:
    return f"the vault{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
