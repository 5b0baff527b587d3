"""Give a dataset's licensed copies or originals back, exactly or, if asked, nearly."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fiftyone_reue.batch.folders import whole_path
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Failure
from fiftyone_reue.errors import InputError, UnsafePathError
from fiftyone_reue.names.display import count
from fiftyone_reue.progress import Progress
from fiftyone_reue.samples import copies, fields, source
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.releases import find_release
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.stores.address import is_url
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import restore as folders
from fiftyone_reue.workflows.approximate import Approximation, described

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc


@dataclass(frozen=True)
class RestoredSamples:
    """What restoring did.

    Attributes:
        tier: "licensed" or "original".
        output_dir: where the restored files are.
        total: samples in the job.
        restored: written in this run, exactly.
        skipped: there already, exactly.
        failures: samples that could not be restored, and why.
        absent: how many of the samples have no copy to restore from.
        approximations: samples that were restored only approximately.
        differing: of originals whose pixels are exact but whose bytes aren't the
            original file's, by sample id, why.
        files: which originals are the original files, in words.
    """

    tier: str
    output_dir: str
    total: int
    restored: int
    skipped: int
    failures: list[Failure] = field(repr=False)
    approximations: list[Approximation] = field(default_factory=list, repr=False)
    differing: dict[str, str] = field(default_factory=dict, repr=False)
    files: str = ""
    absent: int = 0

    def text(self) -> str:
        """The result in a sentence, then the first failures."""
        licensed = self.tier == "licensed"
        kind = ("licensed copy", "licensed copies") if licensed else ("original",)
        there = f", {self.skipped} were there already" if self.skipped else ""
        sentence = (
            f"Restored {count(self.restored, *kind)} exactly{there} ({self.output_dir})"
        )
        if self.files:
            sentence += f"; {self.files}"
        if self.approximations:
            sentence += f"; {described(self.approximations)}"
        if self.absent:
            verb = "has" if self.absent == 1 else "have"
            sentence += f"; {count(self.absent, 'sample')} {verb} no copy in it"
        if not self.failures:
            return sentence
        reasons = source.describe(self.failures)
        return f"{sentence}; {len(self.failures)} failed:\n{reasons}"


def restore_samples(
    samples: foc.SampleCollection,
    *,
    output_dir: str | os.PathLike[str],
    recipient: str | None = None,
    release: str | None = None,
    approximate: bool = False,
    records: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> RestoredSamples:
    """Restore the protected copies of some samples, and point a field at the result.

    Example::

        done = reue.restore_samples(dataset, output_dir=Path.cwd() / "restored")
        print(done.text())

    Args:
        samples: a dataset or view; of groups, the active slice.
        output_dir: where the restored files go. Originals get their names again, in a
            folder for each class; of samples that have one name, the copies' names.
        recipient: whose licensed copies to make; None gives the owner's originals.
        release: which copies to restore from; by default those of the recipient, or
            those that the samples show.
        approximate: where a copy's pixels changed since, make the best of them for the
            recipient: a file that ends in ``.approximate.png`` and carries no record.
        records: a folder with the copies as they were delivered, for that.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: nothing can be restored, or no such release or recipient.
        RevokedKeyError: the recipient was revoked.
        OutputError: nothing can be written.
    """
    steps = restore_steps(
        samples,
        output_dir=output_dir,
        recipient=recipient,
        release=release,
        approximate=approximate,
        records=records,
        vault=vault,
    )
    return run(steps, progress)


def restore_steps(
    samples: foc.SampleCollection,
    *,
    output_dir: str | os.PathLike[str],
    recipient: str | None = None,
    release: str | None = None,
    approximate: bool = False,
    records: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
) -> Generator[Progress, None, RestoredSamples]:
    """See :func:`restore_samples`."""
    if approximate and recipient is None:
        raise InputError(
            "Only licensed copies can be approximated, not originals; say whose to "
            "restore (recipient)"
        )
    dataset = source.dataset_of(samples)
    output = whole_path(output_dir)
    vault = vault or open_vault()
    person = None if recipient is None else vault.recipient(recipient)
    if person is not None:
        vault.require_active(person)
    yield Progress(0.0, "Reading the samples")
    ids = source.sample_ids(samples)
    chosen = _release(vault, dataset, person, release)
    failures: list[Failure] = []
    if chosen is None:
        items = _shown_items(dataset, ids)
    else:
        items, failures = _release_items(vault, chosen, ids)
    if not items and not failures:
        raise InputError(
            f"Of {count(len(ids), 'sample')} none has a protected copy to restore "
            "from; choose samples or a release that have"
        )
    _require_apart(output, items)
    fields.require_free(dataset, fields.RESTORED)
    if person is None:
        items = _under_their_own_names(dataset, items, output)
        steps = folders.restore_original(vault, items, output)
    else:
        key = vault.recipient_key(person)
        steps = folders.restore_licensed(
            items,
            None,
            output,
            key,
            approximate=approximate,
            records=None if records is None else Path(records).expanduser(),
        )
    summary = yield from steps
    written: dict[str, str | None] = {
        # What an earlier run gave back elsewhere isn't what this one does.
        **{one.sample_id: None for one in (*failures, *summary.outcome.failures)},
        **{key: str(output / name) for key, name in summary.written.items()},
    }
    for one in summary.approximations:
        written[one.sample_id] = str(output / one.output)
    fields.declare_restored(dataset)
    fields.write_values(dataset, fields.RESTORED, written)
    return RestoredSamples(
        tier=summary.tier,
        output_dir=str(output),
        total=len(ids),
        restored=summary.outcome.done,
        skipped=summary.outcome.skipped,
        failures=[*failures, *summary.outcome.failures],
        approximations=summary.approximations,
        differing=summary.differing,
        files=summary.files_text(),
        absent=len(ids) - len(items) - len(failures),
    )


def _release(
    vault: Vault, dataset: fo.Dataset, person: Recipient | None, name: str | None
) -> Release | None:
    """The release to restore from; None for whatever each sample shows."""
    if name is None:
        return None if person is None else _newest_of(vault, dataset, person)
    release = find_release(vault, dataset, name)
    if person is not None and release.recipient_id != person.id:
        holder = vault.recipient(release.recipient_id).name
        raise InputError(
            f"Release {name!r} is for {holder}, so licensed copies of it can't be made "
            f"for {person.name}"
        )
    return release


def _newest_of(vault: Vault, dataset: fo.Dataset, person: Recipient) -> Release:
    own = [
        release
        for release in vault.ledger.releases(person.id)
        if release.source == source.source_of(dataset)
    ]
    if not own:
        raise InputError(
            f"There is no release of this dataset for {person.name}; protect it for "
            "them first"
        )
    return own[-1]


def _shown_items(dataset: fo.Dataset, ids: list[str]) -> list[Item]:
    if dataset.get_field(fields.PROTECTED) is None:
        return []
    chosen = fields.all_samples(dataset).select(ids, ordered=True)
    rows = zip(*chosen.values(["id", fields.PROTECTED]), strict=True)
    items = []
    for sample_id, copy in rows:
        if copy and is_url(copy):
            raise InputError(f"{sample_id}: {source.IN_A_STORE}")
        if copy:
            # Copies that older versions made have the sample's id itself.
            ends = (sample_id, source.tag(source.source_of(dataset), sample_id))
            items.append(Item(sample_id, copy, None, _name(copy, ends, sample_id)))
    return items


def _release_items(
    vault: Vault, release: Release, ids: list[str]
) -> tuple[list[Item], list[Failure]]:
    items, failures = [], []
    for record in vault.ledger.records(release.id, ids):
        try:
            path = copies.copy_path(release, record)
        except UnsafePathError as error:
            failures.append(Failure(record.sample_id, record.sample_id, str(error)))
            continue
        output = record.output.rsplit(".", 1)[0]
        items.append(Item(record.sample_id, path, record.label, output))
    return items, failures


def _name(copy: str, ends: tuple[str, ...], sample_id: str) -> str:
    """``class/name-tag`` where the copy has that shape, else the sample's id."""
    path = PurePosixPath(Path(copy).as_posix())
    if path.stem.endswith(ends):
        return f"{path.parent.name}/{path.stem}"
    return sample_id


def _under_their_own_names(
    dataset: fo.Dataset, items: list[Item], output: Path
) -> list[Item]:
    """As originals are called, but for what is there under its copy's name already."""
    plain = source.under_their_own_names(dataset, items)
    return [
        item if (output / _restored_name(item)).exists() else own
        for item, own in zip(items, plain, strict=True)
    ]


def _restored_name(item: Item) -> str:
    # A copy is lossless, so that what is restored from it keeps its format.
    return item.output + Path(item.path).suffix


def _require_apart(output: Path, items: list[Item]) -> None:
    """Keep restored files out of the folder of a release, which they would replace."""
    resolved = output.resolve()
    for item in items:
        if (resolved / _restored_name(item)) == Path(item.path).resolve():
            raise InputError(
                f"{output}: the protected files are in this folder and would be "
                "overwritten; choose another one"
            )
