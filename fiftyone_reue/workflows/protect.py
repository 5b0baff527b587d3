"""Protect: make or complete a release, in batches that an interruption keeps."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import (
    Callable,
    Container,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from fiftyone_reue.batch import outputs, pipeline
from fiftyone_reue.batch.classes import only_class
from fiftyone_reue.batch.engines import LOCAL, PROCESSES, require_engine
from fiftyone_reue.batch.items import Item, with_distinct_folders, with_distinct_outputs
from fiftyone_reue.batch.litter import LITTER
from fiftyone_reue.batch.pipeline import Failure, Outcome
from fiftyone_reue.batch.stored import objects_below
from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    OutputError,
    VaultError,
)
from fiftyone_reue.media.visibility import advice
from fiftyone_reue.names.display import count as counted
from fiftyone_reue.names.filenames import portable, shown
from fiftyone_reue.perturb.class_map import ClassMap
from fiftyone_reue.perturb.weaker import weaker
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.changes import (
    Changes,
    digest_of,
    find_changes,
    refresh,
)
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.prepare import (
    check_same,
    clustered_items,
    fitted_state,
    open_release,
    release_in,
    require_enough,
)
from fiftyone_reue.releases.withdraw import keep, remove_leftovers, withdraw
from fiftyone_reue.stores.address import Address, Place, place
from fiftyone_reue.vault.commitments import commit_to
from fiftyone_reue.vault.entities import ANNOTATED_DIGEST, Recipient, Release
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.protect_image import Look, Protected, Secrets, Seen
from fiftyone_reue.workflows.protect_work import Protecting, Task

_COMMITTING = 0.1
"""The share of what is left of it that reading the originals has, to commit to them."""

_LOOKING = 0.1
"""The share of a run's progress that looking for changes has."""

SHOWN_NAMES = 5

LOOKED_AT = 6
"""Of so many images of a run the visibility is measured, if not of all."""

_NOTHING = ClassMap((), np.zeros((1, 1), np.uint8))

KEPT_FAILURES = 1000
"""So many failures of a release's last run are kept in the ledger."""


class Annotations(Protocol):
    """A file that says what is in the images, and goes along with their copies."""

    @property
    def name(self) -> str: ...

    def released(self, outputs: Mapping[str, str]) -> bytes:
        """Its bytes, for these copies' paths by sample."""


@dataclass(frozen=True)
class ProtectSummary:
    """What a protect run did.

    Attributes:
        release: as stored in the ledger.
        recipient: the recipient's name.
        outcome: counts and failures of this run.
        total: images in the job.
        converted: how many images of each format this run had to write as PNG.
        psnr: mean over the release in dB, or None without any image.
        notes: what the owner should know, with how many images of this run it is so.
        noted: the first of these images, by note.
        withheld: kinds of what the originals' files hold and the copies don't, with
            how many images of this run have it; sealed for the owner.
        differing: of the images of this run whose original file won't come back byte
            for byte (its pixels and metadata will), by sample id, why.
        changed: images of this run that had a copy, of another original or class.
        obsolete: samples with a copy in the folder and no original any more.
        pruned: such copies that this run took out of the folder.
        moved_from: the source's name before, if it has another now.
        strangers: files in the folder that aren't of the release.
        visibility: of the images of this run that it was measured of, by sample id,
            their SSIMULACRA2 (:mod:`fiftyone_reue.media.visibility`).
    """

    release: Release
    recipient: str
    outcome: Outcome
    total: int
    converted: Mapping[str, int]
    psnr: float | None
    notes: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    changed: int = 0
    obsolete: list[str] = field(default_factory=list)
    pruned: int = 0
    moved_from: str | None = None
    strangers: list[str] = field(default_factory=list)
    visibility: dict[str, float] = field(default_factory=dict)
    noted: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ssimulacra2(self) -> float | None:
        """The mean of :attr:`visibility`, or None of nothing."""
        if not self.visibility:
            return None
        return sum(self.visibility.values()) / len(self.visibility)

    def notices(self) -> list[str]:
        """What the owner should know of the files of this run, a sentence each."""
        lines = [
            f"{counted(count, 'image')} ({_few(self.noted[note], count)}): {note}."
            for note, count in self.notes.items()
        ]
        told = advice(self.ssimulacra2, self.release.parameters.get("quality"))
        if told is not None:
            lines.insert(0, told)
        if self.withheld:
            kinds = ", ".join(
                f"{kind} ({count})" for kind, count in self.withheld.items()
            )
            lines.append(
                "Withheld from the copies and sealed for you, with how many files have "
                f"it: {kinds}."
            )
        if self.strangers:
            lines.append(
                f"In the folder, but not of this release: {_few(self.strangers)}. "
                "Remove what you don't want to hand out."
            )
        reasons = Counter(self.differing.values())
        for why, count in reasons.items():
            lines.append(
                f"{counted(count, 'image')}: the original file won't come back byte "
                f"for byte: {why}. --whole-files seals it."
            )
        return lines


