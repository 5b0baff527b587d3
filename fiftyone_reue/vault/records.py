"""The few sealed bytes that make restoring exact.

A protected file carries an envelope of one public header and two boxes. The
recipient's box, sealed for one recipient, makes ``P -> W``; the owner's box, sealed
for the vault, makes ``W -> O``. A third, sealed for the vault too, makes the original
*file* out of O's samples. A restored file carries the header and the owner's boxes
alone. A header names what the boxes belong to, the samples' digest included, and
is authenticated with them: a swapped, stale or edited record fails closed. The
recipient's box vouches for the owner's too, so that no restored file carries an
owner's box that was edited or taken from elsewhere.

Each box has a key of its own, derived from everything that it is bound to, and a nonce
made from its content, so that protecting the same image again gives the same bytes, and
other content, be it only packed by another version of a compressor, never meets a key
and nonce that were used. Records made before (``nonces`` is False in their header) had
no nonces.

What the recipient's box holds is made and read by
:mod:`fiftyone_reue.perturb.reversal`; the header's version says how. What the file's
box holds is made and read by :mod:`fiftyone_reue.media.original`. It may be large, so a
copy of the record that is kept elsewhere can do without it
(:meth:`Envelope.without_file`): its digest stays.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fiftyone_reue.errors import (
    UPDATE,
    DamagedRecordError,
    EditedImageError,
    ForeignRecordError,
    WrongKeyError,
)
from fiftyone_reue.prf import derive

MAGIC = b"REUE"
VERSION = 4
"""The newest version; all since 1 are read."""

_IN_COEFFICIENTS = 3
"""The first version of records of JPEG files, whose digests are of coefficients."""

_SHORT = 4
"""The first version that keeps ids as bytes, and limits in an arithmetic code."""

Tier = Literal["protected", "licensed"]

_TIERS: dict[Tier, int] = {"protected": 1, "licensed": 2}
_HEADER = struct.Struct(">4sBB8s8s8s8s32s")
_PEAK = struct.Struct(">H")
_LENGTH = struct.Struct(">I")
_DIGEST_SIZE = 32
# In the header's version byte, above the number.
_WITH_FILE, _WITH_PEAK, _WITH_NONCES = 0x80, 0x40, 0x20
_NUMBER = 0x1F
_NO_NONCE = bytes(12)
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
        digest: SHA-256 of the file's samples, or of its coefficients.
        version: 1 to 4: what kind of content the boxes hold; from 3 on a JPEG's
            coefficients carry the image, and all digests are of these.
        peak: the largest value of the data's range, where that isn't the largest
            value of the samples' type; None where it is.
        file: SHA-256 of the file's box, or nothing where there is none.
        nonces: whether each box begins with a nonce of its own; of all new records.
    """

    tier: Tier
    vault: str
    release: str
    sample: str
    key: str
    digest: bytes
    version: int = 1
    peak: int | None = None
    file: bytes = b""
    nonces: bool = False

    @property
    def in_coefficients(self) -> bool:
        """Whether a JPEG's coefficients carry the image."""
        return self.version >= _IN_COEFFICIENTS

    def pack(self) -> bytes:
        """The header as bytes, which is what the recipient's box authenticates."""
        ids = (bytes.fromhex(part) for part in self._ids())
        version = self.version
        version |= _WITH_FILE if self.file else 0
        version |= _WITH_PEAK if self.peak is not None else 0
        version |= _WITH_NONCES if self.nonces else 0
        head = _HEADER.pack(MAGIC, version, _TIERS[self.tier], *ids, self.digest)
        peak = b"" if self.peak is None else _PEAK.pack(self.peak)
        return head + peak + self.file

    def _ids(self) -> tuple[str, str, str, str]:
        return self.vault, self.release, self.sample, self.key


@dataclass(frozen=True)
class Envelope:
    """A record as it stands in a file: a header and sealed boxes."""

    header: Header
    recipient_box: bytes
    owner_box: bytes
    file_box: bytes = b""

    def pack(self) -> bytes:
        """The bytes that a file carries."""
        boxes = [self.recipient_box, self.owner_box]
        if self.header.file:
            boxes.append(self.file_box)
        return self.header.pack() + b"".join(_LENGTH.pack(len(b)) + b for b in boxes)

    def without_file(self) -> Envelope:
        """The same without the file's box; its digest stays in the header."""
        return replace(self, file_box=b"")


