"""The few cryptographic operations that everything else is built from.

Nothing here is home-made: ChaCha20-Poly1305 comes from `cryptography`. What is added
is a key commitment, so that a wrong key and an edited blob can be told apart and one
blob can't be opened by two keys.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fiftyone_reue.errors import DamagedRecordError, WrongKeyError
from fiftyone_reue.prf import KEY_SIZE, derive

COMMITMENT_SIZE = 16
NONCE_SIZE = 12
TAG_SIZE = 16
SEAL_OVERHEAD = COMMITMENT_SIZE + NONCE_SIZE + TAG_SIZE


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
