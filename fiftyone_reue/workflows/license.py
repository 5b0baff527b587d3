"""License: one recipient's own copies of a published set, as a small file.

The published set is the same for everybody. A licence holds, sealed for one recipient,
how their licensed copy of each image differs from the published one: perturbation and
both marks in one sum, so that it is never written anywhere how to get to a copy without
the recipient's own mark.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import (
    EditedImageError,
    InputError,
    ReueError,
    UnsupportedImageError,
    VerificationError,
    named,
)
from fiftyone_reue.media import differences, jpeg, offsets
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.digest import coefficient_digest, sample_digest
from fiftyone_reue.media.jpeg_coefficients.coefficients import same_picture
from fiftyone_reue.media.jpeg_coefficients.limits import (
    added,
    packed_limits,
    subtracted,
)
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import count
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases import prepare
from fiftyone_reue.releases.originals import (
    Originals,
    jpeg_coefficients,
    mark_offsets,
)
from fiftyone_reue.releases.withdraw import keep
from fiftyone_reue.stores.address import place
from fiftyone_reue.vault import licence_files, records
from fiftyone_reue.vault.commitments import Original, commit_to
from fiftyone_reue.vault.entities import (
    LICENCE_OF,
    Recipient,
    Record,
    Release,
    ReleaseState,
)
from fiftyone_reue.vault.licence_files import (
    LicenceEntry,
    LicenceHeader,
    LicenceReader,
    LicenceWriter,
)
from fiftyone_reue.vault.records import OwnerPart
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import codes, embed, patterns
from fiftyone_reue.workflows.in_coefficients import beside_of, marked
from fiftyone_reue.workflows.protect_image import sample_hash

MOST_DAYS = 36_500
"""A hundred years: no date that a calendar can't tell."""

DEFAULT_DAYS = 365
"""For how long a licence is good unless its owner says otherwise."""

_DAY = 86400.0
_PAGE = 512


@dataclass(frozen=True)
class LicenseSummary:
    """What a licence is for.

    Attributes:
        header: what anybody can read in it.
        path: the file.
        bytes: its size.
        outcome: images done in this run, taken over from the licence that it replaces,
            and failures.
        unmarked: in how many of these images there is no room for a mark, so that the
            recipient's copy is the original, and can't be traced.
    """

    header: LicenceHeader
    path: str
    bytes: int
    outcome: Outcome
    unmarked: int


