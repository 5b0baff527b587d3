"""Restore: a recipient's ``P -> W``, and the owner's ``P -> O`` or ``W -> O``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from fiftyone_reue.batch import outputs, pipeline
from fiftyone_reue.batch.engines import LOCAL, require_engine
from fiftyone_reue.batch.items import Item, with_distinct_outputs
from fiftyone_reue.batch.pipeline import Failure, Outcome
from fiftyone_reue.errors import (
    DamagedRecordError,
    EditedImageError,
    ForeignRecordError,
    InputError,
    NoRecordError,
    ReueError,
    RevokedKeyError,
    UnreadableImageError,
    UnsafePathError,
    UnsupportedImageError,
    VerificationError,
    WrongKeyError,
    named,
)
from fiftyone_reue.media import differences, viewers
from fiftyone_reue.media.codec import (
    LARGEST_FILE,
    encode,
    load,
    load_with_bytes,
    read_file,
    release_format,
    suffix,
)
from fiftyone_reue.media.digest import coefficient_digest, sample_digest
from fiftyone_reue.media.jpeg_segments import with_record
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.original import Rebuilt
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import count, moment
from fiftyone_reue.names.filenames import portable
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.changes import digest_of
from fiftyone_reue.releases.originals import (
    Originals,
    copy_of,
    digest_for,
    jpeg_coefficients,
    licensed_coefficients,
    licensed_copy,
    require_same,
    reversal_of,
)
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, is_there
from fiftyone_reue.vault import records
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.licence_files import LicenceReader
from fiftyone_reue.vault.records import Envelope, RecipientPart
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import approximate
from fiftyone_reue.workflows.approximate import Approximation, Delivered
from fiftyone_reue.workflows.what_it_is import naming

CHANGED_BESIDE = (
    "the file isn't the one that was handed out, so that what lies beside the pixels "
    "(EXIF, XMP, a colour profile, how it is turned) may have been changed on the way; "
    "get it again from the owner"
)
"""Of a licensed copy whose pixels are exact."""

_LONGEST_NAME = 255
"""Bytes that a file's name may have almost everywhere; an object's may have more."""


@dataclass(frozen=True)
class Restored:
    """One restored image, ready to be written.

    Attributes:
        item: what it was made from.
        output: the file below the output folder, with suffix.
        data: the file's bytes; empty where it is there already.
        approximation: how close it came, if it isn't exact.
        differs: why an original is exact in its pixels alone, or None: its bytes are
            the original file's.
        made_of: SHA-256 of the file that a licensed copy was made from.
    """

    item: Item
    output: str
    data: bytes
    approximation: Approximation | None = None
    differs: str | None = None
    made_of: bytes = b""

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.data)


@dataclass(frozen=True)
class RestoreSummary:
    """What a restore run did.

    Attributes:
        tier: "licensed" (W, by a recipient) or "original" (O, by the owner).
        outcome: counts of what was restored exactly, and failures.
        total: images in the job.
        approximations: what was restored only approximately, in this run or before.
        differing: of originals whose pixels are exact but whose bytes aren't the
            original file's, and of licensed copies whose pixels are exact but which
            were made of another file than was handed out, by sample id, why.
        written: what was restored exactly or is there already, by sample id: the file
            below the output folder.
        compared_with: of licensed copies, the manifest by which it was looked whether
            the files are those that were handed out; None where there was none.
    """

    tier: str
    outcome: Outcome
    total: int
    approximations: list[Approximation] = field(default_factory=list)
    differing: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    compared_with: Place | None = None

    def files_text(self, *, reasons: bool = True) -> str:
        """Which originals are the original files themselves, in words.

        Args:
            reasons: whether to say why others aren't.

        Returns:
            A clause; nothing where no original was restored, or of licensed copies
            where nothing is known against any.
        """
        many = len(self.differing)
        if self.tier == "licensed" and many:
            exact = f"of {count(many, 'copy', 'copies')} only the pixels"
            told = f"{exact} are the licensed copy's for sure"
            return f"{told}: {CHANGED_BESIDE}" if reasons else told
        if self.tier != "original" or not self.written:
            return ""
        same = len(self.written) - many
        if not many:
            if same == 1:
                return "it is the original file, byte for byte"
            return f"all {same} are the original files, byte for byte"
        told = f"of {count(many, 'original')} the pixels are exact but the file differs"
        if same:
            are = "is the original file" if same == 1 else "are the original files"
            told = f"{same} {are}, byte for byte; {told}"
        if not reasons:
            return told
        each = Counter(self.differing.values())
        if len(each) == 1:
            return f"{told}: {next(iter(each))}"
        return f"{told} ({'; '.join(f'of {n}: {why}' for why, n in each.items())})"


def restore_licensed(
    items: Sequence[Item],
    source: Place | None,
    output: Place,
    key: RecipientKey,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    approximate: bool = False,
    records: Place | None = None,
    engine: str = LOCAL,
    workers: int | None = None,
) -> Generator[Progress, None, RestoreSummary]:
    """Give a recipient's licensed copies back, from the files and the key alone.

    Args:
        items: protected files.
        source: their folder, or the file. The manifest there or above may say that the
            key was revoked, and which files were handed out.
        output: where the licensed copies go; other images there are never replaced.
        key: the recipient's.
        max_pixels: larger images are refused before they are decoded.
        approximate: where pixels changed since, make the best of them: a PNG beside
            the others that ends in ``.approximate.png`` and carries no record.
        records: the release's files as they were delivered (a folder, or one of
            them), for approximations of what has no record or was cropped, and to
            measure how close they come.
        engine: see :mod:`fiftyone_reue.batch.engines`; workers get the key.
        workers: how many threads or workers; by default one a processor.

    Yields:
        Progress.

    Raises:
        InputError: ``records`` has no image, or is of no use.
        RevokedKeyError: the manifest says so.
        OutputError: nothing can be written.
        MissingPackageError, EngineError: what is to do the work isn't there.
    """
    require_engine(engine)
    if records is not None and not approximate:
        raise InputError(
            "Files as they were delivered are of use only where an approximation is "
            "asked for (--approximate)"
        )
    for place in (source, records):
        if place is not None:
            _require_not_revoked(place, key)
    work = partial(
        restore_licensed_image,
        key=key,
        output=output,
        max_pixels=max_pixels,
        approximately=approximate,
        delivered=None if records is None else Delivered(records),
    )
    handed = manifest.Handed(source)
    steps = _restore(items, output, work, "licensed", engine, workers, handed=handed)
    return (yield from steps)


def restore_by_licence(
    items: Sequence[Item],
    output: Place,
    key: RecipientKey,
    licence: Path,
    *,
    source: Place | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    engine: str = LOCAL,
    workers: int | None = None,
) -> Generator[Progress, None, RestoreSummary]:
    """Give a recipient's licensed copies of a published set back.

    Args:
        items: published files.
        output: where the licensed copies go; other images there are never replaced.
        key: the recipient's.
        licence: the file that was made for them; workers of a cluster open it too.
        source: the files' folder, or the file; the manifest there or above may say
            which were published.
        max_pixels: larger images are refused before they are decoded.
        engine: as for :func:`restore_licensed`.
        workers: as there.

    Yields:
        Progress.

    Raises:
        InputError: the licence isn't one, or is damaged.
        WrongKeyError: it is another recipient's.
        ExpiredLicenceError: its last day is over, by this machine's clock.
        OutputError: nothing can be written.
        MissingPackageError, EngineError: what is to do the work isn't there.
    """
    require_engine(engine)
    with LicenceReader(licence.absolute(), key) as reader:
        reader.header.require_valid()
        work = partial(
            restore_by_licence_image,
            licence=reader,
            output=output,
            max_pixels=max_pixels,
        )
        handed = manifest.Handed(source)
        steps = _restore(
            items, output, work, "licensed", engine, workers, handed=handed
        )
        return (yield from steps)


def restore_original(
    vault: Vault,
    items: Sequence[Item],
    output: Place,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    workers: int | None = None,
) -> Generator[Progress, None, RestoreSummary]:
    """Give the owner's originals back, from protected or licensed files.

    They are the original files, byte for byte, wherever their records hold what that
    takes; see ``differing`` in the summary for those that are exact in their pixels
    alone.

    Args:
        vault: the owner's.
        items: protected or licensed files; a file that lost its record in a
            lossless re-save is found in the ledger by its samples.
        output: where the originals go; other images there are never replaced.
        max_pixels: larger images are refused before they are decoded.
        workers: how many threads; by default one a processor.

    Yields:
        Progress.
    """
    originals = Originals(vault)

    def work(item: Item) -> Restored:
        raster, record = _load(item, max_pixels)
        original, file = originals.file(raster, record, item.sample_id)
        if file.data:
            return _written(item, original, file, output)
        assert original is not None
        made = _encoded(item, original, None, output)
        return replace(made, differs=file.differs)

    return (yield from _restore(items, output, work, "original", workers=workers))


def restore_licensed_image(
    item: Item,
    key: RecipientKey,
    output: Place,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    approximately: bool = False,
    delivered: Delivered | None = None,
) -> Restored:
    """``P -> W`` for one file, in memory; nothing to write if it is there already.

    Args:
        item: the protected file.
        key: the recipient's.
        output: where the licensed copy is to go.
        max_pixels: larger images are refused before they are decoded.
        approximately: whether something near W will do where the pixels changed.
        delivered: the release as it was delivered, for that.

    Raises:
        NoRecordError: the file has no record.
        WrongKeyError, EditedImageError, DamagedRecordError, VerificationError: see
            :mod:`fiftyone_reue.vault.records`.
        InputError: it is a licensed copy already, or its place is taken.
    """
    raster, record, digest = _read(item, max_pixels)
    made = _licensed(
        item, raster, record, key, output, max_pixels, approximately, delivered
    )
    return replace(made, made_of=digest)


def _licensed(
    item: Item,
    raster: Raster,
    record: bytes | None,
    key: RecipientKey,
    output: Place,
    max_pixels: int,
    approximately: bool,
    delivered: Delivered | None,
) -> Restored:
    with named(item.sample_id):
        if record is None:
            if not approximately:
                raise NoRecordError(
                    "the file holds no record, so it is not a protected copy or was "
                    "re-saved by another program; use the file as delivered, or ask "
                    "the owner, or ask for an approximation with --approximate and "
                    "--records"
                )
            whole = _of_the_name(item, key, delivered, max_pixels)
            if digest_for(raster, whole.envelope) != whole.envelope.header.digest:
                return _from_delivered(item, raster, whole, output)
            envelope, licensed, digest = whole.envelope, whole.licensed, whole.digest
        else:
            envelope = _protected_envelope(record, key)
            try:
                if envelope.header.in_coefficients:
                    found, digest = licensed_coefficients(raster, envelope, key)
                    sealed = records.licensed_envelope(envelope, digest).pack()
                    data = with_record(copy_of(found), sealed)
                    return _coded(item, data, sealed, output)
                licensed, digest = licensed_copy(raster, envelope, key)
            except EditedImageError as error:
                if not approximately:
                    raise EditedImageError(
                        f"{error}, or ask for an approximation with --approximate"
                    ) from error
                # There is no way around the record's integrity.
                part = records.open_recipient(envelope, key.key, key.key_id)
                same = _of_the_record(item, envelope, key, delivered, max_pixels)
                if same is not None:
                    return _from_delivered(item, raster, same, output)
                return _from_record(item, raster, envelope, part, output)
    ours = records.licensed_envelope(envelope, digest)
    return _encoded(item, licensed, ours.pack(), output)


def restore_by_licence_image(
    item: Item,
    licence: LicenceReader,
    output: Place,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Restored:
    """A recipient's ``P -> W`` for one published file, in memory.

    A file that lost its record in a lossless re-save will do.

    Args:
        item: the published file.
        licence: the recipient's.
        output: where the licensed copy is to go.
        max_pixels: larger images are refused before they are decoded.

    Raises:
        InputError: it is a licensed copy already, its place is taken, or the licence
            isn't for it.
        ForeignRecordError: the licence is for another release.
        NoRecordError: it has no record, and the licence doesn't know it.
        EditedImageError, DamagedRecordError, VerificationError: what they say.
    """
    raster, record, digest = _read(item, max_pixels)
    made = _by_licence(item, raster, record, licence, output)
    return replace(made, made_of=digest)


def _by_licence(
    item: Item,
    raster: Raster,
    record: bytes | None,
    licence: LicenceReader,
    output: Place,
) -> Restored:
    with named(item.sample_id):
        found = jpeg_coefficients(raster)
        digest = (
            sample_digest(raster.samples)
            if found is None
            else coefficient_digest(found)
        )
        if record is not None:
            _require_published(records.unpack(record), licence, digest)
        entry = licence.entry(digest)
        if entry is None:
            raise _not_licensed(record, licence)
        header = records.Header(
            "licensed",
            licence.header.vault,
            licence.header.licence,
            entry.sample,
            licence.header.recipient_key,
            entry.digest,
            entry.version,
            entry.peak,
            nonces=True,
        )
        ours = Envelope(header, b"", entry.owner_box).pack()
        if found is None:
            colours = raster.colour_channels
            samples = differences.applied(raster.samples, entry.difference, colours)
            require_same(sample_digest(samples), entry.digest, "licensed copy's")
            return _encoded(item, raster.with_samples(samples), ours, output)
        blocks = [one.blocks for one in found.components]
        try:
            licensed = found.with_blocks(
                differences.applied_blocks(blocks, entry.difference)
            )
        except ValueError as error:
            raise DamagedRecordError(
                "The licence doesn't fit this image: a coefficient leaves its range"
            ) from error
        require_same(coefficient_digest(licensed), entry.digest, "licensed copy's")
        return _coded(item, with_record(copy_of(licensed), ours), ours, output)


def _require_published(
    envelope: Envelope, licence: LicenceReader, digest: bytes
) -> None:
    """Make sure that a file is of the set that a licence is for, and unchanged."""
    header = envelope.header
    if header.tier == "licensed":
        raise InputError("this file is restored already; there is nothing to do")
    if (header.vault, header.release) != (licence.header.vault, licence.header.release):
        raise ForeignRecordError(
            f"The file is of release {header.release}, the licence is for release "
            f"{licence.header.release}; use the licence for the set that it is from"
        )
    records.check_digest(envelope, digest)


def _not_licensed(record: bytes | None, licence: LicenceReader) -> ReueError:
    issued = moment(licence.header.issued, "%Y-%m-%d")
    if record is None:
        return NoRecordError(
            "The file holds no record and the licence doesn't know its pixels: it "
            "isn't of the published set, or was changed since; use the published file"
        )
    return InputError(
        f"The licence, issued on {issued}, isn't for this image, which was published "
        "or changed later; ask the owner for an up-to-date licence"
    )


def _protected_envelope(record: bytes, key: RecipientKey) -> Envelope:
    envelope = records.unpack(record)
    if envelope.header.tier == "licensed":
        raise InputError("this file is restored already; there is nothing to do")
    if envelope.header.vault != key.vault_id:
        raise WrongKeyError(
            f"Wrong key: the file was made by vault {envelope.header.vault}, the "
            f"key of {key.name} belongs to vault {key.vault_id}"
        )
    return envelope


@dataclass(frozen=True, eq=False)
class _Whole:
    """A protected file as it was delivered, and what it restores to."""

    raster: Raster
    envelope: Envelope
    licensed: Raster
    digest: bytes


def _of_the_name(
    item: Item, key: RecipientKey, delivered: Delivered | None, max_pixels: int
) -> _Whole:
    """The file as delivered, going by its name.

    Raises:
        NoRecordError: it can't be told, or has no record either.
        ReueError: it doesn't restore exactly; see :func:`restore_licensed_image`.
    """
    if delivered is None:
        raise NoRecordError(
            "the file holds no record; for an approximation give the release as it "
            "was delivered as well (--records)"
        )
    found = delivered.candidates(item)
    if len(found) != 1:
        many = f"{len(found)} files" if found else "no file"
        raise NoRecordError(
            f"the file holds no record, and {delivered.place} has {many} of its name; "
            "give it the path and name that it was delivered with"
        )
    with named(f"{found[0].path} in its place"):
        raster, record = _load(found[0], max_pixels)
        if record is None:
            raise NoRecordError("this file holds no record either")
        return _whole(raster, _protected_envelope(record, key), key)


def _of_the_record(
    item: Item,
    envelope: Envelope,
    key: RecipientKey,
    delivered: Delivered | None,
    max_pixels: int,
) -> _Whole | None:
    """The file as delivered that has the same record, or None.

    Raises:
        ReueError: it doesn't restore exactly; see :func:`restore_licensed_image`.
    """
    for one in [] if delivered is None else delivered.candidates(item):
        raster, record = _load(one, max_pixels)
        if record == envelope.pack():
            return _whole(raster, envelope, key)
    return None


def _whole(raster: Raster, envelope: Envelope, key: RecipientKey) -> _Whole:
    raster = replace(raster, white=envelope.header.peak)
    return _Whole(raster, envelope, *licensed_copy(raster, envelope, key))


def _from_delivered(
    item: Item, edited: Raster, whole: _Whole, output: Place
) -> Restored:
    """Something near W, where W itself is known."""
    if edited.depth == whole.raster.depth:
        edited = replace(edited, white=whole.envelope.header.peak)
    samples, truth = approximate.by_delivered(
        edited, whole.raster, whole.licensed.samples
    )
    close = approximate.measured(item, edited, samples, truth)
    return _approximated(item, edited, samples, output, close)


def _from_record(
    item: Item, edited: Raster, envelope: Envelope, part: RecipientPart, output: Place
) -> Restored:
    """Something near W, where only the record tells of it."""
    edited = replace(edited, white=envelope.header.peak)
    try:
        samples = approximate.by_record(edited, reversal_of(part, envelope, edited))
    except DamagedRecordError:  # but it opened
        raise EditedImageError(
            "The record doesn't fit an image of this size or kind: the file was "
            "cropped, scaled or converted. Of a crop, give the release as it was "
            "delivered as well (--records)"
        ) from None
    exact = sample_digest(samples) == part.digest
    truth = samples if exact else None
    close = approximate.measured(item, edited, samples, truth, exact=exact)
    return _approximated(item, edited, samples, output, close)


def _approximated(
    item: Item,
    edited: Raster,
    samples: np.ndarray,
    output: Place,
    close: Approximation,
) -> Restored:
    raster = replace(edited, samples=samples)
    made = _encoded(item, raster, None, output, approximate.SUFFIX)
    return replace(made, approximation=close)


def _restore(
    items: Sequence[Item],
    output: Place,
    work: Callable[[Item], Restored],
    tier: str,
    engine: str = LOCAL,
    workers: int | None = None,
    *,
    handed: manifest.Handed | None = None,
) -> Generator[Progress, None, RestoreSummary]:
    outcome = Outcome()
    approximations: list[Approximation] = []
    differing: dict[str, str] = {}
    written: dict[str, str] = {}
    planned = with_distinct_outputs(items, {})
    private = tier == "original"
    is_new = not is_there(output)
    outputs.require_writable(output)
    outputs.prepare(output, private=private)

    def commit(batch: list[Restored]) -> list[Failure]:
        new = [(one.output, one.data) for one in batch if one.data]
        refused = outputs.write_below(output, new, private=private)
        failures = [
            Failure(one.item.sample_id, one.item.path, refused[one.output])
            for one in batch
            if one.output in refused
        ]
        batch = [one for one in batch if one.output not in refused]
        exact = [one for one in batch if one.approximation is None]
        written.update({one.item.sample_id: one.output for one in exact})
        differing.update(
            {one.item.sample_id: one.differs for one in exact if one.differs}
        )
        if handed is not None:
            others = [
                one.item
                for one in exact
                if handed.is_another(one.item.path, one.made_of)
            ]
            differing.update({one.sample_id: CHANGED_BESIDE for one in others})
        outcome.skipped += sum(not one.data for one in exact)
        approximations.extend(one.approximation for one in batch if one.approximation)
        return failures

    try:
        running = pipeline.run(
            planned,
            work,
            commit,
            outcome,
            workers=workers,
            engine=engine,
            together=True,
        )
        for behind in running:
            label = f"Restoring: {behind} of {len(planned)}"
            yield Progress(behind / len(planned), label)
    finally:
        if is_new:
            outputs.remove_empty(output)
    outcome.done -= outcome.skipped + len(approximations)
    return RestoreSummary(
        tier,
        outcome,
        len(planned),
        approximations,
        differing,
        written,
        None if handed is None else handed.compared_with,
    )


def _load(item: Item, max_pixels: int) -> tuple[Raster, bytes | None]:
    return _read(item, max_pixels)[:2]


def _read(item: Item, max_pixels: int) -> tuple[Raster, bytes | None, bytes]:
    """A file's image and record, and the SHA-256 of its bytes."""
    with naming(item):
        data, loaded = load_with_bytes(
            item.path, name=item.sample_id, max_pixels=max_pixels
        )
    return loaded.raster, loaded.record, digest_of(data)


