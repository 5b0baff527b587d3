"""Protect: ``O -> W -> P``, verified before anything is written."""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Container, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fiftyone_reue import manifest, outputs, pipeline, reversal
from fiftyone_reue.changes import Changes, digest_of, find_changes, refresh
from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    OutputError,
    UnsupportedImageError,
    VaultError,
    VerificationError,
    named,
)
from fiftyone_reue.items import Item, with_distinct_outputs
from fiftyone_reue.media import alpha, offsets, viewers
from fiftyone_reue.media.allowed import allowed
from fiftyone_reue.media.codec import (
    encode,
    load,
    read_file,
    release_format,
    suffix,
)
from fiftyone_reue.media.depth import require_levels, with_range
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.media.displayed import NOTABLE, largest_shown
from fiftyone_reue.media.original import describe
from fiftyone_reue.media.raster import DEFAULT_MAX_PIXELS, Raster
from fiftyone_reue.perturb.base import Method, State
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.pipeline import Outcome
from fiftyone_reue.release import (
    ProtectConfig,
    check_same,
    clustered_items,
    fitted_state,
    open_release,
    release_in,
    require_enough,
    sample_key,
)
from fiftyone_reue.steps import Progress, mapped
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import Image, Recipient, Record, Release
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import carriers, codes, embed, match, read
from fiftyone_reue.withdraw import keep, remove_leftovers, withdraw

_LOOKING = 0.1
"""The share of a run's progress that looking for changes has."""

LARGEST_LEDGER_FILE = 8 << 10
"""What describes an original file goes into the ledger too, up to so many bytes."""

FOUND_RANGE = (
    "16-bit samples don't use their whole range: epsilon and PSNR are of the largest "
    "value that the file states or that was found; --depth says otherwise"
)

LEAST_SEEN = 16
"""An image of which fewer pixels are seen, the others being transparent, is refused."""


@dataclass(frozen=True)
class Protected:
    """One protected image, ready to be written.

    Attributes:
        item: what it was made from.
        data: the file's bytes.
        record: its ledger entry; ``record.output`` is the file below the release.
        image: the original's ledger entry.
        payload: the watermark's code bits as hex digits.
        converted: whether the original's format could not be kept.
        notes: what the owner should know of this image.
        withheld: kinds of what its file holds and the copy doesn't; sealed for the
            owner.
        differs: why the owner won't get this very file back, only its pixels and
            metadata; None: byte for byte.
    """

    item: Item
    data: bytes
    record: Record
    image: Image
    payload: str
    converted: bool
    notes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    differs: str | None = None

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.data)


@dataclass(frozen=True)
class ProtectSummary:
    """What a protect run did.

    Attributes:
        release: as stored in the ledger.
        recipient: the recipient's name.
        outcome: counts and failures of this run.
        total: images in the job.
        converted: images of this run written as PNG, their own format being lossy.
        psnr: mean over the release in dB, or None without any image.
        notes: what the owner should know, with how many images of this run it is so.
        withheld: kinds of what the originals' files hold and the copies don't, with
            how many images of this run have it; sealed for the owner.
        differing: of the images of this run whose original file won't come back byte
            for byte (its pixels and metadata will), by sample id, why.
        changed: images of this run that had a copy, of another original or class.
        obsolete: samples with a copy in the folder and no original any more.
        pruned: such copies that this run took out of the folder.
        moved_from: the source's name before, if it has another now.
    """

    release: Release
    recipient: str
    outcome: Outcome
    total: int
    converted: int
    psnr: float | None
    notes: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    changed: int = 0
    obsolete: list[str] = field(default_factory=list)
    pruned: int = 0
    moved_from: str | None = None

    def told(self) -> list[str]:
        """What the owner should know of the files of this run, a sentence each."""
        lines = [f"{_of_images(count)}: {note}." for note, count in self.notes.items()]
        if self.withheld:
            kinds = ", ".join(
                f"{kind} ({count})" for kind, count in self.withheld.items()
            )
            lines.append(
                "Withheld from the copies and sealed for you, with how many files have "
                f"it: {kinds}."
            )
        reasons = Counter(self.differing.values())
        for why, count in reasons.items():
            lines.append(
                f"{_of_images(count)}: the original file won't come back byte for "
                f"byte: {why}. --whole-files seals it."
            )
        return lines


