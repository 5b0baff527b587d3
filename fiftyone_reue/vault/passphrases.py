"""Turning a passphrase into a key, slowly (scrypt)."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.filenames import is_text

Ask = Callable[[str], str]
"""Asks a person: takes the prompt, gives back the passphrase."""

DEFAULT_N = 2**17

LEAST_N_VARIABLE = "REUE_SCRYPT_LEAST_N"
"""Accepts less than :data:`DEFAULT_N`, from whoever once chose that on purpose."""

# Parameters are read from ledgers and files, which others may have written. Less than
# what every version has written makes guessing cheap; too much takes the memory, of
# which scrypt needs 128 * n * r bytes: here at most 1 GiB.
_LARGEST_N = 2**20
_R = 8
_LARGEST_P = 4
_SALT_SIZE = 16
_LARGEST_SALT = 64


class WeakScryptError(ValueError):
    """The cost is too low to keep a passphrase from being guessed."""

    def __init__(self, n: int) -> None:
        super().__init__(
            f"scrypt's n is {n}, which makes the passphrase cheap to guess; at least "
            f"{least_n()} is accepted"
        )
        self.n = n


@dataclass(frozen=True)
class ScryptParameters:
    """scrypt's public parameters.

    Args:
        salt: 16 to 64 bytes
        n: cost, a power of two from 2^17 (or :func:`least_n`) to 2^20
        r: 8
        p: 1 to 4

    Raises:
        WeakScryptError: if `n` is too low
        ValueError: if a parameter is out of range
    """

    salt: bytes
    n: int = DEFAULT_N
    r: int = 8
    p: int = 1

    def __post_init__(self) -> None:
        power_of_two = self.n >= 2 and self.n & (self.n - 1) == 0
        if not power_of_two or self.n > _LARGEST_N:
            raise ValueError("scrypt's n must be a power of two up to 2^20")
        if self.r != _R or not 1 <= self.p <= _LARGEST_P:
            raise ValueError("scrypt's r must be 8, its p 1 to 4")
        if not _SALT_SIZE <= len(self.salt) <= _LARGEST_SALT:
            raise ValueError("scrypt's salt must have 16 to 64 bytes")
        if self.n < least_n():
            raise WeakScryptError(self.n)

    @classmethod
    def new(cls, n: int = DEFAULT_N) -> Self:
        """Parameters with a random salt."""
        return cls(os.urandom(_SALT_SIZE), n)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`parameters`.

        Raises:
            WeakScryptError: if the cost is too low
            ValueError: if something is missing or out of range
        """
        try:
            return cls(
                bytes.fromhex(str(parameters["salt"])),
                int(parameters["n"]),
                int(parameters["r"]),
                int(parameters["p"]),
            )
        except KeyError as error:
            raise ValueError(f"scrypt's parameter {error} is missing") from None
        except (TypeError, OverflowError):
            raise ValueError("scrypt's parameters aren't numbers") from None

    def parameters(self) -> dict[str, Any]:
        """The public parameters as plain values."""
        return {"salt": self.salt.hex(), "n": self.n, "r": self.r, "p": self.p}

    def key(self, passphrase: str) -> bytes:
        """32 bytes. Takes about half a second and 128 MB with the default `n`.

        Raises:
            InputError: if the passphrase is empty or no text, or there is too little
                memory
        """
        _require_text(passphrase)
        text = composed(passphrase).encode()
        try:
            scrypt = Scrypt(salt=self.salt, length=32, n=self.n, r=self.r, p=self.p)
            return scrypt.derive(text)
        except MemoryError:
            megabytes = 128 * self.n * self.r // 2**20
            raise InputError(
                f"The passphrase can't be checked: that takes {megabytes} MiB of "
                "memory, which aren't free; close something else and try again"
            ) from None


def least_n() -> int:
    """The lowest `n` that is accepted: 2^17, or less if the environment says so.

    Raises:
        InputError: if the variable isn't a number
    """
    text = os.environ.get(LEAST_N_VARIABLE)
    if not text:
        return DEFAULT_N
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InputError(
            f"{LEAST_N_VARIABLE} must be a number such as 16384, or not be set"
        )
    return min(int(text), DEFAULT_N)


def spoken(passphrase: str | Ask, prompt: str) -> str:
    """The passphrase itself, asked for if it was given as a callback.

    Raises:
        InputError: if it is empty or no text
    """
    words = passphrase if isinstance(passphrase, str) else passphrase(prompt)
    _require_text(words)
    return words


def chosen(passphrase: str | Ask, prompt: str) -> str:
    """The same for a new passphrase, in which there must be something to see.

    Raises:
        InputError: if it is empty, no text, or all of it is invisible
    """
    words = spoken(passphrase, prompt)
    if all(unicodedata.category(one)[0] in "ZC" for one in words):
        raise InputError(
            "The passphrase has nothing but spaces or invisible characters; choose one "
            "of several words"
        )
    return words


def composed(passphrase: str) -> str:
    """The form (NFC) that a passphrase is taken in.

    The same letters typed on another system may come in another composition.
    """
    return unicodedata.normalize("NFC", passphrase)


def _require_text(passphrase: str) -> None:
    if not passphrase:
        raise InputError("The passphrase is empty; choose one of several words")
    if not is_text(passphrase):
        raise InputError(
            "The passphrase isn't UTF-8 text; set or type it anew, in UTF-8"
        )
