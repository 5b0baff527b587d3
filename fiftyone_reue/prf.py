"""Pseudo-random bytes from a key, the same on every machine.

HKDF-SHA256 and ChaCha20 come from `cryptography`. What is added is a fixed,
unambiguous way to name what a derived key is for.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_SIZE = 32

_VERSION = b"fiftyone-reue/1"
_MINIMUM_KEY_SIZE = 16


def derive(key: bytes, purpose: str, *context: str | bytes, length: int = 32) -> bytes:
    """Derives a key for one purpose from another key (HKDF-SHA256).

    Args:
        key: the key to derive from, at least 16 random bytes
        purpose: what the derived key is for, e.g. ``"recipient-wrap"``
        *context: what it is bound to, e.g. a recipient's id. Order, number, type
            (``str`` or ``bytes``) and borders of the items all matter
        length: size of the derived key in bytes, 1 to 8160. Keys of different
            lengths are unrelated

    Returns:
        ``length`` bytes

    Raises:
        ValueError: if the key is too short or the length is out of range
    """
    if len(key) < _MINIMUM_KEY_SIZE:
        raise ValueError(f"A key needs at least {_MINIMUM_KEY_SIZE} bytes")
    info = _info(purpose, context, length)
    return HKDF(SHA256(), length=length, salt=None, info=info).derive(bytes(key))


def _info(purpose: str, context: tuple[str | bytes, ...], length: int) -> bytes:
    items: list[str | bytes] = [_VERSION, purpose, *context]
    return length.to_bytes(4, "big") + b"".join(_prefixed(item) for item in items)


def _prefixed(item: str | bytes) -> bytes:
    kind, data = (b"s", item.encode()) if isinstance(item, str) else (b"b", item)
    return kind + len(data).to_bytes(8, "big") + data


def keystream(key: bytes, n: int) -> bytes:
    """Pseudo-random bytes that depend on the key alone, the same on every machine.

    Args:
        key: 32 bytes, derived for this one stream: a key used for two streams gives
            the same bytes twice
        n: number of bytes

    Returns:
        `n` bytes; a shorter stream is the beginning of a longer one

    Raises:
        ValueError: if the key isn't 32 bytes
    """
    if len(key) != KEY_SIZE:
        raise ValueError(f"A keystream's key needs {KEY_SIZE} bytes, not {len(key)}")
    return Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(n))