def _encoded(
    item: Item,
    raster: Raster,
    record: bytes | None,
    output: Place,
    ending: str | None = None,
) -> Restored:
    """A file to write.

    Args:
        item: what it was made from.
        raster: the image.
        record: its record, or None.
        output: the folder that it goes to.
        ending: of its name, for a PNG; by default it has its own format and suffix.
    """
    kind = release_format(raster) if ending is None else "PNG"
    name = item.output + (ending or suffix(kind))
    data = encode(raster, kind, record)
    return _unless_there(item, name, data, lambda: raster, record, output)


def _coded(item: Item, data: bytes, record: bytes, output: Place) -> Restored:
    """A JPEG file to write, with its record."""
    name = item.output + suffix("JPEG")
    return _unless_there(item, name, data, lambda: load(data).raster, record, output)


def _unless_there(
    item: Item,
    name: str,
    data: bytes,
    raster: Callable[[], Raster],
    record: bytes | None,
    output: Place,
) -> Restored:
    path = contained.unlinked(output, name)
    there = _is_there(path, item, raster, record, data)
    return Restored(item, name, b"" if there else data)


def _own_name(output: str, name: str) -> str:
    """Where an original goes: beside its copy's place, by its own name if it has one.

    Args:
        output: the copy's place, without suffix.
        name: the file's name, or a suffix alone.
    """
    if name.startswith(".") or not name:
        return output + name
    if "/" in name:
        raise UnsafePathError(f"{name!r} isn't a bare name, without any folder")
    own = str(PurePosixPath(output).with_name(name))
    try:
        contained.parts(own)
    except UnsafePathError:  # on some system, such as one that begins with a drive
        own = str(PurePosixPath(output).with_name(portable(name)))
    return own


