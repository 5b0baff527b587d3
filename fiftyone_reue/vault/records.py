"""The few sealed bytes that make restoring exact.

A protected file carries an envelope of one public header and two boxes. The
recipient's box, sealed for one recipient, makes ``P -> W``; the owner's box, sealed
for the vault, makes ``W -> O``. A restored file carries the header and the owner's
box alone. A header names what the boxes belong to, the samples' digest included, and
is authenticated with them: a swapped, stale or edited record fails closed. The
recipient's box vouches for the owner's too, so that no restored file carries an
owner's box that was edited or taken from elsewhere.

Each box has a key of its own, derived from everything that its content depends on,
so that protecting the same image again gives the same bytes and no nonce is needed.

What the recipient's box holds is made and read by :mod:`fiftyone_reue.reversal`; the
header's version says how.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fiftyone_reue.errors import (
    DamagedRecordError,
    EditedImageError,
    ForeignRecordError,
    WrongKeyError,
)
from fiftyone_reue.prf import derive

MAGIC = b"REUE"
VERSION = 2
"""The newest version; all since 1 are read."""

Tier = Literal["protected", "licensed"]

_TIERS: dict[Tier, int] = {"protected": 1, "licensed": 2}
_HEADER = struct.Struct(">4sBB8s8s8s8s32s")
_LENGTH = struct.Struct(">I")
_ONE_USE_NONCE = bytes(12)
_VISIBLE = 0x80  # beside the amplitude, which is far smaller


@dataclass(frozen=True)
class Header:
    """What a record belongs to; readable by anyone.

    Attributes:
        tier: "protected" (P) or "licensed" (W).
        vault: 16 hex digits.
        release: 16 hex digits.
        sample: 16 hex digits, a keyed hash of the sample's id.
        key: the recipient's key id, 16 hex digits.
        digest: SHA-256 of the file's samples.
        version: 1 or 2: what kind of content the recipient's box holds.
    """

    tier: Tier
    vault: str
    release: str
    sample: str
    key: str
    digest: bytes
    version: int = 1

    def pack(self) -> bytes:
        """The header as bytes, which is what the boxes authenticate."""
        ids = (bytes.fromhex(part) for part in self._ids())
        tier = _TIERS[self.tier]
        return _HEADER.pack(MAGIC, self.version, tier, *ids, self.digest)

    def _ids(self) -> tuple[str, str, str, str]:
        return self.vault, self.release, self.sample, self.key


@dataclass(frozen=True)
class Envelope:
    """A record as it stands in a file: a header and sealed boxes."""

    header: Header
    recipient_box: bytes
    owner_box: bytes

    def pack(self) -> bytes:
        """The bytes that a file carries."""
        boxes = (self.recipient_box, self.owner_box)
        return self.header.pack() + b"".join(_LENGTH.pack(len(b)) + b for b in boxes)


@dataclass(frozen=True)
class RecipientPart:
    """What a recipient needs for ``P -> W``.

    Attributes:
        content: what :func:`fiftyone_reue.reversal.unpack` reads.
        digest: SHA-256 of W's samples.
    """

    content: bytes
    digest: bytes


@dataclass(frozen=True)
class OwnerPart:
    """What the owner needs for ``W -> O``, the mark itself being regenerated.

    Attributes:
        recipient_id: whose mark it is.
        image_id: which original.
        amplitude: the mark's largest value, gray levels.
        lost: rail values.
        digest: SHA-256 of O's samples.
        visible: whether the mark spares what is fully transparent.
    """

    recipient_id: str
    image_id: str
    amplitude: int
    lost: bytes
    digest: bytes
    visible: bool = False


def unpack(blob: bytes) -> Envelope:
    """Read an envelope without opening its boxes.

    Raises:
        DamagedRecordError: it is cut short, edited or of a newer version.
    """
    if len(blob) < _HEADER.size or blob[:4] != MAGIC:
        raise DamagedRecordError("The record is damaged: its header can't be read")
    _, version, tier, vault, release, sample, key, digest = _HEADER.unpack_from(blob)
    if not 1 <= version <= VERSION:
        raise DamagedRecordError(
            f"The record has version {version}, this program reads version {VERSION}; "
            "install a newer fiftyone-reue"
        )
    names = {number: name for name, number in _TIERS.items()}
    if tier not in names:
        raise DamagedRecordError("The record is damaged: its tier is unknown")
    header = Header(
        names[tier],
        vault.hex(),
        release.hex(),
        sample.hex(),
        key.hex(),
        digest,
        version,
    )
    recipient_box, place = _box(blob, _HEADER.size)
    owner_box, place = _box(blob, place)
    if place != len(blob):
        raise DamagedRecordError("The record is damaged: bytes follow its end")
    return Envelope(header, recipient_box, owner_box)


def seal_protected(
    header: Header,
    recipient_key: bytes,
    recipient: RecipientPart,
    owner_key: bytes,
    owner: OwnerPart,
) -> Envelope:
    """Seal a protected file's envelope.

    Args:
        header: of the protected file.
        recipient_key: the recipient's 32 bytes.
        recipient: the content of the recipient's box.
        owner_key: the vault's key for owner's boxes, 32 bytes.
        owner: the content of the owner's box.
    """
    owner_box = _seal_owner(header, recipient.digest, owner_key, owner)
    bound = _recipient_bound(header, owner_box)
    key = derive(recipient_key, "recipient-box", bound)
    return Envelope(
        header, _seal(key, recipient.digest + recipient.content, bound), owner_box
    )


def licensed_envelope(envelope: Envelope, licensed_digest: bytes) -> Envelope:
    """The envelope of the file that a recipient restored."""
    header = replace(envelope.header, tier="licensed", digest=licensed_digest)
    return Envelope(header, b"", envelope.owner_box)


def check_digest(envelope: Envelope, digest: bytes) -> None:
    """Make sure that the samples are those that the record was made for.

    Raises:
        EditedImageError: they aren't.
    """
    if envelope.header.digest != digest:
        raise EditedImageError(
            "The pixels aren't those that the record was made for: the file was "
            "edited or re-saved, or carries another file's record. Restore from "
            "the file as it was delivered"
        )


def open_recipient(
    envelope: Envelope, recipient_key: bytes, key_id: str
) -> RecipientPart:
    """Open the recipient's box.

    Raises:
        WrongKeyError: it was sealed for another recipient.
        DamagedRecordError: it, the header or the owner's box was edited.
    """
    header = envelope.header
    if header.key != key_id:
        raise WrongKeyError(
            f"Wrong key: the file was sealed for key {header.key}, this is key {key_id}"
        )
    bound = _recipient_bound(header, envelope.owner_box)
    key = derive(recipient_key, "recipient-box", bound)
    opened = _open(key, envelope.recipient_box, bound)
    return RecipientPart(content=opened[32:], digest=opened[:32])


def open_owner(
    envelope: Envelope, owner_key: bytes, vault: str, licensed_digest: bytes
) -> OwnerPart:
    """Open the owner's box.

    Args:
        envelope: of a protected or a restored file.
        owner_key: the vault's key for owner's boxes.
        vault: this vault's id.
        licensed_digest: SHA-256 of W's samples, to which the box is bound.

    Raises:
        ForeignRecordError: another vault made it.
        DamagedRecordError: it was edited.
    """
    header = envelope.header
    if header.vault != vault:
        raise ForeignRecordError(
            f"The record was made by vault {header.vault}, this is vault {vault}"
        )
    bound = _owner_bound(header, licensed_digest)
    key = derive(owner_key, "owner-box", bound)
    return _unpack_owner(_open(key, envelope.owner_box, bound))


def _seal_owner(
    header: Header, licensed_digest: bytes, owner_key: bytes, owner: OwnerPart
) -> bytes:
    bound = _owner_bound(header, licensed_digest)
    return _seal(derive(owner_key, "owner-box", bound), _pack_owner(owner), bound)


def _recipient_bound(header: Header, owner_box: bytes) -> bytes:
    return header.pack() + hashlib.sha256(owner_box).digest()


def _owner_bound(header: Header, licensed_digest: bytes) -> bytes:
    return replace(header, tier="licensed", digest=licensed_digest).pack()


def _seal(key: bytes, content: bytes, bound: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(_ONE_USE_NONCE, content, bound)


def _open(key: bytes, box: bytes, bound: bytes) -> bytes:
    try:
        return ChaCha20Poly1305(key).decrypt(_ONE_USE_NONCE, box, bound)
    except InvalidTag:
        raise DamagedRecordError(
            "The record was edited or damaged: it doesn't open with the right key. "
            "Restore from the file as it was delivered"
        ) from None


def _box(blob: bytes, place: int) -> tuple[bytes, int]:
    start = place + _LENGTH.size
    if len(blob) < start:
        raise DamagedRecordError("The record is damaged: it was cut short")
    end = start + _LENGTH.unpack_from(blob, place)[0]
    if len(blob) < end:
        raise DamagedRecordError("The record is damaged: it was cut short")
    return blob[start:end], end


def _pack_owner(part: OwnerPart) -> bytes:
    ids = (part.recipient_id.encode(), part.image_id.encode())
    named = b"".join(bytes([len(name)]) + name for name in ids)
    form = part.amplitude | (_VISIBLE if part.visible else 0)
    return part.digest + bytes([form]) + named + part.lost


def _unpack_owner(content: bytes) -> OwnerPart:
    digest, form, place = content[:32], content[32], 33
    names = []
    for _ in range(2):
        end = place + 1 + content[place]
        names.append(content[place + 1 : end].decode())
        place = end
    visible = bool(form & _VISIBLE)
    amplitude = form & ~_VISIBLE
    return OwnerPart(names[0], names[1], amplitude, content[place:], digest, visible)
