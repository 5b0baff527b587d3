"""Recipients' keys, as files that can be mailed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from fiftyone_reue import prf
from fiftyone_reue.errors import (
    DamagedRecordError,
    InputError,
    OutputError,
    WrongKeyError,
)
from fiftyone_reue.vault import crypto, identities
from fiftyone_reue.vault.armour import Armour, decode, encode
from fiftyone_reue.vault.passphrases import (
    DEFAULT_N,
    LEAST_N_VARIABLE,
    Ask,
    ScryptParameters,
    WeakScryptError,
    chosen,
    spoken,
)
from fiftyone_reue.vault.private_files import write_private
from fiftyone_reue.vault.small_files import read_small

KIND = "RECIPIENT"

_NO_PASSPHRASE = "none"


@dataclass(frozen=True)
class RecipientKey:
    """What a recipient needs to restore licensed copies.

    `key` is 32 secret bytes; `key_id` names it without telling anything about it.
    """

    name: str
    vault_id: str
    recipient_id: str
    key_id: str
    key: bytes = field(repr=False)

    def to_text(
        self, passphrase: str | Ask | None = None, *, scrypt_n: int = DEFAULT_N
    ) -> str:
        """The key file's text.

        Args:
            passphrase: seals the key; send it by another way than the file
            scrypt_n: cost of trying a passphrase, a power of two from 2^17 to 2^20

        Raises:
            InputError: if the passphrase is empty
            ValueError: if `scrypt_n` is out of range
        """
        headers = {
            "Recipient": self.name,
            "Recipient-Id": self.recipient_id,
            "Vault": self.vault_id,
            "Key-Id": self.key_id,
        }
        if passphrase is None:
            headers["Passphrase"] = _NO_PASSPHRASE
            return encode(Armour(KIND, headers, self.key))
        scrypt = ScryptParameters.new(scrypt_n)
        text = chosen(passphrase, f"Passphrase for the key of {self.name}")
        headers["Passphrase"] = "scrypt " + json.dumps(scrypt.parameters())
        sealed = crypto.seal(scrypt.key(text), self.key, self.key_id.encode())
        return encode(Armour(KIND, headers, sealed))

    @classmethod
    def from_text(
        cls,
        text: str,
        passphrase: str | Ask | None = None,
        *,
        name: str = "The key file",
    ) -> Self:
        """The key in a key file's text.

        Args:
            text: the text
            passphrase: needed if the key was sealed with one, ignored otherwise; a
                callback is called only if it is needed
            name: what to call the file in an error

        Raises:
            InputError: if it isn't a recipient's key file, is damaged, or needs a
                passphrase
            WrongKeyError: if the passphrase is wrong
        """
        armour = decode(text, name)
        _require_recipient_key(armour, name)
        try:
            headers = armour.headers
            key = _unsealed(armour, passphrase, name)
            result = cls(
                name=headers["Recipient"],
                vault_id=headers["Vault"],
                recipient_id=headers["Recipient-Id"],
                key_id=headers["Key-Id"],
                key=key,
            )
        except (KeyError, ValueError, TypeError, RecursionError, DamagedRecordError):
            raise _inconsistent(name) from None
        if len(key) != prf.KEY_SIZE or crypto.key_id(key) != result.key_id:
            raise _inconsistent(name)
        return result


def read_key_file(
    path: str | os.PathLike[str],
    passphrase: str | Ask | None = None,
    *,
    identity: str | os.PathLike[str] | None = None,
    identity_passphrase: str | Ask | None = None,
) -> RecipientKey:
    """Reads a recipient's key file; see :meth:`RecipientKey.from_text`.

    Example::

        key = reue.read_key_file("alice.key")
        print(key.name, key.key_id)

    Args:
        path: the file
        passphrase: needed if the key was sealed with one
        identity: the file of the recipient's identity, needed if the key file was
            sealed for their own key; see
            :func:`~fiftyone_reue.vault.identities.read_identities`
        identity_passphrase: needed if that file was sealed with one

    Raises:
        InputError: also if a file isn't there, can't be read or is damaged, or an
            identity is needed
        WrongKeyError: if a passphrase is wrong, or the key file was sealed for
            another identity
    """
    path = Path(path)
    data = read_small(path)
    if identities.is_sealed(data):
        text = _opened(path, data, identity, identity_passphrase)
    else:
        text = _text(data, path)
    if identities.SECRET in text:
        raise InputError(
            f"{path} is an identity where a key file is expected; give it as the "
            "identity, and the key file that you were sent as the key"
        )
    return RecipientKey.from_text(text, passphrase, name=str(path))


def write_key_file(
    path: str | os.PathLike[str],
    key: RecipientKey,
    passphrase: str | Ask | None = None,
    overwrite: bool = False,
    *,
    public_key: str | None = None,
) -> None:
    """Writes a recipient's key file with mode 0600.

    Example::

        with reue.open_vault("vault") as vault:
            _, key = vault.add_recipient("bob")
            reue.write_key_file("bob.key", key, "a passphrase that they are told")

    Args:
        path: the file
        key: what it holds
        passphrase: seals it
        overwrite: whether a file that is there may be replaced
        public_key: of the recipient's own, ``age1...``; only who has its identity can
            open the file, which may then be sent by any mail

    Raises:
        InputError: if the passphrase is empty, `public_key` isn't one, or both are
            given
        OutputError: if the file is there already and `overwrite` is False, or it
            can't be written
    """
    if public_key is not None and passphrase is not None:
        raise InputError("Seal a key file for a public key or with a passphrase")
    text = key.to_text(passphrase)
    if public_key is not None:
        text = identities.seal(text, public_key)
    try:
        write_private(Path(path), text, overwrite=overwrite)
    except FileExistsError:
        raise OutputError(
            f"{path} is there already; choose another name, or remove it first"
        ) from None


def read_text(path: Path) -> str:
    """The text of a small file.

    Raises:
        InputError: if it isn't there, can't be read, or isn't text of at most 64 KiB
    """
    return _text(read_small(path), path)


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} isn't a key file; it isn't text") from None


def _opened(
    path: Path,
    data: bytes,
    identity: str | os.PathLike[str] | None,
    identity_passphrase: str | Ask | None,
) -> str:
    """The text of a key file that was sealed for a recipient's own key."""
    if identity is None:
        raise InputError(
            f"{path} is sealed for a key of the recipient's own; give the file of "
            "your identity as well (--identity, or REUE_IDENTITY_FILE)"
        )
    mine = identities.read_identities(identity, identity_passphrase)
    return identities.open_sealed(data, mine, str(path))