def protect_folder(
    vault: Vault,
    recipient_name: str,
    items: Sequence[Item],
    source: Place,
    output: Place,
    *,
    config: ProtectConfig,
    prune: bool = False,
    annotations: Annotations | None = None,
) -> Generator[Progress, None, ProtectSummary]:
    """:func:`protect` what was read from a folder.

    The release is named for its recipient and its folder, and is known by the whole
    path of its source.

    Args:
        vault: the owner's.
        recipient_name: for whom, by their own name or the one shown.
        items: of :func:`fiftyone_reue.batch.folders.read_source`.
        source: the folder that they were read from.
        output: the release's folder.
        config: how.
        prune: as for :func:`protect`.
        annotations: as for :func:`protect`.
    """
    own = vault.recipient(recipient_name).name
    return protect(
        vault,
        own,
        items,
        output,
        name=f"{own.strip('()')}-{output.resolve().name}",
        source=str(source.resolve()),
        config=config,
        prune=prune,
        annotations=annotations,
    )


def protect(
    vault: Vault,
    recipient_name: str,
    items: Sequence[Item],
    output: Place,
    *,
    name: str,
    source: str,
    config: ProtectConfig,
    on_batch: Callable[[Release, list[Protected]], None] | None = None,
    prune: bool = False,
    elsewhere: Container[str] = frozenset(),
    annotations: Annotations | None = None,
) -> Generator[Progress, None, ProtectSummary]:
    """Make or complete a release, or bring it up to date.

    Run it again after any interruption, or when originals changed: copies that are
    there, whole, and made of the same bytes and the same class are kept, the rest is
    done. The source may have been renamed, as long as most of the release's images
    are in it.

    Args:
        vault: the owner's.
        recipient_name: for whom, by their own name or the one shown.
        items: the originals, each with a label unless clusters are to be the classes.
        output: the release's folder.
        name: what a new release is called.
        source: where the originals come from (folder or dataset), part of the
            release's identity.
        config: how.
        on_batch: told of every batch after its files and records are safe.
        prune: take copies that have no original any more out of the folder; see
            :mod:`fiftyone_reue.releases.withdraw`.
        elsewhere: samples that have an original and are not in this job.
        annotations: a file that is to go along with the copies.

    Yields:
        Progress. Closing the generator cancels; what was finished is kept.

    Returns:
        The summary.

    Raises:
        InputError: something can't be used as it was given; says what to do.
        RevokedKeyError: the recipient was revoked.
        OutputError: a file can't be written.
        LedgerUnavailableError: the ledger can't be reached or written.
        MissingPackageError, EngineError: what is to do the work isn't there.
    """
    config.check()
    require_engine(config.engine)
    recipient = vault.recipient(recipient_name)
    if not items:
        raise InputError("There is no image to protect")
    if config.whole_images or config.clusters is not None:
        items = [replace(item, regions=None) for item in items]
    if config.clusters is None:
        _require_labels(items)
    regions = any(item.regions is not None for item in items)
    if regions:
        require_regions(config)
    if annotations is not None:
        _require_name(annotations.name)
    require_enough(vault, items, source, config)
    vault.require_active(recipient)
    before = release_in(vault, output)
    if config.clusters is None and (before is None or before.fit_id is None):
        require_classes(items, config)
    outputs.require_writable(output)
    changes = Changes()
    if before is not None:
        check_same(vault, before, recipient, config, before.source, regions=regions)
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
        regions=regions,
    )
    outcome = Outcome()
    converted: Counter[str] = Counter()
    changed = pruned = 0
    notes: Counter[str] = Counter()
    noted: dict[str, list[str]] = {}
    withheld: Counter[str] = Counter()
    differing: dict[str, str] = {}
    visibility: dict[str, float] = {}
    obsolete = changes.obsolete
    try:
        refresh(vault.ledger, release, changes)
        apart = with_distinct_folders(items, changes.outputs.values())
        planned = with_distinct_outputs(apart, changes.outputs, changes.relabelled)
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
            manifest.write(vault, release, recipient, begin=True)
            secrets = Secrets.of(vault, recipient, release.id, seed)
            if config.quality is not None:
                weaker(state, 1, config.perturbation_amplitude)  # it says if it can't
            looked_at = {one.sample_id for one in _few_of(todo)}
            start = share
            share += (1 - share) * _COMMITTING
            release, seen = yield from mapped(
                _commit(vault, release, recipient, todo, secrets, config),
                lambda p: Progress(start + (share - start) * p.fraction, p.label),
            )

            def commit(batch: list[Protected]) -> list[Failure]:
                nonlocal changed
                files = [(b.record.output, b.data) for b in batch]
                refused = outputs.write_below(output, files)
                failures = [
                    Failure(b.item.sample_id, b.item.path, refused[b.record.output])
                    for b in batch
                    if b.record.output in refused
                ]
                batch = [b for b in batch if b.record.output not in refused]
                vault.ledger.put_images([b.image for b in batch])
                _put_records(vault.ledger, release, changes, batch)
                converted.update(b.converted for b in batch if b.converted)
                for one in batch:
                    notes.update(one.notes)
                    for note in one.notes:
                        first = noted.setdefault(note, [])
                        if len(first) < SHOWN_NAMES:
                            first.append(one.item.sample_id)
                    withheld.update(one.withheld)
                    if one.ssimulacra2 is not None:
                        visibility[one.item.sample_id] = one.ssimulacra2
                    if one.differs is not None:
                        differing[one.item.sample_id] = one.differs
                made = {b.item.sample_id for b in batch}
                changed += len(made & (changes.changed | changes.moved.keys()))
                if on_batch is not None:
                    on_batch(release, batch)
                return failures

            work = Protecting.of(release, secrets.boxes, state, config)
            tasks = (
                Task(
                    item,
                    secrets.own(seen[item.sample_id])
                    if item.sample_id in seen
                    else None,
                    config.measure or item.sample_id in looked_at,
                )
                for item in todo
            )
            slow = config.quality is not None or config.measure
            each = 1 if slow else None
            running = pipeline.run(
                tasks,
                work,
                commit,
                outcome,
                workers=config.workers,
                chunk_items=each,
                engine=config.engine,
                together=True,
                gains_by_gpu=work.method.info.uses_gpu,
            )
            for behind in running:
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
        if annotations is not None:
            release = _write_annotations(vault, release, annotations)
        release = _close(vault, release, outcome, "done", len(items))
    except (GeneratorExit, KeyboardInterrupt):
        _note_end(vault, release, recipient, outcome, "cancelled", len(items))
        raise
    except LedgerUnavailableError:
        raise  # nothing can be noted in a ledger that is gone
    except InputError:
        if before is None or before.state != "done" or outcome.done:
            _note_end(vault, release, recipient, outcome, "failed", len(items))
        else:  # what was asked for was refused; the release is as it was
            vault.ledger.put_release(before)
        raise
    except BaseException:
        _note_end(vault, release, recipient, outcome, "failed", len(items))
        raise
    psnr = manifest.write(vault, release, recipient)
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
        _strangers(vault.ledger, release),
        visibility,
        noted,
    )


