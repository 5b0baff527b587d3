"""The few cryptographic operations that everything else is built from.

Nothing here is home-made: HKDF, ChaCha20 and ChaCha20-Poly1305 come from
`cryptography`. What is added is a fixed, unambiguous way to name what a derived key
is for, and a key commitment, so that a wrong key and an edited blob can be told
apart and one blob can't be opened by two keys.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fiftyone_reue.errors import DamagedRecordError, WrongKeyError

KEY_SIZE = 32
COMMITMENT_SIZE = 16
NONCE_SIZE = 12
TAG_SIZE = 16
SEAL_OVERHEAD = COMMITMENT_SIZE + NONCE_SIZE + TAG_SIZE

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


def seal(key: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
    """Encrypts and authenticates.

    Args:
        key: at least 16 random bytes
        plaintext: any bytes
        aad: bytes that are authenticated, but not contained in the result

    Returns:
        ``SEAL_OVERHEAD`` (44) bytes more than the plaintext: a commitment to the
        key, a random nonce, and the ciphertext with its tag
    """
    cipher_key, commitment = _cipher_key(key)
    nonce = os.urandom(NONCE_SIZE)
    ciphertext = ChaCha20Poly1305(cipher_key).encrypt(nonce, plaintext, aad)
    return commitment + nonce + ciphertext


def open_sealed(key: bytes, blob: bytes, aad: bytes = b"") -> bytes:
    """Gives back what :func:`seal` was given.

    Raises:
        WrongKeyError: if the blob was sealed with another key
        DamagedRecordError: if it was edited or cut short, or belongs to other `aad`
    """
    if len(blob) < SEAL_OVERHEAD:
        raise DamagedRecordError(
            f"A sealed block was cut short: {len(blob)} bytes, at least "
            f"{SEAL_OVERHEAD} are needed"
        )
    cipher_key, commitment = _cipher_key(key)
    if not hmac.compare_digest(commitment, blob[:COMMITMENT_SIZE]):
        raise WrongKeyError("The key offered isn't the one that this was sealed with")
    nonce = blob[COMMITMENT_SIZE : COMMITMENT_SIZE + NONCE_SIZE]
    ciphertext = blob[COMMITMENT_SIZE + NONCE_SIZE :]
    try:
        return ChaCha20Poly1305(cipher_key).decrypt(nonce, ciphertext, aad)
    except InvalidTag:
        raise DamagedRecordError(
            "A sealed block was edited, or belongs to something else"
        ) from None


def _cipher_key(key: bytes) -> tuple[bytes, bytes]:
    # The commitment depends on the key alone, so that an edit anywhere behind it is
    # reported as an edit and not as a wrong key.
    both = derive(key, "seal", length=KEY_SIZE + COMMITMENT_SIZE)
    return both[:KEY_SIZE], both[KEY_SIZE:]


def key_id(key: bytes) -> str:
    """Names a key without telling anything about it: 16 hex digits, publishable."""
    return derive(key, "key-id", length=8).hex()


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