@dataclass(frozen=True)
class Secrets:
    """The keys that protecting needs, derived once a run."""

    image_id: bytes
    sample: bytes
    mark: bytes
    owner_box: bytes
    code_seed: bytes
    recipient: RecipientKey
    release_seed: bytes

    @classmethod
    def of(cls, vault: Vault, recipient: Recipient, release_seed: bytes) -> Secrets:
        """Derive them."""
        return cls(
            image_id=vault.derive("image-id"),
            sample=vault.derive("sample-id"),
            mark=vault.derive("watermark"),
            owner_box=vault.derive_newest("owner-box"),
            code_seed=vault.code_seed(recipient),
            recipient=vault.recipient_key(recipient),
            release_seed=release_seed,
        )


def image_id(key: bytes, digest: bytes) -> str:
    """An original's id: 32 hex digits that tell nothing without the key."""
    return hashlib.blake2b(digest, key=key, digest_size=16).hexdigest()


def sample_hash(key: bytes, release_id: str, sample_id: str) -> str:
    """A sample's id in a public header: 16 hex digits."""
    named = f"{release_id}\0{sample_id}".encode()
    return hashlib.blake2b(named, key=key, digest_size=8).hexdigest()


def protect(
    vault: Vault,
    recipient_name: str,
    items: Sequence[Item],
    output: Path,
    *,
    name: str,
    source: str,
    config: ProtectConfig,
    on_batch: Callable[[Release, list[Protected]], None] | None = None,
    prune: bool = False,
    elsewhere: Container[str] = frozenset(),
) -> Generator[Progress, None, ProtectSummary]:
    """Make or complete a release, or bring it up to date.

    Run it again after any interruption, or when originals changed: copies that are
    there, whole, and made of the same bytes and the same class are kept, the rest is
    done. The source may have been renamed, as long as most of the release's images
    are in it.

    Args:
        vault: the owner's.
        recipient_name: for whom.
        items: the originals, each with a label unless clusters are to be the classes.
        output: the release's folder.
        name: what a new release is called.
        source: where the originals come from (folder or dataset), part of the
            release's identity.
        config: how.
        on_batch: told of every batch after its files and records are safe.
        prune: take copies that have no original any more out of the folder; see
            :mod:`fiftyone_reue.withdraw`.
        elsewhere: samples that have an original and are not in this job.

    Yields:
        Progress. Closing the generator cancels; what was finished is kept.

    Returns:
        The summary.

    Raises:
        InputError, RevokedKeyError, OutputError, LedgerUnavailableError.
    """
    config.check()
    recipient = vault.recipient(recipient_name)
    if not items:
        raise InputError("There is no image to protect")
    if config.clusters is None:
        _require_labels(items)
    require_enough(vault, items, source, config)
    vault.require_active(recipient)
    before = release_in(vault, output)
    changes = Changes()
    if before is not None:
        check_same(vault, before, recipient, config, before.source)
        looking = find_changes(
            vault.ledger,
            before,
            items,
            elsewhere=elsewhere,
            by_label=config.clusters is None,
            max_pixels=config.max_pixels,
        )
        changes = yield from mapped(
            looking, lambda p: Progress(_LOOKING * p.fraction, p.label)
        )
    release, seed = open_release(
        vault,
        recipient,
        name=name,
        source=source,
        output=output,
        config=config,
        moved=2 * changes.same > changes.known,
    )
    outcome = Outcome()
    converted = changed = pruned = 0
    notes: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    differing: dict[str, str] = {}
    obsolete = changes.obsolete
    try:
        refresh(vault.ledger, release, changes)
        planned = with_distinct_outputs(items, changes.outputs, changes.relabelled)
        todo = [item for item in planned if item.sample_id not in changes.current]
        outcome.skipped = len(planned) - len(todo)
        begun = share = _LOOKING if changes.known else 0.0
        if todo:
            if config.clusters is not None:
                start, begun = begun, begun + 0.1
                sorting = clustered_items(vault, planned, release, config)
                planned, release = yield from mapped(
                    sorting, lambda p: Progress(start + 0.1 * p.fraction, p.label)
                )
                todo = [i for i in planned if i.sample_id not in changes.current]
            share = begun if release.fit_id else 0.5
            steps = fitted_state(vault, planned, release, config)
            state, release = yield from mapped(
                steps,
                lambda p: Progress(begun + (share - begun) * p.fraction, p.label),
            )
            outputs.prepare(output)
            manifest.write(vault, release, recipient, outcome)
            secrets = Secrets.of(vault, recipient, seed)
            method = create_method(config.method)

            def work(item: Item) -> Protected:
                return protect_image(
                    item,
                    release,
                    secrets,
                    method,
                    state,
                    vault,
                    max_pixels=config.max_pixels,
                    depth=config.depth,
                    whole_files=config.whole_files,
                )

            def commit(batch: list[Protected]) -> None:
                nonlocal converted, changed
                outputs.write_below(output, [(b.record.output, b.data) for b in batch])
                vault.ledger.put_images([b.image for b in batch])
                _put_records(vault.ledger, release, changes, batch)
                converted += sum(b.converted for b in batch)
                for one in batch:
                    notes.update(one.notes)
                    withheld.update(one.withheld)
                    if one.differs is not None:
                        differing[one.item.sample_id] = one.differs
                made = {b.item.sample_id for b in batch}
                changed += len(made & (changes.changed | changes.moved.keys()))
                if on_batch is not None:
                    on_batch(release, batch)

            for behind in pipeline.run(todo, work, commit, outcome):
                fraction = share + (1 - share) * behind / len(todo)
                label = f"Protecting for {recipient.name}: {behind} of {len(todo)}"
                yield Progress(fraction, label)
        else:
            outputs.prepare(output)  # a kill may have come while the manifest was made
        if before is not None:
            remove_leftovers(vault.ledger, release)
        if prune and obsolete:
            pruned = withdraw(vault.ledger, release, obsolete)
            obsolete = []
        release = _close(vault, release, outcome, "done", len(items))
    except (GeneratorExit, KeyboardInterrupt):
        _note_end(vault, release, recipient, outcome, "cancelled", len(items))
        raise
    except LedgerUnavailableError:
        raise  # nothing can be noted in a ledger that is gone
    except BaseException:
        _note_end(vault, release, recipient, outcome, "failed", len(items))
        raise
    psnr = manifest.write(vault, release, recipient, outcome)
    moved_from = before.source if before and before.source != source else None
    return ProtectSummary(
        release,
        recipient.name,
        outcome,
        len(items),
        converted,
        psnr,
        dict(notes),
        dict(withheld),
        differing,
        changed,
        obsolete,
        pruned,
        moved_from,
    )