@dataclass(frozen=True)
class RecipientPart:
    """What a recipient needs for ``P -> W``.

    Attributes:
        content: what :func:`fiftyone_reue.perturb.reversal.unpack` reads, or
            :func:`fiftyone_reue.perturb.coefficients.unpack`.
        digest: SHA-256 of W's samples, or of its coefficients.
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
        lost: rail values; of coefficients how much of the mark each block got, see
            :func:`fiftyone_reue.media.jpeg_coefficients.limits.packed_limits`.
        digest: SHA-256 of O's samples, or of its coefficients.
        visible: whether the mark spares what is fully transparent.
    """

    recipient_id: str
    image_id: str
    amplitude: int
    lost: bytes
    digest: bytes
    visible: bool = False


def release_key(owner_key: bytes, release: str) -> bytes:
    """The key for the owner's boxes of one release, which opens no other's.

    Args:
        owner_key: the vault's key for owner's boxes, of one epoch.
        release: its id, as a header has it.
    """
    return derive(owner_key, "release-boxes", release)


def release_keys(owner_keys: Iterable[bytes], release: str) -> list[bytes]:
    """What may open a release's owner's boxes, by the vault's keys of all epochs.

    Records made before releases had keys of their own have the vault's.
    """
    return [one for key in owner_keys for one in (release_key(key, release), key)]


def unpack(blob: bytes) -> Envelope:
    """Read an envelope without opening its boxes.

    Raises:
        DamagedRecordError: it is cut short, edited or of a newer version.
    """
    if len(blob) < _HEADER.size or blob[:4] != MAGIC:
        raise DamagedRecordError("The record is damaged: its header can't be read")
    _, marked, tier, vault, release, sample, key, digest = _HEADER.unpack_from(blob)
    version = marked & _NUMBER
    if not 1 <= version <= VERSION:
        raise DamagedRecordError(
            f"The record has version {version}, this program reads up to {VERSION}; "
            f"{UPDATE}"
        )
    names = {number: name for name, number in _TIERS.items()}
    if tier not in names:
        raise DamagedRecordError("The record is damaged: its tier is unknown")
    offset = _HEADER.size
    peak = None
    if marked & _WITH_PEAK:
        part, offset = _part(blob, offset, _PEAK.size)
        (peak,) = _PEAK.unpack(part)
        if not peak:
            raise DamagedRecordError("The record is damaged: its data has no range")
    file = b""
    if marked & _WITH_FILE:
        file, offset = _part(blob, offset, _DIGEST_SIZE)
    header = Header(
        names[tier],
        vault.hex(),
        release.hex(),
        sample.hex(),
        key.hex(),
        digest,
        version,
        peak,
        file,
        bool(marked & _WITH_NONCES),
    )
    recipient_box, offset = _box(blob, offset)
    owner_box, offset = _box(blob, offset)
    file_box = b""
    if file:
        file_box, offset = _box(blob, offset)
    if offset != len(blob):
        raise DamagedRecordError("The record is damaged: bytes follow its end")
    if file_box and hashlib.sha256(file_box).digest() != file:
        raise DamagedRecordError(
            "The record was edited or damaged: the part that makes the original file "
            "isn't what was sealed. Restore from the file as it was delivered"
        )
    return Envelope(header, recipient_box, owner_box, file_box)


def seal_protected(
    header: Header,
    recipient_key: bytes,
    recipient: RecipientPart,
    owner_key: bytes,
    owner: OwnerPart,
    file: bytes | None = None,
) -> Envelope:
    """Seal a protected file's envelope.

    Args:
        header: of the protected file; the digest of the file's box is put in here.
        recipient_key: the recipient's 32 bytes.
        recipient: the content of the recipient's box.
        owner_key: of :func:`release_key`, 32 bytes.
        owner: the content of the owner's box.
        file: the content of the file's box, or None for a record without.
    """
    owner_box = _seal_owner(header, recipient.digest, owner_key, owner)
    file_box = b""
    if file is not None:
        file_box = _seal_file(header, recipient.digest, owner_key, file)
        header = replace(header, file=hashlib.sha256(file_box).digest())
    bound = _recipient_bound(header, owner_box)
    key = derive(recipient_key, "recipient-box", bound)
    content = recipient.digest + recipient.content
    recipient_box = _seal(key, content, bound, header)
    return Envelope(header, recipient_box, owner_box, file_box)


def seal_licensed(header: Header, owner_key: bytes, owner: OwnerPart) -> Envelope:
    """Seal the envelope of a licensed copy that no protected file of its own leads to.

    Args:
        header: of the licensed file.
        owner_key: of :func:`release_key`, 32 bytes.
        owner: the content of the owner's box.
    """
    return Envelope(header, b"", _seal_owner(header, header.digest, owner_key, owner))


