"""Keys that recipients make themselves, in age's format (X25519).

A recipient keeps an identity, as ``age-keygen`` or :func:`new_identity` writes it, and
tells its public key, ``age1...``. What is sealed for that can be sent by any mail.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import time
import unicodedata
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from pyrage import x25519

from fiftyone_reue.errors import InputError, OutputError, WrongKeyError
from fiftyone_reue.vault.passphrases import Ask, chosen, composed, spoken
from fiftyone_reue.vault.private_files import write_private
from fiftyone_reue.vault.small_files import read_small

SECRET = "AGE-SECRET-KEY-1"
"""What an identity begins with."""

_BINARY = b"age-encryption.org/"
_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END = b"-----END AGE ENCRYPTED FILE-----"
_SCRYPT = re.compile(rb"^-> scrypt \S+ (\d+)$", re.MULTILINE)
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

# scrypt needs 2^10 times as many bytes: at most 1 GiB.
_LARGEST_LOG_N = 20

_OFFERED = 3
"""So many public keys are told in an error."""


def check_public_key(text: str) -> str:
    """A recipient's public key as age writes it.

    Args:
        text: ``age1`` and 58 more letters; space around them doesn't matter

    Raises:
        InputError: if it isn't an X25519 key in age's format
    """
    return str(_recipient(text))


def seal(text: str, public_key: str) -> str:
    """Seals a text for whoever holds the identity of a public key.

    Args:
        text: what only they shall read
        public_key: see :func:`check_public_key`

    Returns:
        an age file in its form for mail

    Raises:
        InputError: if it isn't a public key
    """
    sealed = pyrage.encrypt(text.encode(), [_recipient(public_key)], armored=True)
    return sealed.decode("ascii")


def is_sealed(data: bytes) -> bool:
    """Whether this is an age file, in binary or for mail."""
    return data.startswith(_BINARY) or _BEGIN in data


def open_sealed(
    data: bytes, identities: list[x25519.Identity], name: str = "The key file"
) -> str:
    """Opens what was sealed for one of these identities.

    Args:
        data: an age file, in binary or for mail; text around the latter doesn't matter
        identities: see :func:`read_identities`
        name: what to call the file in an error

    Raises:
        WrongKeyError: if it was sealed for others
        InputError: if it is damaged
    """
    try:
        return pyrage.decrypt(_bare(data, name), identities).decode("utf-8")
    except pyrage.DecryptError as error:
        if "matching key" in str(error):
            offered = ", ".join(str(one.to_public()) for one in identities[:_OFFERED])
            if len(identities) > _OFFERED:
                offered += f" and {len(identities) - _OFFERED} more"
            raise WrongKeyError(
                f"{name} was sealed for another key than yours, {offered}; use the "
                "identity that belongs to the public key that you told, or tell this "
                "one and ask for a new file"
            ) from None
        raise _damaged(name) from None
    except UnicodeDecodeError:
        raise InputError(
            f"{name} holds something else than a recipient's key; ask whoever made it "
            "for a new one"
        ) from None


def new_identity(
    path: str | os.PathLike[str], passphrase: str | Ask | None = None
) -> str:
    """Makes an identity and writes it to a file with mode 0600.

    Args:
        path: the file; must not be there yet
        passphrase: seals the file, as ``age -p`` does

    Returns:
        its public key, to be told to whoever gives out copies

    Raises:
        InputError: if the passphrase is empty
        OutputError: if the file is there already, or can't be written
    """
    path = Path(path)
    identity = x25519.Identity.generate()
    public = str(identity.to_public())
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = f"# created: {made}\n# public key: {public}\n{identity}\n"
    if passphrase is not None:
        words = composed(chosen(passphrase, "Passphrase for the identity"))
        sealed = pyrage.passphrase.encrypt(text.encode(), words, armored=True)
        text = sealed.decode("ascii")
    try:
        write_private(path, text)
    except FileExistsError:
        raise OutputError(
            f"{path} is there already; choose another name: whoever overwrites an "
            "identity can't open what was sealed for it"
        ) from None
    return public


def read_identities(
    path: str | os.PathLike[str], passphrase: str | Ask | None = None
) -> list[x25519.Identity]:
    """The identities in a file of ``age-keygen`` or :func:`new_identity`.

    Args:
        path: the file: comments, and a line for each identity
        passphrase: needed if the file was sealed with one, ignored otherwise; a
            callback is called only if it is needed

    Raises:
        InputError: if the file isn't there, holds something else or no identity, is
            damaged, or needs a passphrase
        WrongKeyError: if the passphrase is wrong
    """
    name = str(path)
    data = read_small(Path(path), "identity file")
    if is_sealed(data):
        data = _unsealed(_bare(data, name), passphrase, name)
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{name} isn't an identity file; it isn't text") from None
    if any(line.startswith("-----BEGIN REUE ") for line in lines):
        raise InputError(
            f"{name} is a key file where your identity is expected, the file with "
            f"{SECRET}... in it"
        )
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    wanted = [(n, line) for n, line in numbered if line and not line.startswith("#")]
    if not wanted:
        raise InputError(
            f"{name} holds no identity; it must have a line {SECRET}..., as "
            "age-keygen and `reue recipient identity` write it"
        )
    return [_identity(line, number, name) for number, line in wanted]


def _identity(line: str, number: int, name: str) -> x25519.Identity:
    # The line may be secret, so that no error repeats it.
    try:
        return x25519.Identity.from_str(line)
    except pyrage.IdentityError:
        pass
    if line.startswith(SECRET):
        raise InputError(
            f"{name} is damaged: line {number} isn't a whole {SECRET}...; copy the "
            "file again, unchanged"
        )
    raise InputError(
        f"{name} can't be used: line {number} isn't an X25519 identity "
        f"({SECRET}...). If age itself can, open the key file with `age --decrypt` "
        "and use what that writes"
    )


def _recipient(text: str) -> x25519.Recipient:
    text = text.strip()
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise InputError(
            "This is a secret key, which its owner must give to nobody; ask for the "
            "public one, age1..., and for a new pair"
        )
    try:
        made = x25519.Recipient.from_str(text)
        _require_good_point(str(made))
    except (pyrage.RecipientError, ValueError):
        shown = text if len(text) <= 80 else text[:80] + "..."
        raise InputError(
            f"{shown!r} isn't a public key; it must be an X25519 one of age: age1 and "
            "58 more letters, copied whole"
        ) from None
    return made


def _require_good_point(key: str) -> None:
    """Refuses points that give one shared secret with everybody."""
    letters = key.removeprefix("age1")[:52]
    bits = "".join(f"{_BECH32.index(letter):05b}" for letter in letters)[:256]
    point = X25519PublicKey.from_public_bytes(int(bits, 2).to_bytes(32, "big"))
    X25519PrivateKey.generate().exchange(point)


def _unsealed(data: bytes, passphrase: str | Ask | None, name: str) -> bytes:
    if int((_SCRYPT.search(data) or [b"", b"0"])[1][:9]) > _LARGEST_LOG_N:
        raise InputError(
            f"{name} would take too much memory to open; seal the identity anew with "
            "`age -p`"
        )
    if passphrase is None:
        raise InputError(
            f"{name} needs the passphrase that it was sealed with; give it"
        )
    words = spoken(passphrase, f"Passphrase for {name}")
    # age takes the letters in the composition in which they were typed.
    forms = (words, composed(words), unicodedata.normalize("NFD", words))
    for form in dict.fromkeys(forms):
        try:
            return pyrage.passphrase.decrypt(data, form)
        except pyrage.DecryptError as error:
            if "matching key" in str(error):
                raise InputError(
                    f"{name} is sealed, but not with a passphrase; your identity is "
                    f"the file with {SECRET}... in it"
                ) from None
    raise WrongKeyError(
        f"The passphrase for {name} is wrong, or the file is damaged; try again"
    )


def _bare(data: bytes, name: str) -> bytes:
    """An age file in binary."""
    if data.startswith(_BINARY):
        return data
    _, _, after = data.partition(_BEGIN)
    inside, end, _ = after.partition(_END)
    if not end:
        raise _damaged(name)
    try:
        return base64.b64decode(b"".join(inside.split()), validate=True)
    except (ValueError, binascii.Error):
        raise _damaged(name) from None


def _damaged(name: str) -> InputError:
    return InputError(
        f"{name} is damaged: it isn't what was sealed; copy the file again, whole and "
        "unchanged"
    )
