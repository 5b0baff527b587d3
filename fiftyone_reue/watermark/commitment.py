"""Commit to recipients, codes, images and carriers before a release leaves the house.

Merkle trees over the recipients and over the images, and one root over both, the
release, and the root that was there before. Whoever holds that root (a recipient has it
in the manifest) can be shown later, leaf by leaf, that nothing was made up since: no
recipient and no code, no image id, no place of a mark.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

HASH = 32
"""Bytes of a leaf, a node and a root."""

NOTHING = bytes(HASH)
"""The root before the first."""

_LEAF, _NODE, _ROOT = b"\x00", b"\x01", b"\x02"
_LENGTH = struct.Struct(">Q")


def leaf(recipient_id: str, code_seed: bytes) -> bytes:
    """One recipient's 32-byte leaf in the first root, which is of recipients alone."""
    hidden = hashlib.sha256(b"reue-code-seed" + code_seed).digest()
    return hashlib.sha256(b"\x00" + recipient_id.encode() + b"\x00" + hidden).digest()


def recipient_leaf(recipient_id: str, name: str, code_seed: bytes) -> bytes:
    """One recipient's 32-byte leaf; says nothing about the code.

    Args:
        recipient_id: who.
        name: as the owner calls them.
        code_seed: what their codes on all images follow from.
    """
    hidden = hashlib.sha256(b"reue-code-seed" + code_seed).digest()
    return _leaf(b"recipient", recipient_id.encode(), name.encode(), hidden)


def image_leaf(image_id: str, digest: bytes, carrier_key: bytes) -> bytes:
    """One image's 32-byte leaf; says nothing about where its marks lie.

    Args:
        image_id: which original.
        digest: of its samples.
        carrier_key: what the places of its marks follow from, see
            :func:`fiftyone_reue.watermark.patterns.carrier_key`.
    """
    hidden = hashlib.sha256(b"reue-carrier" + carrier_key).digest()
    return _leaf(b"image", image_id.encode(), digest, hidden)


@dataclass(frozen=True)
class Commitment:
    """What a root is over.

    Attributes:
        vault_id: whose.
        release_id: of which release.
        previous: the root that the release had before, 32 bytes, or NOTHING.
        recipients: leaves, sorted.
        images: leaves of the images that it adds, sorted.
    """

    vault_id: str
    release_id: str
    previous: bytes
    recipients: tuple[bytes, ...]
    images: tuple[bytes, ...]

    @property
    def statement(self) -> bytes:
        """What the root is the SHA-256 of; see :func:`statement_of`."""
        return statement_of(
            self.vault_id,
            self.release_id,
            self.previous,
            (len(self.recipients), merkle_root(self.recipients)),
            (len(self.images), merkle_root(self.images)),
        )

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return hashlib.sha256(self.statement).digest()


Tree = tuple[int, bytes]
"""How many leaves a tree has, and its root."""


def statement_of(
    vault_id: str, release_id: str, previous: bytes, recipients: Tree, images: Tree
) -> bytes:
    """What may be told of a commitment, which its root is the SHA-256 of."""
    parts = (
        b"reue-commitment-2",
        vault_id.encode(),
        release_id.encode(),
        previous,
        _LENGTH.pack(recipients[0]) + recipients[1],
        _LENGTH.pack(images[0]) + images[1],
    )
    return _ROOT + _packed(parts)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over the sorted leaves; an odd one moves up as it is.

    Returns:
        32 bytes; of no leaves, the hash of nothing.
    """
    level = sorted(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        level = _above(level)
    return level[0]


def inclusion(leaves: Sequence[bytes], one: bytes) -> list[tuple[str, bytes]]:
    """What shows that a leaf is in a tree.

    Args:
        leaves: all of them.
        one: one of them.

    Returns:
        From the bottom, on which side ("left" or "right") its neighbour is, and that.

    Raises:
        ValueError: it isn't among them.
    """
    level = sorted(leaves)
    place = bisect_left(level, one)
    if place == len(level) or level[place] != one:
        raise ValueError("the leaf isn't in the tree")
    path = []
    while len(level) > 1:
        other = place ^ 1
        if other < len(level):
            path.append(("left" if other < place else "right", level[other]))
        level, place = _above(level), place // 2
    return path


def is_included(root: bytes, one: bytes, path: Sequence[tuple[str, bytes]]) -> bool:
    """Whether a path leads from a leaf to a root."""
    node = one
    for side, other in path:
        pair = other + node if side == "left" else node + other
        node = hashlib.sha256(_NODE + pair).digest()
    return node == root


def _above(level: list[bytes]) -> list[bytes]:
    pairs = zip(level[::2], level[1::2], strict=False)
    above = [hashlib.sha256(_NODE + a + b).digest() for a, b in pairs]
    return above + (level[-1:] if len(level) % 2 else [])


def _leaf(*parts: bytes) -> bytes:
    return hashlib.sha256(_LEAF + _packed(parts)).digest()


def _packed(parts: Sequence[bytes]) -> bytes:
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)