def _commit(
    vault: Vault,
    release: Release,
    recipient: Recipient,
    items: Sequence[Item],
    secrets: Secrets,
    config: ProtectConfig,
) -> Generator[Progress, None, tuple[Release, dict[str, Seen]]]:
    """Commit the release to its originals before any copy is made of them.

    Those that can't be read are left to fail when they are protected.

    Returns:
        The release with its new root, stored and in its manifest, and what was seen of
        the originals, by sample id.
    """
    look = Look(config.max_pixels, config.depth)
    found: list[Seen] = []
    # Looking is decoding and hashing, which threads do at once; processes would first
    # have to be started.
    engine = LOCAL if config.engine == PROCESSES else config.engine
    running = pipeline.run(
        (replace(item, regions=None) for item in items),  # which it has no use for
        look,
        found.extend,
        Outcome(),
        workers=config.workers,
        engine=engine,
    )
    for behind in running:
        yield Progress(behind / len(items), f"Committing: {behind} of {len(items)}")
    release = commit_to(vault, release, map(secrets.original, found))
    manifest.write(vault, release, recipient)
    return release, {one.sample_id: one for one in found}


def _write_annotations(
    vault: Vault, release: Release, annotations: Annotations
) -> Release:
    """Put what is annotated in a release's copies beside them.

    Returns:
        The release, which knows the file's name (stored).
    """
    outputs_of = {r.sample_id: r.output for r in vault.ledger.records(release.id)}
    data = annotations.released(outputs_of)
    folder = place(release.output)
    if not _holds(folder / annotations.name, data):
        outputs.write_below(folder, [(annotations.name, data)])
    known = {"annotations": annotations.name, ANNOTATED_DIGEST: digest_of(data).hex()}
    parameters = {**release.parameters, **known}
    if parameters == release.parameters:
        return release
    named_now = replace(release, parameters=parameters)
    vault.ledger.put_release(named_now)
    return named_now


