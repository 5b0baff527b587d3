"""What changed since a release was last made: by content, never by times.

The originals' bytes are hashed, and so are those of the copies: a replaced original
may have an older date, and a copy that was cut short has a newer one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import ReueError, UnsafePathError
from fiftyone_reue.media.codec import load, read_file
from fiftyone_reue.media.digest import carried_digest, sample_digest
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.names import contained
from fiftyone_reue.progress import Progress
from fiftyone_reue.stores.address import Place, is_url, place
from fiftyone_reue.vault.entities import Record, Release
from fiftyone_reue.vault.ledger.base import Ledger

_PAGE = 256


@dataclass(frozen=True)
class Changes:
    """How a release stands to the originals that there are now.

    Attributes:
        outputs: what the release's records name, without suffix, by sample.
        current: samples whose copy is there and stands for what they are now.
        changed: samples with a copy of another original or of another class.
        relabelled: those of them that have another class now.
        moved: samples whose very file another sample was, by sample: that one is
            gone, and its copy is to go once this one's is there.
        obsolete: samples that have a copy and no original any more.
        same: how many of the release's images are among the originals now, by
            content, under whatever name.
        known: how many images the release has.
        refreshed: records that are to say where their original is now, and its
            digest; by sample.
    """

    outputs: dict[str, str] = field(default_factory=dict)
    current: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    relabelled: frozenset[str] = frozenset()
    moved: dict[str, str] = field(default_factory=dict)
    obsolete: list[str] = field(default_factory=list)
    same: int = 0
    known: int = 0
    refreshed: dict[str, Refreshed] = field(default_factory=dict)


@dataclass(frozen=True)
class Refreshed:
    """What a record should say.

    Attributes:
        source: the original's file now.
        file_digest: :func:`made_of` it.
        copy_digest: SHA-256 of the protected file's bytes.
    """

    source: str
    file_digest: bytes
    copy_digest: bytes


@dataclass(frozen=True, slots=True)
class _Known:
    """A record's part that is needed here; a record itself may be large."""

    label: str | None
    output: str
    source: str
    image_id: str
    digest_p: bytes
    blob_digest: bytes
    file_digest: bytes
    copy_digest: bytes


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found of one original and its copy; None for what can't be read."""

    item: Item
    there: bool
    file_digest: bytes | None = None
    samples: bytes | None = None
    copy_digest: bytes | None = None

    @property
    def size(self) -> int:
        return 256


def find_changes(
    ledger: Ledger,
    release: Release,
    items: Sequence[Item],
    *,
    elsewhere: Container[str] = frozenset(),
    by_label: bool = True,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, Changes]:
    """Compare a release with its originals as they are now.

    An original that isn't there any more, though its sample is, changes nothing: its
    copy is still good.

    Args:
        ledger: where the records are.
        release: which.
        items: the originals.
        elsewhere: samples that have an original and are not among the items.
        by_label: whether the items' labels are their classes.
        max_pixels: of records that don't know their files' digests, larger images
            are not decoded.

    Yields:
        Progress with fractions of this step alone.
    """
    known = {record.sample_id: _part(record) for record in ledger.records(release.id)}
    if not known:
        return Changes()
    ids = {item.sample_id for item in items}
    orphans = _without_original(known, ids, elsewhere)
    samples = _old_digests(ledger, known)
    folder = place(release.output)
    old_orphans = any(not known[one].file_digest for one in orphans)

    def look(item: Item) -> _Seen:
        record = known.get(item.sample_id)
        old = old_orphans if record is None else not record.file_digest
        seen = _see(item, decode=old, max_pixels=max_pixels)
        if record is None:
            return seen
        copy = _standing_in(folder, record)
        return _Seen(item, seen.there, seen.file_digest, seen.samples, copy)

    todo = [item for item in items if item.sample_id in known or orphans]
    found: list[_Seen] = []
    for behind in pipeline.run(todo, look, found.extend, Outcome()):
        label = f"Looking for changes: {behind} of {len(todo)}"
        yield Progress(behind / len(todo), label)
    return _compared(found, known, orphans, samples, by_label)


def refresh(ledger: Ledger, release: Release, changes: Changes) -> None:
    """Write down where originals are now, and digests that older versions lack."""
    wanted = changes.refreshed
    for some in _pages(wanted):
        records = list(ledger.records(release.id, some))
        images = {i.id: i for i in ledger.find_images({r.image_id for r in records})}
        new = [(record, wanted[record.sample_id]) for record in records]
        ledger.put_images(
            [
                replace(images[record.image_id], source=say.source)
                for record, say in new
                if record.image_id in images
            ]
        )
        ledger.put_records([_said(record, say) for record, say in new])


def digest_of(data: bytes) -> bytes:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(data).digest()


def made_of(item: Item, data: bytes) -> bytes:
    """What a copy is made of, 32 bytes: the original's bytes, and where which class is.

    Args:
        item: the original.
        data: its file's bytes.
    """
    whole = digest_of(data)
    if item.regions is None:
        return whole
    return digest_of(whole + item.regions.digest())