def license_release(
    vault: Vault,
    recipient_name: str,
    release: Release,
    output: Path,
    *,
    days: int = DEFAULT_DAYS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, LicenseSummary]:
    """Make a recipient's licence for a published release, or one that replaces it.

    What the licence in ``output`` holds is taken over as far as it is still right, so
    that a licence for some more images costs no more than these.

    Args:
        vault: the owner's.
        recipient_name: for whom, by their own name or the one shown.
        release: what was published; its folder must be there.
        output: the licence's file. Only this recipient's licence for this release is
            replaced.
        days: how long it is good for; 0: it doesn't expire.
        max_pixels: larger images are refused before they are decoded.

    Yields:
        Progress. Closing the generator cancels: the file is as it was.

    Returns:
        The summary.

    Raises:
        InputError: there is no such recipient, the release isn't published, none of its
            images can be licensed, or the file would lie among the published ones.
        RevokedKeyError: the recipient was revoked.
        OutputError: the licence can't be written, or something else is there.
        LedgerUnavailableError: the ledger can't be reached or written.
    """
    recipient = vault.recipient(recipient_name)
    key = vault.key_to_send(recipient)
    if release.recipient_id != vault.published().id or LICENCE_OF in release.parameters:
        raise InputError(
            f"Release {release.name} isn't published, but one recipient's own, who "
            "needs no licence; publish the images first (reue publish)"
        )
    if not 0 <= days <= MOST_DAYS:
        raise InputError(
            f"A licence can't be good for {count(days, 'day')}; give 1 to {MOST_DAYS}, "
            "or 0 for ever"
        )
    published = place(release.output).resolve()
    if published in output.resolve().parents:
        raise InputError(
            f"{output} would lie among the published copies, which anybody may get; "
            "write the licence to another folder"
        )
    total = vault.ledger.count_records(release.id)
    former = licence_files.replaceable(output, key, release.id)
    licence = _committed(vault, _begun(vault, recipient, release, output), release)
    try:
        maker = _Maker(vault, recipient, release, licence, max_pixels)
        outcome, unmarked, behind = Outcome(), 0, 0
        with LicenceWriter(output, key, release.id) as writer:
            for page in _pages(vault.ledger.records(release.id)):
                todo, held = _parted(vault, licence, page, former)
                for digest, box in held:
                    writer.put_box(digest, box)
                outcome.skipped += len(held)

                def commit(batch: list[_Made]) -> None:
                    nonlocal unmarked
                    for one in batch:
                        writer.put(one.digest, one.entry)
                    unmarked += sum(one.unmarked for one in batch)
                    _put_records(vault, licence, [one.record for one in batch])

                for done in pipeline.run(todo, maker.make, commit, outcome):
                    label = f"Licensing for {recipient.name}"
                    at = behind + len(held) + done
                    yield Progress(at / total, f"{label}: {at} of {total}")
                behind += len(page)
            if not writer.images:
                raise InputError(_nothing(release, outcome))
            header = _header(vault, recipient, licence, days, writer.images)
            size = writer.finish(header)
    except BaseException as error:
        stopped = isinstance(error, GeneratorExit | KeyboardInterrupt)
        state: ReleaseState = "cancelled" if stopped else "failed"
        vault.ledger.put_release(replace(licence, state=state))
        raise
    finally:
        if former is not None:
            former.close()
    _close(vault, licence, header, outcome, total)
    return LicenseSummary(header, str(output), size, outcome, unmarked)


@dataclass(frozen=True)
class _Copy:
    """A published file."""

    sample_id: str
    path: str
    record: Record


@dataclass(frozen=True, eq=False)
class _Made:
    """What makes one licensed copy, proven.

    Attributes:
        digest: of the published copy.
        entry: what makes the licensed one of it.
        record: of the licensed one, for the ledger.
        unmarked: whether that is the original.
    """

    digest: bytes
    entry: LicenceEntry
    record: Record
    unmarked: bool

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return len(self.entry.difference) + len(self.record.blob)


@dataclass(frozen=True, eq=False)
class _Licensed:
    """A licensed copy, and how it differs from the published one."""

    digest: bytes
    original: bytes
    lost: bytes
    difference: bytes
    psnr: float


