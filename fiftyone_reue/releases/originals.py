"""The ways back: ``P -> W`` with a recipient's key, and to ``O`` with the owner's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from fiftyone_reue.errors import (
    DamagedRecordError,
    ForeignRecordError,
    InputError,
    NoRecordError,
    VerificationError,
    WrongKeyError,
    named,
)
from fiftyone_reue.media import jpeg, offsets
from fiftyone_reue.media.digest import carried_digest, coefficient_digest, sample_digest
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.limits import (
    added,
    of_change,
    subtracted,
    unpacked_limits,
)
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_segments import without_record
from fiftyone_reue.media.original import Rebuilt, rebuild, rebuild_coded
from fiftyone_reue.media.raster import Metadata, Raster
from fiftyone_reue.perturb import coefficients, reversal
from fiftyone_reue.perturb.reversal import Content, Reversal
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import LICENCE_OF, Record
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.records import Envelope, OwnerPart, RecipientPart
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import codes, embed, patterns

PIXELS_ALONE = (
    "it was protected by an older version, whose records hold the pixels alone"
)

LOST = (
    "this copy lost its record in a re-save, and the ledger keeps no more than the "
    "pixels take; restore from the file as it was delivered"
)

TAKEN_OUT = (
    "the part of its record that makes the original file was taken out of this copy; "
    "restore from the file as it was delivered"
)

STRIPPED = (
    "this copy was saved again with other metadata or in another way, which the "
    "original file is put together from; restore from the file as it was delivered"
)

IN_PUBLISHED = (
    "what makes the original file is in the published copy alone; restore from that"
)

UNKNOWN = (
    "this copy's record holds the pixels alone, and the ledger has no other one; if "
    "there is the file as it was delivered, restore from that"
)


def licensed_copy(
    raster: Raster, envelope: Envelope, key: RecipientKey
) -> tuple[Raster, bytes]:
    """``P -> W``.

    Returns:
        W, and the digest of its samples or coefficients.
    """
    _require_key(envelope, key)
    if envelope.header.in_coefficients:
        found, digest = licensed_coefficients(raster, envelope, key)
        return _rendered(found, raster), digest
    records.check_digest(envelope, sample_digest(raster.samples))
    part = records.open_recipient(envelope, key.key, key.key_id)
    way = reversal_of(part, envelope, raster)
    licensed = raster.with_samples(way.licensed(raster.samples, raster.colour_channels))
    digest = sample_digest(licensed.samples)
    require_same(digest, part.digest, "licensed copy's")
    return licensed, digest


def licensed_coefficients(
    raster: Raster, envelope: Envelope, key: RecipientKey
) -> tuple[Coefficients, bytes]:
    """``P -> W`` of a JPEG file whose coefficients carry it.

    Args:
        raster: P.
        envelope: its record, of coefficients and sealed for this key.
        key: the recipient's.

    Returns:
        W with the segments that P has, and the digest of its coefficients.

    Raises:
        WrongKeyError, EditedImageError, DamagedRecordError, VerificationError: what
            they say.
    """
    _require_key(envelope, key)
    found = _checked_coefficients(raster, envelope)
    part = records.open_recipient(envelope, key.key, key.key_id)
    way = coefficients.unpack(part.content, (raster.height, raster.width))
    licensed = coefficients.licensed_of(way, found, own=True)
    digest = coefficient_digest(licensed)
    require_same(digest, part.digest, "licensed copy's")
    return licensed, digest


def copy_of(found: Coefficients) -> bytes:
    """The file of a copy's coefficients and segments, without a record.

    Raises:
        DamagedRecordError: no file can hold these coefficients.
    """
    with _writable():
        return jpeg.file_of(found, without_record(found.segments))


def _rendered(found: Coefficients, like: Raster) -> Raster:
    with _writable():
        return jpeg.rendered(found, without_record(found.segments), like.metadata)


@contextlib.contextmanager
def _writable() -> Iterator[None]:
    """For what a record says: whoever holds a recipient's key can write one."""
    try:
        yield
    except ValueError as error:
        raise DamagedRecordError(
            "The record doesn't fit this image: no JPEG file can hold what it leads to"
        ) from error