def _is_too_long(output: str) -> bool:
    """Whether the last name of a path is longer than any file's."""
    return len(os.fsencode(PurePosixPath(output).name)) > _LONGEST_NAME


def _written(
    item: Item, original: Raster | None, file: Rebuilt, output: Place
) -> Restored:
    """An original's own file to write.

    Args:
        item: what it was made from.
        original: the image; None where the file's bytes are the original's.
        file: its file.
        output: the folder that it goes to.

    Raises:
        VerificationError: it was written anew and doesn't hold the original's pixels.
        InputError: another file is in its place.
    """
    if file.differs is not None:
        assert original is not None
        again = load(file.data, max_pixels=original.height * original.width).raster
        if not np.array_equal(again.samples, original.samples):
            raise VerificationError(
                f"{item.sample_id}: the original's file can't be written anew with its "
                "pixels, so it was not written; please report this image's format"
            )
        refused = viewers.unopened(file.data)
        if refused:
            differs = f"{file.differs}; {' and '.join(refused)} can't open it"
            file = replace(file, differs=differs)
    name = _own_name(item.output, file.name)
    if isinstance(output, Path) and _is_too_long(name):
        # An object's, which no file can have; its copy's does for one.
        name = item.output + PurePosixPath(file.name).suffix
    path = contained.unlinked(output, name)
    present = _present(path, item)
    if present == file.data:
        return Restored(item, name, b"", differs=file.differs)
    if present and not file.data.startswith(present):  # else it was cut short
        raise InputError(
            f"{item.sample_id}: another file is in its place in the output folder; "
            "choose an empty folder, or move it away"
        )
    return Restored(item, name, file.data, differs=file.differs)