class _Maker:
    """Makes licensed copies of published files. Usable from threads."""

    def __init__(
        self,
        vault: Vault,
        recipient: Recipient,
        release: Release,
        licence: Release,
        max_pixels: int,
    ) -> None:
        self._vault_id = vault.vault_id
        self._recipient = recipient
        self._licence = licence
        self._max_pixels = max_pixels
        self._originals = Originals(vault)
        self._mark_key = vault.derive("watermark")
        self._sample_key = vault.derive("sample-id")
        owner_key = vault.derive_newest("owner-box")
        self._owner_key = records.release_key(owner_key, licence.id)
        self._seed = vault.code_seed(recipient)
        self._amplitude = int(release.parameters["mark_amplitude"])
        self._epsilon = int(release.parameters["epsilon"])

    def make(self, copy: _Copy) -> _Made:
        """One licensed copy.

        Raises:
            UnreadableImageError, UnsupportedImageError: the file can't be read.
            EditedImageError: it isn't what was published.
            VerificationError: the licensed copy wouldn't come out exactly.
            ReueError: the original doesn't come out of it, see
                :class:`~fiftyone_reue.releases.originals.Originals`.
        """
        record = copy.record
        with named(copy.sample_id):
            loaded = load(copy.path, max_pixels=self._max_pixels)
            published = loaded.raster
            blob = record.blob if loaded.record is None else loaded.record
            envelope = records.unpack(blob)
            if envelope.header.digest != record.digest_p:
                raise EditedImageError(
                    "This isn't the file that was published; publish it again, then "
                    "make the licence"
                )
            original = self._originals.original(published, blob, "")
            peak = envelope.header.peak
            mark = self._mark(record.image_id, original)
            if envelope.header.in_coefficients:
                made = self._in_coefficients(published, original, mark)
            else:
                made = _in_pixels(published, original, mark, peak)
        sample = sample_hash(self._sample_key, self._licence.id, copy.sample_id)
        header = records.Header(
            "licensed",
            self._vault_id,
            self._licence.id,
            sample,
            self._recipient.key_id,
            made.digest,
            envelope.header.version,
            peak,
            nonces=True,
        )
        owner = OwnerPart(
            self._recipient.id,
            record.image_id,
            self._amplitude,
            made.lost,
            made.original,
            visible=original.has_alpha,
        )
        sealed = records.seal_licensed(header, self._owner_key, owner)
        return _Made(
            record.digest_p,
            LicenceEntry(
                sample,
                made.digest,
                header.version,
                peak,
                sealed.owner_box,
                made.difference,
            ),
            replace(
                record,
                id=f"{self._licence.id}-{sample}",
                release_id=self._licence.id,
                digest_p=b"",
                digest_w=made.digest,
                blob=sealed.pack(),
                psnr=made.psnr,
                created=time.time(),
                copy_digest=b"",
            ),
            made.digest == made.original,
        )

    def _mark(self, image_id: str, original: Raster) -> np.ndarray:
        height, width = original.height, original.width
        code = codes.code(self._seed, image_id, patterns.bit_count(height, width))
        mark = embed.mark(
            self._mark_key, image_id, code, height, width, self._amplitude
        )
        return embed.spared(mark, original.samples, original.colour_channels)

    def _in_coefficients(
        self, published: Raster, original: Raster, mark: np.ndarray
    ) -> _Licensed:
        before, found = jpeg_coefficients(published), jpeg_coefficients(original)
        if before is None or found is None:
            raise UnsupportedImageError("A JPEG was published, and this isn't one")
        beside = beside_of(found, original.samples)
        held = marked(found, mark[..., 0], self._amplitude, self._epsilon, beside)
        licensed = added(found, held.offsets)
        lost = packed_limits(held.limits)
        blocks = [one.blocks for one in before.components]
        wanted = [one.blocks for one in licensed.components]
        difference = differences.between_blocks(blocks, wanted)
        made = before.with_blocks(differences.applied_blocks(blocks, difference))
        back = subtracted(made, mark_offsets(made, mark, lost))
        if not (same_picture(made, licensed) and same_picture(back, found)):
            raise _inexact()
        return _Licensed(
            coefficient_digest(licensed),
            coefficient_digest(found),
            lost,
            difference,
            psnr(original.samples, jpeg.shown(licensed), original.colour_channels),
        )


def _in_pixels(
    published: Raster, original: Raster, mark: np.ndarray, peak: int | None
) -> _Licensed:
    before, colours = published.samples, published.colour_channels
    licensed, lost = offsets.add(original.samples, mark, colours, peak)
    difference = differences.between(before, licensed, colours)
    made = differences.applied(before, difference, colours)
    back = offsets.subtract(made, mark, colours, lost, peak)
    if not (np.array_equal(made, licensed) and np.array_equal(back, original.samples)):
        raise _inexact()
    return _Licensed(
        sample_digest(licensed),
        sample_digest(original.samples),
        lost,
        difference,
        psnr(original.samples, licensed, colours, peak),
    )


def _inexact() -> VerificationError:
    return VerificationError(
        "The licensed copy wouldn't come out exactly, so the licence isn't for this "
        "image; please report it"
    )


