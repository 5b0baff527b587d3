"""Code bits: what a recipient's copy of an image says.

Bits come from a pseudo-random function of the recipient's secret code seed and the
image, so that for anyone else's file they are fair coins, which is all that the
error bound of :mod:`fiftyone_reue.watermark.evidence` needs.
"""

from __future__ import annotations

import hashlib

import numpy as np


def code(code_seed: bytes, image_id: str, bit_count: int) -> np.ndarray:
    """The code of one recipient on one image.

    Args:
        code_seed: 16 to 64 secret bytes of the recipient.
        image_id: which original.
        bit_count: how many bits, a multiple of 8 up to 512.

    Returns:
        ``(bit_count,)`` int8, -1 or 1.
    """
    raw = code_bytes(code_seed, image_id, bit_count)
    return np.unpackbits(np.frombuffer(raw, np.uint8)).astype(np.int8) * 2 - 1


def code_bytes(code_seed: bytes, image_id: str, bit_count: int) -> bytes:
    """The same as packed bytes, most significant bit first."""
    digest = hashlib.blake2b(
        image_id.encode(),
        key=code_seed,
        digest_size=bit_count // 8,
        person=b"reue-code",
    )
    return digest.digest()
