"""Commit to the recipients and their codes before a release leaves the house.

A Merkle root over the recipients: published or time-stamped, it keeps anyone, the
owner included, from making up a recipient afterwards whose code fits a leak.
"""

from __future__ import annotations

import hashlib


def leaf(recipient_id: str, code_seed: bytes) -> bytes:
    """One recipient's 32-byte leaf; says nothing about the code."""
    hidden = hashlib.sha256(b"reue-code-seed" + code_seed).digest()
    return hashlib.sha256(b"\x00" + recipient_id.encode() + b"\x00" + hidden).digest()


def merkle_root(leaves: list[bytes]) -> bytes:
    """The root over the sorted leaves; an odd one moves up as it is.

    Returns:
        32 bytes; of no leaves, the hash of nothing.
    """
    level = sorted(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in pairs]
        level = above + (level[-1:] if len(level) % 2 else [])
    return level[0]