def is_copy(path: Place, record: Record) -> bool:
    """Whether this file is the protected copy that a record speaks of."""
    return _standing(path, _part(record)) is not None


def _part(record: Record) -> _Known:
    return _Known(
        record.label,
        record.output,
        record.source,
        record.image_id,
        record.digest_p,
        digest_of(record.blob),
        record.file_digest,
        record.copy_digest,
    )


def _without_original(
    known: Iterable[str], ids: set[str], elsewhere: Container[str]
) -> list[str]:
    """Samples that have gone, but for those in folders that can't be read."""
    closed = tuple(one for one in ids if one.endswith("/"))
    return [
        one
        for one in known
        if one not in ids and one not in elsewhere and not one.startswith(closed)
    ]


def _old_digests(ledger: Ledger, known: dict[str, _Known]) -> dict[str, bytes]:
    """The samples' digests of originals whose file's digest isn't known, by image."""
    old = {record.image_id for record in known.values() if not record.file_digest}
    return {image.id: image.digest for image in ledger.find_images(old)}


def _see(item: Item, *, decode: bool, max_pixels: int) -> _Seen:
    try:
        data = read_file(item.path, name=item.sample_id)
    except ReueError:
        return _Seen(item, there=is_url(item.path) or os.path.lexists(item.path))
    samples = None
    if decode:
        try:
            raster = load(data, max_pixels=max_pixels, ignore_record=True).raster
            samples = sample_digest(raster.samples)
        except ReueError:
            pass  # whoever protects it says why
    return _Seen(item, True, made_of(item, data), samples)


def _standing_in(folder: Place, record: _Known) -> bytes | None:
    """As :func:`_standing`; what the ledger places elsewhere is no copy of ours."""
    try:
        path = contained.inside(folder, record.output)
    except UnsafePathError:
        return None
    return _standing(path, record)


def _standing(path: Place, record: _Known) -> bytes | None:
    """The digest of the copy's bytes, if the file is the copy as it was made."""
    try:
        data = read_file(path)
        digest = digest_of(data)
        if record.copy_digest:
            return digest if digest == record.copy_digest else None
        loaded = load(data)
        same = loaded.record is not None
        same = same and digest_of(loaded.record or b"") == record.blob_digest
        same = same and carried_digest(loaded.raster) == record.digest_p
    except ReueError:
        return None
    return digest if same else None


def _compared(
    found: Sequence[_Seen],
    known: dict[str, _Known],
    orphans: Sequence[str],
    samples: dict[str, bytes],
    by_label: bool,
) -> Changes:
    current, changed, relabelled = set(), set(), set()
    refreshed: dict[str, Refreshed] = {}
    left = _by_content(orphans, known, samples)
    moved: dict[str, str] = {}
    same = 0
    for seen in found:
        sample_id, record = seen.item.sample_id, known.get(seen.item.sample_id)
        if record is None:
            gone = _taken(left, seen)
            if gone is not None:
                moved[sample_id] = gone
            continue
        if by_label and record.label != seen.item.label:
            relabelled.add(sample_id)
        equal = _equal(record, seen, samples)
        same += equal
        if (seen.there and not equal) or sample_id in relabelled:
            changed.add(sample_id)
        elif seen.copy_digest is not None:
            current.add(sample_id)
            if equal:
                say = Refreshed(
                    seen.item.path, seen.file_digest or b"", seen.copy_digest
                )
                if say != Refreshed(
                    record.source, record.file_digest, record.copy_digest
                ):
                    refreshed[sample_id] = say
    gone_on = set(moved.values())
    return Changes(
        outputs={one: record.output.rsplit(".", 1)[0] for one, record in known.items()},
        current=frozenset(current),
        changed=frozenset(changed),
        relabelled=frozenset(relabelled),
        moved=moved,
        obsolete=[one for one in orphans if one not in gone_on],
        same=same + len(moved),
        known=len(known),
        refreshed=refreshed,
    )


def _equal(record: _Known, seen: _Seen, samples: dict[str, bytes]) -> bool:
    if record.file_digest:
        return seen.file_digest == record.file_digest
    return seen.samples is not None and seen.samples == samples.get(record.image_id)


def _by_content(
    orphans: Sequence[str], known: dict[str, _Known], samples: dict[str, bytes]
) -> dict[bytes, list[str]]:
    """Samples that have gone by what they were: a file's digest, or its samples'."""
    originals: dict[bytes, list[str]] = {}
    for one in reversed(orphans):
        key = known[one].file_digest or samples.get(known[one].image_id)
        if key:
            originals.setdefault(key, []).append(one)
    return originals


def _said(record: Record, say: Refreshed) -> Record:
    return replace(
        record,
        source=say.source,
        file_digest=say.file_digest,
        copy_digest=say.copy_digest,
    )


def _pages(ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while page := list(islice(remaining, _PAGE)):
        yield page


def _taken(left: dict[bytes, list[str]], seen: _Seen) -> str | None:
    for key in (seen.file_digest, seen.samples):
        if key is not None and left.get(key):
            return left[key].pop()
    return None
