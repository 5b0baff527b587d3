"""Turning a passphrase into a key, slowly (scrypt)."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from fiftyone_reue.errors import InputError

Ask = Callable[[str], str]
"""Asks a person: takes the prompt, gives back the passphrase."""

DEFAULT_N = 2**17

# A crafted file must not make the reader allocate any amount of memory: scrypt needs
# 128 * n * r bytes, here at most 1 GiB.
_LARGEST_N = 2**20
_LARGEST_R = 8
_LARGEST_P = 4
_SALT_SIZE = 16


@dataclass(frozen=True)
class Stretch:
    """scrypt's public parameters.

    Raises:
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
        if not (1 <= self.r <= _LARGEST_R and 1 <= self.p <= _LARGEST_P):
            raise ValueError("scrypt's r must be 1 to 8, its p 1 to 4")
        if not 8 <= len(self.salt) <= 64:
            raise ValueError("scrypt's salt must have 8 to 64 bytes")

    @classmethod
    def new(cls, n: int = DEFAULT_N) -> Self:
        """Parameters with a random salt."""
        return cls(os.urandom(_SALT_SIZE), n)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`parameters`.

        Raises:
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

    def parameters(self) -> dict[str, Any]:
        """The public parameters as plain values."""
        return {"salt": self.salt.hex(), "n": self.n, "r": self.r, "p": self.p}

    def key(self, passphrase: str) -> bytes:
        """32 bytes. Takes about half a second and 128 MB with the default `n`.

        Raises:
            InputError: if the passphrase is empty
        """
        if not passphrase:
            raise InputError("The passphrase is empty; choose one of several words")
        # The same letters typed on another system may come in another composition.
        text = unicodedata.normalize("NFC", passphrase).encode()
        return Scrypt(salt=self.salt, length=32, n=self.n, r=self.r, p=self.p).derive(
            text
        )


def spoken(passphrase: str | Ask, prompt: str) -> str:
    """The passphrase itself, asked for if it was given as a callback."""
    return passphrase if isinstance(passphrase, str) else passphrase(prompt)