def _holds(path: Place, data: bytes) -> bool:
    try:
        return path.is_file() and path.read_bytes() == data
    except OSError:
        return False  # it is written, and whoever does that says why it can't be


def _require_name(name: str) -> None:
    """Refuse an annotation file that can't lie beside the copies under its name."""
    if portable(name) != name:
        raise InputError(
            f"{shown(name)}: a file of this name can't lie beside the copies on every "
            "system; rename it, such as annotations.json"
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
    psnr = manifest.write(vault, release, recipient)
    return replace(summary, release=release, psnr=psnr, obsolete=[], pruned=pruned)


def describe_conversions(converted: Mapping[str, int]) -> str:
    """Which images became PNG and why, in a sentence; "" if none did.

    Args:
        converted: how many images of each format.
    """
    if not converted:
        return ""
    formats = (f"{n} {_NAMES.get(f, f)}" for f, n in sorted(converted.items()))
    return f"Written as PNG, to hold exact pixels and the record: {', '.join(formats)}."


_NAMES = {"WEBP": "WebP", "WEBP-LOSSY": "lossy WebP", "PNM": "PPM or PGM"}


def _strangers(ledger: Ledger, release: Release) -> list[str]:
    """Files in a release's folder that would be handed out and aren't its copies."""
    folder = place(release.output)
    own = {record.output for record in ledger.records(release.id)}
    own |= {manifest.NAME, str(release.parameters.get("annotations"))}
    found = _files_below(folder)
    return sorted(shown(name) for name in found if name not in own)


def _files_below(folder: Place) -> Iterator[str]:
    """The names of all files in a folder and those in it, but for litter."""
    if isinstance(folder, Address):
        yield from objects_below(folder)
        return
    for path in folder.rglob("*"):
        if path.name.lower() not in LITTER and not path.is_dir():
            yield path.relative_to(folder).as_posix()


def _few(names: Sequence[str], count: int | None = None) -> str:
    """The first names of so many, by default of all of them."""
    more = (len(names) if count is None else count) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _few_of(items: Sequence[Item]) -> Sequence[Item]:
    """:data:`LOOKED_AT` of the items, spread evenly over them."""
    count = min(LOOKED_AT, len(items))
    return [items[place * len(items) // count] for place in range(count)]


def _require_labels(items: Sequence[Item]) -> None:
    unlabelled = [item.sample_id for item in items if item.label is None]
    if unlabelled:
        raise InputError(
            f"{counted(len(unlabelled), 'image')} without a class, such as "
            f"{unlabelled[0]}; the "
            "perturbation is made class by class. Label them, leave them out, or take "
            "clusters of images that look alike as the classes (--clusters N)"
        )


def require_regions(config: ProtectConfig) -> None:
    """Refuse regions before anything is begun, if the method has no use for them.

    Raises:
        InputError: the method makes its change for a whole image.
    """
    config.perturbation().by_region(_NOTHING)


def require_classes(items: Sequence[Item], config: ProtectConfig) -> None:
    """Refuse a single class before anything is begun, if the method would later.

    Raises:
        InputError: the items have one class, and the method needs two.
    """
    info = config.perturbation().info
    if any(item.regions is not None for item in items) and not config.whole_images:
        return  # what is beside them is another
    alone = only_class(items)
    if alone is not None and (info.needs_fit or info.least_classes > 1):
        raise InputError(
            f"Only one class, {alone!r}, is there; at least two classes are needed for "
            "a classifier to be misled. If the classes are folders further down, say "
            "so (--classes-at N), or take clusters of images that look alike "
            "(--clusters N)"
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
        manifest.write(vault, closed, recipient)


def _storable(text: str) -> str:
    """Text of which bytes that aren't UTF-8 are escaped: no ledger takes them."""
    return text.encode(errors="backslashreplace").decode()


def _close(
    vault: Vault, release: Release, outcome: Outcome, state: str, total: int
) -> Release:
    now = time.time()
    counts = {
        "total": total,
        "protected": vault.ledger.count_records(release.id),
        "failed": len(outcome.failures),
        "failures": [
            {"image": _storable(one.sample_id), "reason": _storable(one.reason)}
            for one in outcome.failures[:KEPT_FAILURES]
        ],
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