def _present(path: Place, item: Item) -> bytes | None:
    """The file that is at a path already, or None.

    Raises:
        InputError: something is there that isn't a file, or no image's.
    """
    if isinstance(path, Address):
        return _present_object(path, item)
    if not is_there(path):
        return None
    try:
        return read_file(path)
    except (UnreadableImageError, UnsupportedImageError) as error:
        raise InputError(
            f"{item.sample_id}: its place is taken; choose an empty folder, or move "
            f"away what is there ({error})"
        ) from error


def _present_object(address: Address, item: Item) -> bytes | None:
    try:
        return objects.read(str(address), LARGEST_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableImageError(
            f"{item.sample_id}: whether its place is free can't be seen: "
            f"{objects.reason(error)}"
        ) from error


def _is_there(
    path: Place,
    item: Item,
    raster: Callable[[], Raster],
    record: bytes | None,
    data: bytes,
) -> bool:
    """Whether an earlier run wrote this file.

    Args:
        path: where it would be.
        item: what it was made from.
        raster: gives the image, which takes time.
        record: its record, or None.
        data: the file.

    Raises:
        InputError: another image is there.
    """
    present = _present(path, item)
    if present is None:
        return False
    if present == data:
        return True
    image = raster()
    try:
        there = load(present, max_pixels=image.height * image.width)
        same = there.record == record
        same &= np.array_equal(there.raster.samples, image.samples)
    except UnreadableImageError:
        return False  # cut short or empty: nothing to lose
    except ReueError:
        same = False
    if not same:
        raise InputError(
            f"{item.sample_id}: another image is in its place in the output folder; "
            "choose an empty folder, or move it away"
        )
    return True


def _require_not_revoked(source: Place, key: RecipientKey) -> None:
    found = manifest.find(source)
    if found is None or found.content.get("recipient_key") != key.key_id:
        return
    revoked = found.content.get("revoked_at")
    if isinstance(revoked, (int, float)):
        day = moment(revoked, "%Y-%m-%d")
        raise RevokedKeyError(
            f"{found.path} says that the key of {key.name} was revoked on "
            f"{day}. If the owner has reinstated you since, ask for that file as it is "
            "now and put it in its place; else ask whether they give you another key"
        )