def _require_key(envelope: Envelope, key: RecipientKey) -> None:
    if envelope.header.key != key.key_id:
        raise WrongKeyError(
            f"Wrong key: the file was sealed for key {envelope.header.key}, the key of "
            f"{key.name} is {key.key_id}; use the key that came with this copy; for "
            "a published set give your licence too (--license)"
        )


def _checked_coefficients(raster: Raster, envelope: Envelope) -> Coefficients:
    """A file's coefficients, which are those that its record was made for.

    Raises:
        EditedImageError: they aren't, or it isn't a JPEG any more.
    """
    found = jpeg_coefficients(raster)
    digest = b"" if found is None else coefficient_digest(found)
    records.check_digest(envelope, digest)
    assert found is not None
    return found


def require_same(digest: bytes, wanted: bytes, whose: str) -> None:
    """Make sure that what was restored is what it should be.

    Raises:
        VerificationError: it isn't.
    """
    if digest != wanted:
        raise VerificationError(
            f"The restored pixels aren't the {whose}, so nothing was written; please "
            "report this"
        )


class Originals:
    """Takes everything off again, with the owner's keys. Usable from threads.

    Args:
        vault: the owner's.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._mark_key = vault.derive("watermark")
        self._owner_keys = vault.derive_all("owner-box")
        people = vault.known_recipients()
        self._keys = {person.key_id: key for person, key, _ in people}
        self._codes = {person.id: seed for person, _, seed in people}

    def original(self, raster: Raster, record: bytes | None, name: str) -> Raster:
        """``P -> O`` or ``W -> O``.

        Args:
            raster: the file's samples.
            record: its record, or None: then the ledger is asked for one.
            name: what to call the file in an error.

        Returns:
            O.

        Raises:
            NoRecordError: neither the file nor the ledger has a record.
            EditedImageError, DamagedRecordError, ForeignRecordError: what they say.
        """
        with named(name):
            envelope = self._envelope(raster, record)
            if envelope.header.in_coefficients:
                found, _ = self._original_coefficients(raster, envelope)
                return _rendered(found, raster)
            return self._original(*self._licensed(raster, envelope))

    def file(
        self, raster: Raster, record: bytes | None, name: str
    ) -> tuple[Raster | None, Rebuilt]:
        """``P -> O`` or ``W -> O``, the file as well as its samples.

        Args:
            raster: as for :meth:`original`.
            record: as there.
            name: as there.

        Returns:
            O, or None of a JPEG whose file is there, byte for byte; and that file. It
            has no bytes where the record doesn't hold what the file takes, and says
            why.

        Raises:
            NoRecordError, EditedImageError, DamagedRecordError, ForeignRecordError: as
                there.
        """
        with named(name):
            envelope = self._envelope(raster, record)
            if envelope.header.in_coefficients:
                found, envelope = self._original_coefficients(raster, envelope)
                file = self._coded_file(found, envelope, in_file=record is not None)
                return None if file.data else _rendered(found, raster), file
            licensed, envelope = self._licensed(raster, envelope)
            original = self._original(licensed, envelope)
            content, why = self._file_content(envelope, in_file=record is not None)
            if content is None:
                return original, Rebuilt(b"", "", why)
            return original, rebuild(content, original)

    def _coded_file(
        self, found: Coefficients, envelope: Envelope, *, in_file: bool
    ) -> Rebuilt:
        content, why = self._file_content(envelope, in_file=in_file)
        if content is None:
            return Rebuilt(b"", "", why)
        try:
            return rebuild_coded(content, found)
        except DamagedRecordError:
            # The record is authentic and the coefficients are right, so it is the
            # file around them that changed.
            return Rebuilt(b"", "", STRIPPED)

    def _file_content(
        self, envelope: Envelope, *, in_file: bool
    ) -> tuple[bytes | None, str | None]:
        """What describes the original file, or None and why that isn't there.

        Args:
            envelope: a licensed copy's record.
            in_file: whether the copy carried it, or the ledger alone had it.
        """
        whole = envelope if envelope.file_box else self._kept(envelope)
        if whole is None or not whole.file_box:
            published = self._published(envelope)
            if published is None:
                return None, _without_file(envelope, whole, in_file=in_file)
            if not published.file_box:
                return None, IN_PUBLISHED if published.header.file else PIXELS_ALONE
            whole = published
        digest = whole.header.digest
        _, owner_key = self._opened_owner(whole, digest)
        return records.open_file(whole, owner_key, digest), None

    def lookalikes(
        self,
        raster: Raster,
        envelope: Envelope,
        name: str,
        look: Callable[[Raster], np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """How W and O look, both from a copy as it was delivered.

        Args:
            raster: P or W.
            envelope: its record.
            name: what to call the file in an error.
            look: gives what is kept of either.

        Raises:
            EditedImageError, DamagedRecordError, ForeignRecordError: what they say.
        """
        with named(name):
            self._require_ours(envelope)
            if not envelope.header.in_coefficients:
                licensed, envelope = self._licensed(raster, envelope)
                return look(licensed), look(self._original(licensed, envelope))
            found, envelope = self._licensed_coefficients(raster, envelope)
            kept = look(jpeg.picture_of(found, raster.metadata))
            found = self._unmarked(found, raster, envelope)
            return kept, look(jpeg.picture_of(found, raster.metadata))

    def _kept(self, envelope: Envelope) -> Envelope | None:
        """The ledger's copy of a licensed copy's record, or None."""
        digest = envelope.header.digest
        for record in self._vault.ledger.records_by_digest(digest):
            kept = records.unpack(record.blob)
            if record.digest_w == digest and kept.owner_box == envelope.owner_box:
                return records.licensed_envelope(kept, digest)
        return None

    def _published(self, envelope: Envelope) -> Envelope | None:
        """The published set's licensed record for a licensee's copy, or None.

        What makes the original file is sealed there once, for all licensees.
        """
        ledger, header = self._vault.ledger, envelope.header
        licence = ledger.release(header.release)
        if licence is None or LICENCE_OF not in licence.parameters:
            return None
        own = ledger.record(f"{header.release}-{header.sample}")
        if own is None:
            return None
        for record in ledger.records(licence.parameters[LICENCE_OF], [own.sample_id]):
            if record.image_id == own.image_id:
                kept = records.unpack(record.blob)
                return records.licensed_envelope(kept, record.digest_w)
        return None

    def _envelope(self, raster: Raster, record: bytes | None) -> Envelope:
        """A copy's record, its own or the ledger's."""
        if record is None:
            return self._from_ledger(raster)
        envelope = records.unpack(record)
        self._require_ours(envelope)
        return envelope

    def _licensed(self, raster: Raster, envelope: Envelope) -> tuple[Raster, Envelope]:
        if envelope.header.tier == "protected":
            return self.licensed(raster, envelope)
        return raster, envelope

    def licensed(self, raster: Raster, envelope: Envelope) -> tuple[Raster, Envelope]:
        """``P -> W`` with the recipient's key out of the vault."""
        key = self._recipient_key(envelope)
        licensed, digest = licensed_copy(raster, envelope, key)
        return licensed, records.licensed_envelope(envelope, digest)

    def _recipient_key(self, envelope: Envelope) -> RecipientKey:
        key = self._keys.get(envelope.header.key)
        if key is None:
            raise ForeignRecordError(
                f"The file was sealed for key {envelope.header.key}, which this vault "
                "never issued, or whose recipient the ledger has lost "
                "(`reue vault check`)"
            )
        return key

    def change(self, original: Raster, envelope: Envelope) -> np.ndarray | None:
        """What the perturbation added to W's samples, from a protected file's record.

        Args:
            original: O, which the file was made from.
            envelope: the file's.

        Returns:
            ``(H, W, c)`` int8 or int16 in gray levels, c 1 or the colours; None if the
            record doesn't tell without the file.

        Raises:
            DamagedRecordError, ForeignRecordError: see the boxes.
            VerificationError: O is another image.
        """
        key = self._recipient_key(envelope)
        part = records.open_recipient(envelope, key.key, key.key_id)

        def licensed() -> np.ndarray:
            return self._marked(original, envelope, part.digest)

        way = reversal_of(part, envelope, original)
        return way.change(licensed, original.colour_channels)

    def unmarked(
        self, original: bytes, envelope: Envelope, *, max_pixels: int
    ) -> Raster:
        """A JPEG's protected copy without its mark, from that copy's record.

        Args:
            original: O's file, which the copy was made from.
            envelope: the copy's record, of coefficients.
            max_pixels: larger pictures are refused.

        Returns:
            The copy as it looks.

        Raises:
            DamagedRecordError, ForeignRecordError: see the boxes.
        """
        found = read(original, max_pixels=max_pixels)
        key = self._recipient_key(envelope)
        part = records.open_recipient(envelope, key.key, key.key_id)
        sides = found.height, found.width
        way = coefficients.unpack(part.content, sides)
        owner = self._owner_part(envelope, part.digest)
        added_mark = mark_offsets(found, self._mark(owner, sides), owner.lost)
        # In place, and none of them is kept: of a large picture they take a lot.
        found = added(found, added_mark, keep=())
        found = coefficients.protected_of(way, found, own=True)
        found = subtracted(found, added_mark, keep=())
        return jpeg.picture_of(found, Metadata())

    def _original(self, raster: Raster, envelope: Envelope) -> Raster:
        digest = sample_digest(raster.samples)
        records.check_digest(envelope, digest)
        part = self._owner_part(envelope, digest)
        samples = offsets.subtract(
            raster.samples,
            self._raster_mark(part, raster),
            raster.colour_channels,
            part.lost,
            envelope.header.peak,
        )
        require_same(sample_digest(samples), part.digest, "original's")
        return raster.with_samples(samples)

    def _original_coefficients(
        self, raster: Raster, envelope: Envelope
    ) -> tuple[Coefficients, Envelope]:
        """O with the segments that the copy has, and the licensed copy's record."""
        licensed, envelope = self._licensed_coefficients(raster, envelope)
        return self._unmarked(licensed, raster, envelope), envelope

    def _licensed_coefficients(
        self, raster: Raster, envelope: Envelope
    ) -> tuple[Coefficients, Envelope]:
        """W with the segments that the copy has, and W's record."""
        if envelope.header.tier != "protected":
            return _checked_coefficients(raster, envelope), envelope
        key = self._recipient_key(envelope)
        licensed, digest = licensed_coefficients(raster, envelope, key)
        return licensed, records.licensed_envelope(envelope, digest)

    def _unmarked(
        self, licensed: Coefficients, raster: Raster, envelope: Envelope
    ) -> Coefficients:
        """``W -> O`` of coefficients that are W's for sure."""
        part = self._owner_part(envelope, envelope.header.digest)
        offsets = mark_offsets(licensed, self._raster_mark(part, raster), part.lost)
        found = subtracted(licensed, offsets)
        require_same(coefficient_digest(found), part.digest, "original's")
        return found

    def _marked(
        self, original: Raster, envelope: Envelope, digest: bytes
    ) -> np.ndarray:
        """``O -> W``, W having this digest."""
        mark = self._raster_mark(self._owner_part(envelope, digest), original)
        licensed, _ = offsets.add(
            original.samples, mark, original.colour_channels, envelope.header.peak
        )
        if sample_digest(licensed) != digest:
            raise VerificationError(
                "This original with its mark isn't the licensed copy that was "
                "perturbed; please report this"
            )
        return licensed

    def _owner_part(self, envelope: Envelope, licensed_digest: bytes) -> OwnerPart:
        return self._opened_owner(envelope, licensed_digest)[0]

    def _opened_owner(
        self, envelope: Envelope, licensed_digest: bytes
    ) -> tuple[OwnerPart, bytes]:
        """What the owner's box holds, and the key that it is sealed with."""
        vault = self._vault.vault_id
        release = envelope.header.release
        *newer, oldest = records.release_keys(self._owner_keys, release)
        for key in newer:
            with contextlib.suppress(DamagedRecordError):
                return records.open_owner(envelope, key, vault, licensed_digest), key
        return records.open_owner(envelope, oldest, vault, licensed_digest), oldest

    def _raster_mark(self, part: OwnerPart, raster: Raster) -> np.ndarray:
        mark = self._mark(part, (raster.height, raster.width))
        if not part.visible:
            return mark
        return embed.spared(mark, raster.samples, raster.colour_channels)

    def _mark(self, part: OwnerPart, sides: tuple[int, int]) -> np.ndarray:
        """All of a mark, also where an alpha channel hides it."""
        bits = patterns.bit_count(*sides)
        seed = self._codes.get(part.recipient_id)
        if seed is None:
            raise ForeignRecordError(
                f"The copy was made for recipient {part.recipient_id}, whom the ledger "
                "has lost: put the ledger back from a backup (`reue vault check`)"
            )
        return embed.mark(
            self._mark_key,
            part.image_id,
            codes.code(seed, part.image_id, bits),
            *sides,
            part.amplitude,
        )

    def spares_hidden(self, record: Record) -> bool:
        """Whether a copy's mark spares what is fully transparent.

        Raises:
            DamagedRecordError, ForeignRecordError: see the boxes.
        """
        envelope = records.unpack(record.blob)
        return self._owner_part(envelope, record.digest_w).visible

    def _require_ours(self, envelope: Envelope) -> None:
        if envelope.header.vault != self._vault.vault_id:
            raise ForeignRecordError(
                f"The file was made by vault {envelope.header.vault}; this is vault "
                f"{self._vault.vault_id}. Use the vault that it was protected with"
            )

    def _from_ledger(self, raster: Raster) -> Envelope:
        digest = carried_digest(raster)
        for record in self._vault.ledger.records_by_digest(digest):
            envelope = records.unpack(record.blob)
            if record.digest_p == digest:
                return envelope
            return records.licensed_envelope(envelope, digest)
        samples = sample_digest(raster.samples)
        if self._vault.ledger.image_by_digest(samples) is not None:
            raise InputError("this is an original already; there is nothing to do")
        self._vault.ledger.require_sound()
        raise NoRecordError(
            "The file holds no record and the ledger doesn't know its pixels: it was "
            "never protected with this vault, or was changed since"
        )