def _require_recipient_key(armour: Armour, name: str) -> None:
    if armour.kind == KIND:
        return
    if armour.kind == "OWNER":
        raise InputError(
            f"{name} is an owner key where a recipient's key is expected; keep the "
            "owner key to yourself, and use the file made for the recipient"
        )
    raise InputError(f"{name} isn't a recipient's key file")


def _unsealed(armour: Armour, passphrase: str | Ask | None, name: str) -> bytes:
    protection = armour.headers["Passphrase"]
    if protection == _NO_PASSPHRASE:
        return armour.body
    if passphrase is None:
        raise InputError(
            f"{name} needs the passphrase that it was sealed with; give it"
        )
    scheme, _, parameters = protection.partition(" ")
    if scheme != "scrypt":
        raise ValueError("unknown passphrase scheme")
    scrypt = _scrypt_of(parameters, name)
    text = spoken(passphrase, f"Passphrase for {name}")
    try:
        return crypto.open_sealed(
            scrypt.key(text), armour.body, armour.headers["Key-Id"].encode()
        )
    except WrongKeyError:
        raise WrongKeyError(
            f"The passphrase for {name} is wrong; try again, or ask whoever made the "
            "file"
        ) from None


def _scrypt_of(parameters: str, name: str) -> ScryptParameters:
    try:
        return ScryptParameters.from_parameters(json.loads(parameters))
    except WeakScryptError as error:
        raise InputError(
            f"{name} can't be trusted: {error}. Ask whoever made it for a new one, or "
            f"set {LEAST_N_VARIABLE}={error.n} if you know that they chose that cost"
        ) from None
    except RecursionError:
        raise _inconsistent(name) from None


def _inconsistent(name: str) -> InputError:
    return InputError(
        f"{name} is damaged: what it says doesn't fit together; ask whoever made it "
        "for a new one"
    )