def _begun(
    vault: Vault, recipient: Recipient, release: Release, output: Path
) -> Release:
    """The ledger's entry of this recipient's licence for a release, as running."""
    now = time.time()
    at = str(output.resolve())
    for known in vault.ledger.releases(recipient.id):
        if known.parameters.get(LICENCE_OF) == release.id:
            licence = replace(known, output=at, state="running", updated=now)
            vault.ledger.put_release(licence)
            return licence
    licence_id = prepare.new_id()
    seed = prepare.load_seed(vault, release)
    licence = Release(
        id=licence_id,
        name=f"{recipient.name}-{release.name}",
        recipient_id=recipient.id,
        method=release.method,
        source=release.output,
        output=at,
        parameters={**release.parameters, LICENCE_OF: release.id, "issue": 0},
        state="running",
        fit_id=release.fit_id,
        commitment=prepare.commitment(vault),
        created=now,
        updated=now,
        finished=None,
        counts={},
        scores={},
        sealed_seed=vault.seal(prepare.SEED, licence_id, seed),
    )
    vault.ledger.put_release(licence)
    return licence


def _committed(vault: Vault, licence: Release, release: Release) -> Release:
    """The licence, committed to the images that were published by now.

    Raises:
        TamperedLedgerError: the ledger has lost a recipient or an earlier commitment.
    """
    mark_key = vault.derive("watermark")
    originals = []
    for record in vault.ledger.records(release.id):
        image = vault.ledger.image(record.image_id)
        if image is not None:
            key = patterns.carrier_key(mark_key, image.id)
            originals.append(Original(image.id, image.digest, key))
    return commit_to(vault, licence, originals)


def _header(
    vault: Vault, recipient: Recipient, licence: Release, days: int, images: int
) -> LicenceHeader:
    now = time.time()
    return LicenceHeader(
        licence=licence.id,
        vault=vault.vault_id,
        release=licence.parameters[LICENCE_OF],
        recipient=recipient.name,
        recipient_key=recipient.key_id,
        issue=int(licence.parameters["issue"]) + 1,
        issued=now,
        expires=now + days * _DAY if days else None,
        images=images,
        commitment=licence.commitment,
    )


def _close(
    vault: Vault, licence: Release, header: LicenceHeader, outcome: Outcome, total: int
) -> None:
    now = time.time()
    told = {"issue": header.issue, "expires": header.expires}
    counts = {
        "total": total,
        "protected": header.images,
        "failed": len(outcome.failures),
    }
    vault.ledger.put_release(
        replace(
            licence,
            parameters={**licence.parameters, **told},
            state="done",
            updated=now,
            finished=now,
            counts=counts,
        )
    )


def _parted(
    vault: Vault, licence: Release, page: list[Record], former: LicenceReader | None
) -> tuple[list[_Copy], list[tuple[bytes, bytes]]]:
    """What is to be done of a page, and digests and boxes that can be taken over."""
    folder = place(licence.source)
    todo, held = [], []
    known: dict[str, Record] = {}
    if former is not None:
        ids = [record.sample_id for record in page]
        known = {one.sample_id: one for one in vault.ledger.records(licence.id, ids)}
    for record in page:
        box = None
        if former is not None and record.sample_id in known:
            box = _kept(former, record.digest_p, known[record.sample_id].digest_w)
        if box is None:
            path = str(contained.inside(folder, record.output))
            todo.append(_Copy(record.sample_id, path, record))
        else:
            held.append((record.digest_p, box))
    return todo, held


def _kept(former: LicenceReader, published: bytes, licensed: bytes) -> bytes | None:
    """The box of a licence that makes this copy of that one, or None."""
    try:
        entry = former.entry(published)
    except ReueError:
        return None  # it is made anew
    same = entry is not None and entry.digest == licensed
    return former.box(published) if same else None


def _put_records(vault: Vault, licence: Release, made: list[Record]) -> None:
    """Enter licensed copies; those of other originals that they replace are kept."""
    new = {one.sample_id: one.digest_w for one in made}
    old = vault.ledger.records(licence.id, list(new))
    keep(vault.ledger, [one for one in old if one.digest_w != new[one.sample_id]])
    vault.ledger.put_records(made)


def _pages(found: Iterable[Record]) -> Iterable[list[Record]]:
    page: list[Record] = []
    for record in found:
        page.append(record)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _nothing(release: Release, outcome: Outcome) -> str:
    reasons = pipeline.first_failures(outcome.failures)
    return (
        f"None of the images of release {release.name} can be licensed; its folder "
        f"{release.output} must be there as it was published\n{reasons}"
    )