def licensed_envelope(envelope: Envelope, licensed_digest: bytes) -> Envelope:
    """The envelope of the file that a recipient restored."""
    header = replace(envelope.header, tier="licensed", digest=licensed_digest)
    return Envelope(header, b"", envelope.owner_box, envelope.file_box)


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
    opened = _open(key, envelope.recipient_box, bound, header)
    return RecipientPart(content=opened[32:], digest=opened[:32])


def open_owner(
    envelope: Envelope, owner_key: bytes, vault: str, licensed_digest: bytes
) -> OwnerPart:
    """Open the owner's box.

    Args:
        envelope: of a protected or a restored file.
        owner_key: one of :func:`release_keys`.
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
    try:
        opened = _open(key, envelope.owner_box, bound, header)
        return _unpack_owner(opened, short=header.version >= _SHORT)
    except (IndexError, UnicodeDecodeError):
        raise DamagedRecordError(
            "The record is damaged: what its owner's box holds can't be read"
        ) from None


def open_file(
    envelope: Envelope, owner_key: bytes, licensed_digest: bytes
) -> bytes | None:
    """Open the file's box.

    Args:
        envelope: of a protected or a restored file; :func:`open_owner` opens.
        owner_key: the one that opened that.
        licensed_digest: SHA-256 of W's samples, to which the box is bound.

    Returns:
        What :func:`seal_protected` was given, or None where this copy of the record
        does without it.

    Raises:
        DamagedRecordError: it was edited.
    """
    if not envelope.file_box:
        return None
    bound = _owner_bound(envelope.header, licensed_digest)
    key = derive(owner_key, "file-box", bound)
    return _open(key, envelope.file_box, bound, envelope.header)


def _seal_file(
    header: Header, licensed_digest: bytes, owner_key: bytes, content: bytes
) -> bytes:
    bound = _owner_bound(header, licensed_digest)
    return _seal(derive(owner_key, "file-box", bound), content, bound, header)


def _seal_owner(
    header: Header, licensed_digest: bytes, owner_key: bytes, owner: OwnerPart
) -> bytes:
    bound = _owner_bound(header, licensed_digest)
    key = derive(owner_key, "owner-box", bound)
    content = _pack_owner(owner, short=header.version >= _SHORT)
    return _seal(key, content, bound, header)


def _recipient_bound(header: Header, owner_box: bytes) -> bytes:
    return header.pack() + hashlib.sha256(owner_box).digest()


def _owner_bound(header: Header, licensed_digest: bytes) -> bytes:
    """What the owner's boxes authenticate: the header of W, whatever the file's box
    is, which is made from the same."""
    return replace(header, tier="licensed", digest=licensed_digest, file=b"").pack()


def _seal(key: bytes, content: bytes, bound: bytes, header: Header) -> bytes:
    if not header.nonces:
        return ChaCha20Poly1305(key).encrypt(_NO_NONCE, content, bound)
    digest = hashlib.sha256(content).digest()
    nonce = derive(key, "nonce", digest)[: len(_NO_NONCE)]
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, content, bound)


def _open(key: bytes, box: bytes, bound: bytes, header: Header) -> bytes:
    nonce = _NO_NONCE
    if header.nonces:
        nonce, box = box[: len(_NO_NONCE)], box[len(_NO_NONCE) :]
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, box, bound)
    except (InvalidTag, ValueError):
        raise DamagedRecordError(
            "The record was edited or damaged: it doesn't open with the right key. "
            "Restore from the file as it was delivered"
        ) from None


def _box(blob: bytes, offset: int) -> tuple[bytes, int]:
    length, start = _part(blob, offset, _LENGTH.size)
    return _part(blob, start, *_LENGTH.unpack(length))


def _part(blob: bytes, offset: int, size: int) -> tuple[bytes, int]:
    end = offset + size
    if len(blob) < end:
        raise DamagedRecordError("The record is damaged: it was cut short")
    return blob[offset:end], end


def _pack_owner(part: OwnerPart, *, short: bool) -> bytes:
    ids = (_id_bytes(one, short) for one in (part.recipient_id, part.image_id))
    named = b"".join(bytes([len(one)]) + one for one in ids)
    form = part.amplitude | (_VISIBLE if part.visible else 0)
    return part.digest + bytes([form]) + named + part.lost


def _unpack_owner(content: bytes, *, short: bool) -> OwnerPart:
    digest, form, offset = content[:32], content[32], 33
    names = []
    for _ in range(2):
        end = offset + 1 + content[offset]
        one = content[offset + 1 : end]
        names.append(one.hex() if short else one.decode())
        offset = end
    visible = bool(form & _VISIBLE)
    amplitude = form & ~_VISIBLE
    return OwnerPart(names[0], names[1], amplitude, content[offset:], digest, visible)


def _id_bytes(one: str, short: bool) -> bytes:
    return bytes.fromhex(one) if short else one.encode()