def withdraw_obsolete(vault: Vault, summary: ProtectSummary) -> ProtectSummary:
    """Take the copies that a run named obsolete out of the release's folder.

    Raises:
        OutputError: a file can't be deleted, or the manifest can't be written.
        LedgerUnavailableError: the ledger can't be reached.
    """
    release = summary.release
    recipient = vault.recipient(release.recipient_id)
    pruned = withdraw(vault.ledger, release, summary.obsolete)
    release = _close(vault, release, summary.outcome, "done", summary.total)
    psnr = manifest.write(vault, release, recipient, summary.outcome)
    return replace(summary, release=release, psnr=psnr, obsolete=[], pruned=pruned)


def protect_image(
    item: Item,
    release: Release,
    secrets: Secrets,
    method: Method,
    state: State,
    vault: Vault,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    depth: int | None = None,
    whole_files: bool = False,
) -> Protected:
    """Protect one image in memory and prove that it can be given back.

    Args:
        item: the original.
        release: what it is protected for.
        secrets: the vault's and the recipient's.
        method: what perturbs it.
        state: what that was fitted to.
        vault: the owner's.
        max_pixels: larger images are refused before they are decoded.
        depth: bits that 16-bit data has, see :func:`media.depth.with_range`.
        whole_files: see :func:`media.original.describe`.

    Raises:
        UnreadableImageError, UnsupportedImageError: the image can't be used.
        InputError: it is a protected copy itself, or of an unknown class.
        VerificationError: the result would not restore exactly.
    """
    source = read_file(item.path, name=item.sample_id)
    loaded = load(source, name=item.sample_id, max_pixels=max_pixels)
    if loaded.record is not None:
        raise InputError(
            f"{item.sample_id}: this is a protected or licensed copy already; protect "
            "the original"
        )
    with named(item.sample_id):
        raster = with_range(loaded.raster, depth)
        require_levels(raster)
    peak = raster.peak
    height, width, colours = raster.height, raster.width, raster.colour_channels
    if min(height, width) < carriers.SMALLEST_SIDE:
        raise UnsupportedImageError(
            f"{item.sample_id}: {width} x {height} pixels are too few to carry a mark; "
            f"use images of at least {carriers.SMALLEST_SIDE} pixels a side"
        )
    original = raster.samples
    if alpha.seen(original, colours) < LEAST_SEEN:
        raise UnsupportedImageError(
            f"{item.sample_id}: all but {alpha.seen(original, colours):.0f} of its "
            "pixels are transparent, too few to carry a mark that could be seen; leave "
            "it out, or take its alpha channel off if that isn't about transparency"
        )
    digest_o = sample_digest(original)
    image = image_id(secrets.image_id, digest_o)
    amplitude = int(release.parameters["mark_amplitude"])
    bits = carriers.bit_count(height, width)
    code = codes.code(secrets.code_seed, image, bits)
    mark = embed.mark(secrets.mark, image, code, height, width, amplitude)
    mark = embed.spared(mark, original, colours)
    licensed, lost_w = offsets.add(original, mark, colours, peak)
    digest_w = sample_digest(licensed)
    perturbed = reversal.perturb(
        method,
        state,
        licensed,
        colours,
        item.label or "",
        sample_key(secrets.release_seed, item.sample_id),
        name=item.sample_id,
        peak=peak,
    )
    protected = perturbed.samples
    content = reversal.smallest(
        perturbed, licensed, colours, name=item.sample_id, peak=peak
    )
    digest_p = sample_digest(protected)
    sample = sample_hash(secrets.sample, release.id, item.sample_id)
    file = describe(source, loaded, Path(item.path).suffix, whole=whole_files)
    envelope = records.seal_protected(
        records.Header(
            "protected",
            vault.vault_id,
            release.id,
            sample,
            secrets.recipient.key_id,
            digest_p,
            content.version,
            None if raster.white is None else peak,
        ),
        secrets.recipient.key,
        records.RecipientPart(content.data, digest_w),
        secrets.owner_box,
        records.OwnerPart(
            secrets.recipient.recipient_id,
            image,
            amplitude,
            lost_w,
            digest_o,
            visible=raster.has_alpha,
        ),
        file.content,
    )
    blob = envelope.pack()
    kind = release_format(raster)
    carried = allowed(raster.metadata, kind)
    data = encode(Raster(protected, raster.format, carried.metadata), kind, blob)
    again = load(data, name=item.sample_id, max_pixels=max_pixels)
    _verify(item, again.raster.samples, again.record, protected, blob)
    _verify_restores(item, licensed, mark, lost_w, original, colours, peak)
    _verify_opens(item, data, source)
    now = time.time()
    return Protected(
        item=item,
        data=data,
        record=Record(
            id=f"{release.id}-{sample}",
            release_id=release.id,
            sample_id=item.sample_id,
            image_id=image,
            label=item.label,
            source=item.path,
            output=item.output + suffix(kind),
            digest_p=digest_p,
            digest_w=digest_w,
            blob=_ledgers_copy(envelope).pack(),
            psnr=psnr(original, protected, colours, peak),
            created=now,
            file_digest=digest_of(source),
            copy_digest=digest_of(data),
        ),
        image=Image(
            id=image,
            digest=digest_o,
            source=item.path,
            label=item.label,
            height=height,
            width=width,
            descriptor=match.descriptors(
                read.luma(original, colours, peak), alpha.opacity(original, colours)
            ),
        ),
        payload=codes.code_bytes(secrets.code_seed, image, bits).hex(),
        converted=kind != raster.format,
        notes=_notes(raster, int(release.parameters["epsilon"]), depth),
        withheld=tuple(dict.fromkeys(loaded.left_out + carried.withheld)),
        differs=file.differs,
    )


