"""Protect: make or complete a release, in batches that an interruption keeps."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fiftyone_reue.batch import outputs, pipeline
from fiftyone_reue.batch.classes import only_class
from fiftyone_reue.batch.folders import LITTER
from fiftyone_reue.batch.items import Item, with_distinct_folders, with_distinct_outputs
from fiftyone_reue.batch.pipeline import Failure, Outcome
from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    OutputError,
    VaultError,
    named,
)
from fiftyone_reue.names import contained
from fiftyone_reue.names.filenames import shown
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.changes import Changes, find_changes, refresh
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
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.protect_image import Protected, Secrets, protect_image

_LOOKING = 0.1
"""The share of a run's progress that looking for changes has."""

SHOWN_STRANGERS = 5

KEPT_FAILURES = 1000
"""So many failures of a release's last run are kept in the ledger."""


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
        withheld: kinds of what the originals' files hold and the copies don't, with
            how many images of this run have it; sealed for the owner.
        differing: of the images of this run whose original file won't come back byte
            for byte (its pixels and metadata will), by sample id, why.
        changed: images of this run that had a copy, of another original or class.
        obsolete: samples with a copy in the folder and no original any more.
        pruned: such copies that this run took out of the folder.
        moved_from: the source's name before, if it has another now.
        strangers: files in the folder that aren't of the release.
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

    def notices(self) -> list[str]:
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
        if self.strangers:
            lines.append(
                f"In the folder, but not of this release: {_few(self.strangers)}. "
                "Remove what you don't want to hand out."
            )
        reasons = Counter(self.differing.values())
        for why, count in reasons.items():
            lines.append(
                f"{_of_images(count)}: the original file won't come back byte for "
                f"byte: {why}. --whole-files seals it."
            )
        return lines


def protect_folder(
    vault: Vault,
    recipient_name: str,
    items: Sequence[Item],
    source: Path,
    output: Path,
    *,
    config: ProtectConfig,
    prune: bool = False,
) -> Generator[Progress, None, ProtectSummary]:
    """:func:`protect` what was read from a folder.

    The release is named for its recipient and its folder, and is known by the whole
    path of its source.

    Args:
        vault: the owner's.
        recipient_name: for whom.
        items: of :func:`fiftyone_reue.batch.folders.read_source`.
        source: the folder that they were read from.
        output: the release's folder.
        config: how.
        prune: as for :func:`protect`.
    """
    return protect(
        vault,
        recipient_name,
        items,
        output,
        name=f"{recipient_name}-{output.resolve().name}",
        source=str(source.resolve()),
        config=config,
        prune=prune,
    )


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
            :mod:`fiftyone_reue.releases.withdraw`.
        elsewhere: samples that have an original and are not in this job.

    Yields:
        Progress. Closing the generator cancels; what was finished is kept.

    Returns:
        The summary.

    Raises:
        InputError: something can't be used as it was given; says what to do.
        RevokedKeyError: the recipient was revoked.
        OutputError: a file can't be written.
        LedgerUnavailableError: the ledger can't be reached or written.
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
    if config.clusters is None and (before is None or before.fit_id is None):
        require_classes(items, config)
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
    converted: Counter[str] = Counter()
    changed = pruned = 0
    notes: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    differing: dict[str, str] = {}
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
            manifest.write(vault, release, recipient)
            secrets = Secrets.of(vault, recipient, seed)
            method = config.perturbation()

            def work(item: Item) -> Protected:
                with named(item.sample_id):
                    contained.unlinked(output, item.output)
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
                    carrier=release.parameters.get("carrier", "pixels"),
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
                    withheld.update(one.withheld)
                    if one.differs is not None:
                        differing[one.item.sample_id] = one.differs
                made = {b.item.sample_id for b in batch}
                changed += len(made & (changes.changed | changes.moved.keys()))
                if on_batch is not None:
                    on_batch(release, batch)
                return failures

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
    folder = Path(release.output)
    own = {record.output for record in ledger.records(release.id)} | {manifest.NAME}
    found = (
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name.lower() not in LITTER and not path.is_dir()
    )
    return sorted(shown(name) for name in found if name not in own)


def _few(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_STRANGERS
    return ", ".join(names[:SHOWN_STRANGERS]) + (
        f" and {more} more" if more > 0 else ""
    )


def _of_images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _require_labels(items: Sequence[Item]) -> None:
    unlabelled = [item.sample_id for item in items if item.label is None]
    if unlabelled:
        raise InputError(
            f"{len(unlabelled)} images have no class, {unlabelled[0]} for one; the "
            "perturbation is made class by class. Label them, leave them out, or take "
            "clusters of images that look alike as the classes (--clusters N)"
        )


def require_classes(items: Sequence[Item], config: ProtectConfig) -> None:
    """Refuse a single class before anything is begun, if the method would later.

    Raises:
        InputError: the items have one class, and the method needs two.
    """
    info = config.perturbation().info
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