def _without_file(envelope: Envelope, kept: Envelope | None, *, in_file: bool) -> str:
    """Why a copy's record, without a file's box, makes no original file.

    Args:
        envelope: the record.
        kept: the ledger's copy of it, without that box as well; None if it has none.
        in_file: whether the file carried the record, or the ledger alone had it.
    """
    if envelope.header.file or (kept is not None and kept.header.file):
        return TAKEN_OUT if in_file else LOST
    if kept is not None:
        return PIXELS_ALONE
    # All records with nonces were made with the box, and who has no key can't say
    # that one has none.
    return TAKEN_OUT if envelope.header.nonces else UNKNOWN


def mark_offsets(
    found: Coefficients, mark: np.ndarray, limits: bytes
) -> list[np.ndarray]:
    """The offsets that a mark is in a JPEG's coefficients.

    Args:
        found: of O, W or P: only size, sampling and steps matter.
        mark: ``(H, W, 1)`` int8.
        limits: how much each block got, packed.

    Raises:
        DamagedRecordError: the limits can't be read, or are of another picture.
    """
    return of_change(found, mark[..., 0], unpacked_limits(limits, found))


def digest_for(raster: Raster, envelope: Envelope) -> bytes:
    """What a record's digest must be, if the record is this file's.

    Returns:
        The digest; nothing where the record is a JPEG's and the file isn't one.
    """
    if not envelope.header.in_coefficients:
        return sample_digest(raster.samples)
    found = jpeg_coefficients(raster)
    return b"" if found is None else coefficient_digest(found)


def jpeg_coefficients(raster: Raster) -> Coefficients | None:
    """A JPEG's coefficients; None of an image that isn't carried by any."""
    if raster.coded is None:
        return None
    return read(raster.coded, max_pixels=raster.height * raster.width)


def reversal_of(part: RecipientPart, envelope: Envelope, like: Raster) -> Reversal:
    """What a recipient's box says leads back, for an image like this one.

    Of what was added to a JPEG's coefficients that is about what it is in pixels.

    Raises:
        EditedImageError: of coefficients, it doesn't say what that is in pixels.
        DamagedRecordError: it can't be read, or is of an image of another size or kind.
    """
    header = envelope.header
    if header.in_coefficients:
        way = coefficients.unpack(part.content, (like.height, like.width))
        return way.in_pixels(like.samples[..., : like.colour_channels])
    content = Content(header.version, part.content)
    return reversal.unpack(content, like.samples, like.colour_channels, header.peak)