def psnr(
    original: np.ndarray, changed: np.ndarray, colours: int, peak: int | None = None
) -> float:
    """Peak signal-to-noise ratio over the colour channels, in dB; 99 at most.

    The peak is that of the data's range, by default the samples' type's.
    """
    wide = np.int16 if original.dtype == np.uint8 else np.int32
    difference = changed[..., :colours].astype(wide) - original[..., :colours]
    flat = difference.ravel().astype(np.float32)
    mse = float(flat @ flat) / flat.size
    peak = peak or int(np.iinfo(original.dtype).max)
    return 99.0 if mse == 0 else min(99.0, 10 * math.log10(peak * peak / mse))


def _of_images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _verify(
    item: Item,
    decoded: np.ndarray,
    record: bytes | None,
    protected: np.ndarray,
    blob: bytes,
) -> None:
    if record != blob or not np.array_equal(decoded, protected):
        raise VerificationError(
            f"{item.sample_id}: the encoded file doesn't decode to what was protected, "
            "so it was not written; please report this image's format"
        )


def _verify_restores(
    item: Item,
    after: np.ndarray,
    offset: np.ndarray,
    lost: bytes,
    before: np.ndarray,
    colours: int,
    peak: int,
) -> None:
    again = offsets.subtract(after, offset, colours, lost, peak)
    if not np.array_equal(again, before):
        raise VerificationError(
            f"{item.sample_id}: it would not restore exactly, so it was not written"
        )


def _verify_opens(item: Item, data: bytes, source: bytes) -> None:
    """Nobody may lose an image because a reader refuses what travels with it."""
    lost = set(viewers.unopened(data))
    if lost:
        lost -= set(viewers.unopened(source))
    if lost:
        raise VerificationError(
            f"{item.sample_id}: {' and '.join(sorted(lost))} would open the original "
            "but not the protected copy, so it was not written; please report this "
            "image's format"
        )


def _ledgers_copy(envelope: records.Envelope) -> records.Envelope:
    """What the ledger keeps of a record; whole files stay in the copies alone."""
    if len(envelope.file_box) <= LARGEST_LEDGER_FILE:
        return envelope
    return envelope.without_file()


def _notes(raster: Raster, epsilon: int, depth: int | None) -> tuple[str, ...]:
    notes = []
    if raster.white is not None and depth is None:
        notes.append(FOUND_RANGE)
    shown = largest_shown(raster, epsilon)
    if shown > NOTABLE * epsilon:
        notes.append(
            f"a change of {epsilon} is shown as up to {shown} of 255 in dark parts: "
            "the file's gamma or colour profile brightens what is stored; choose a "
            "smaller epsilon if that is too much"
        )
    return tuple(notes)


def _require_labels(items: Sequence[Item]) -> None:
    unlabelled = [item.sample_id for item in items if item.label is None]
    if unlabelled:
        raise InputError(
            f"{len(unlabelled)} images have no class, {unlabelled[0]} for one; the "
            "perturbation is made class by class. Label them, leave them out, or take "
            "clusters of images that look alike as the classes (--clusters N)"
        )


def _put_records(
    ledger: Ledger, release: Release, changes: Changes, batch: Sequence[Protected]
) -> None:
    """Store new records; those of other copies that they replace are kept for tracing.

    The files are there already. What they replace goes when its record is safe.
    """
    new = {one.record.sample_id: one.record for one in batch}
    gone = {changes.moved[one]: one for one in new if one in changes.moved}
    had = [one for one in new if one in changes.outputs]
    old = []
    for record in ledger.records(release.id, [*had, *gone]):
        instead = new[gone.get(record.sample_id, record.sample_id)]
        if (record.digest_p, record.output) != (instead.digest_p, instead.output):
            old.append(record)
    keep(ledger, old)
    ledger.put_records(list(new.values()))
    ledger.delete_records(release.id, list(gone))
    remove_leftovers(ledger, release, old)


def _note_end(
    vault: Vault,
    release: Release,
    recipient: Recipient,
    outcome: Outcome,
    state: str,
    total: int,
) -> None:
    """Write down how a run ended early; what ended it is the error to show."""
    with contextlib.suppress(VaultError, OutputError):
        closed = _close(vault, release, outcome, state, total)
        manifest.write(vault, closed, recipient, outcome)


def _close(
    vault: Vault, release: Release, outcome: Outcome, state: str, total: int
) -> Release:
    now = time.time()
    counts = {
        "total": total,
        "protected": vault.ledger.count_records(release.id),
        "failed": len(outcome.failures),
    }
    closed = replace(
        release,
        state=state,  # type: ignore[arg-type]
        updated=now,
        finished=now if state == "done" else release.finished,
        counts=counts,
    )
    vault.ledger.put_release(closed)
    return closed
