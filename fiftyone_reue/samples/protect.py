"""Protect the samples of a dataset or view for one recipient."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from fiftyone_reue.batch.classes import listing, remarks
from fiftyone_reue.batch.folders import whole_path
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Failure
from fiftyone_reue.errors import InputError, LedgerUnavailableError, ReueError
from fiftyone_reue.media.visibility import SCALE
from fiftyone_reue.names.display import count
from fiftyone_reue.names.filenames import component
from fiftyone_reue.progress import Progress, finish, mapped
from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings
from fiftyone_reue.releases.lookup import delete_release
from fiftyone_reue.releases.prepare import (
    by_region,
    check_same,
    open_release,
    release_in,
)
from fiftyone_reue.samples import copies, fields, processes, runs, source, views
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.releases import show_release_steps
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.vault import PUBLISHED, Vault
from fiftyone_reue.workflows import protect as folders
from fiftyone_reue.workflows.protect_image import Protected

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc

_NAME_BYTES = 200
"""Of a dataset's name so much goes into its releases' folder's."""

KEPT_FAILURES = 1000
"""A run's results list so many failures; all of them are in the fields."""


@dataclass(frozen=True)
class ProtectedSamples:
    """What protecting did.

    Attributes:
        release: the release's name, which is its run key.
        release_id: its id in the ledger.
        recipient: the recipient's name.
        method: what made the perturbation.
        output_dir: where the protected files are.
        total: samples in the job.
        protected: made in this run.
        skipped: made by an earlier run.
        converted: of those made, how many of each format had to become PNG.
        psnr: mean over the release in dB, or None without any image.
        ssimulacra2: mean over those images of this run of which it was measured, up to
            100, or None; see :mod:`fiftyone_reue.media.visibility`.
        failures: samples that could not be protected, and why.
        changed: of those made, how many had a copy of another original or class.
        obsolete: ids of samples that have a copy in the folder, and are not in the
            dataset any more.
        pruned: such copies that this run took out of the folder.
        notices: what else the owner should know of the files, a sentence each.
        remarks: what is odd about the classes, a sentence each.
    """

    release: str
    release_id: str
    recipient: str
    method: str
    output_dir: str
    total: int
    protected: int
    skipped: int
    converted: Mapping[str, int]
    psnr: float | None
    failures: list[Failure] = field(repr=False)
    changed: int = 0
    obsolete: list[str] = field(default_factory=list, repr=False)
    pruned: int = 0
    notices: list[str] = field(default_factory=list, repr=False)
    remarks: list[str] = field(default_factory=list, repr=False)
    ssimulacra2: float | None = None

    def text(self) -> str:
        """The result in a sentence, then the first failures."""
        there = f", {self.skipped} were there already" if self.skipped else ""
        published = self.recipient == PUBLISHED
        sentence = (
            f"Protected {count(self.protected, 'image')} for "
            f"{'everybody' if published else self.recipient}{there} "
            f"(release {self.release})"
        )
        if self.psnr is not None:
            sentence += f"; PSNR {self.psnr:.1f} dB"
        if self.ssimulacra2 is not None:
            sentence += f", SSIMULACRA2 {self.ssimulacra2:.0f} of 100 ({SCALE})"
        if self.changed:
            sentence += (
                f"; {self.changed} anew, the original, its name or class having changed"
            )
        if self.pruned:
            sentence += (
                f"; took out {count(self.pruned, 'copy', 'copies')} without a sample"
            )
        if self.obsolete:
            sentence += (
                f"; {count(len(self.obsolete), 'copy', 'copies')} without a sample any "
                "more kept until you ask to take them out (prune)"
            )
        if self.converted:
            sentence += f". {folders.describe_conversions(self.converted)}"
        if self.failures:
            reasons = source.describe(self.failures)
            sentence += f"; {len(self.failures)} failed:\n{reasons}"
        return "\n".join((sentence, *self.remarks, *self.notices))


def protect_samples(
    samples: foc.SampleCollection,
    recipient: str,
    *,
    output_dir: str | os.PathLike[str] | None = None,
    label_field: str | None = None,
    name: str | None = None,
    prune: bool = False,
    vault: Vault | None = None,
    progress: ProgressOption = None,
    **settings: Unpack[ProtectSettings],
) -> ProtectedSamples:
    """Make or complete one recipient's protected copy of some samples.

    Run it again after any interruption, or when samples were added, relabelled or
    deleted, or their files replaced: what changed is known by content, and only that
    is done. The copy becomes the one that the dataset shows.

    Example::

        made = reue.protect_samples(dataset, "bob", epsilon=6)
        print(made.release, made.output_dir, made.psnr)

    Args:
        samples: a dataset or view; of groups, the active slice.
        recipient: for whom, by name.
        output_dir: the release's folder, see :func:`default_output` for the default.
        label_field: the field with each sample's class, Classification or string; by
            default the only Classification field. Of Detections and Segmentation each
            region is perturbed by its own class, or with ``whole_images`` the image by
            that of the largest; of Classifications the most frequent is the class.
        name: what a new release is called, an identifier; by default ``alice_1``.
        prune: take copies whose sample is not in the dataset any more out of the
            folder; what tracing them needs is kept.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.
        **settings: how to protect, see
            :class:`fiftyone_reue.releases.config.ProtectConfig`.

    Raises:
        InputError: a parameter can't be used, or nothing can be protected.
        RevokedKeyError: the recipient was revoked.
        OutputError, VaultError: files or vault can't be written.
    """
    steps = protect_steps(
        samples,
        recipient,
        output_dir=output_dir,
        label_field=label_field,
        name=name,
        prune=prune,
        vault=vault,
        **settings,
    )
    return run(steps, progress)


def protect_steps(
    samples: foc.SampleCollection,
    recipient: str,
    *,
    output_dir: str | os.PathLike[str] | None = None,
    label_field: str | None = None,
    name: str | None = None,
    prune: bool = False,
    vault: Vault | None = None,
    **settings: Unpack[ProtectSettings],
) -> Generator[Progress, None, ProtectedSamples]:
    """See :func:`protect_samples`; closing the generator cancels the run."""
    config = ProtectConfig.of(**settings)
    clusters = config.clusters
    dataset = source.dataset_of(samples)
    source.require_images(samples)
    path = None if clusters else source.label_path(dataset, label_field)
    yield Progress(0.0, "Reading the samples")
    vault = vault or open_vault()
    person = vault.recipient(recipient)
    wanted = path is not None and source.has_regions(path) and not config.whole_images
    output = _output(vault, dataset, person, output_dir, name, config, regions=wanted)
    regions = wanted and not _of_whole_images(vault, output)
    if regions:
        folders.require_regions(config)
    job = (
        source.labelled_job(samples, path, regions=regions)
        if path
        else source.unlabelled_job(samples)
    )
    if not job.items:
        raise InputError(_nothing_to_do(job.failures))
    if path:
        folders.require_classes(job.items, config)
    if path:
        yield Progress(0.0, listing(job.items))
    _drop_abortive(vault, dataset, output)
    release, _ = open_release(
        vault,
        person,
        name=_name(vault, dataset, person, output, name),
        source=source.source_of(dataset),
        output=output,
        config=config,
        regions=regions,
    )
    fields.declare_protection(dataset)
    info = copies.info_of(vault, release)
    run = _Run(vault, samples, release, info, path)
    run.begin()
    try:
        if vault.ledger.count_records(release.id):
            yield from _show_alone(vault, dataset, release)
        yield from _catch_up(vault, dataset, release, [i.sample_id for i in job.items])
        summary = yield from folders.protect(
            vault,
            person.name,
            job.items,
            output,
            name=release.name,
            source=release.source,
            config=config,
            on_batch=run.show,
            prune=prune,
            elsewhere=set(source.sample_ids(fields.all_samples(dataset))),
        )
        failures = [*job.failures, *summary.outcome.failures]
        reasons = {f.sample_id: source.short_reason(f) for f in failures}
        fields.show_failures(dataset, info, reasons)
        views.refresh(dataset)
        result = ProtectedSamples(
            release=release.name,
            release_id=release.id,
            recipient=person.name,
            method=release.method,
            output_dir=release.output,
            total=job.total,
            protected=summary.outcome.done,
            skipped=summary.outcome.skipped,
            converted=summary.converted,
            psnr=summary.psnr,
            failures=failures,
            changed=summary.changed,
            obsolete=summary.obsolete,
            pruned=summary.pruned,
            notices=summary.notices(),
            remarks=_remarks(job.items, path, begun_so=wanted and not regions),
            ssimulacra2=summary.ssimulacra2,
        )
        run.done(result, reasons, summary.visibility)
    except (GeneratorExit, KeyboardInterrupt):
        run.end("cancelled", None)
        raise
    except LedgerUnavailableError:
        raise  # nothing can be noted in a database that is gone
    except BaseException as error:
        run.end("failed", error)
        raise
    return result


def default_output(dataset: fo.Dataset, recipient: str, name: str | None) -> Path:
    """Where a release goes if nothing else is said: one folder a recipient.

    Below FiftyOne's default dataset folder: ``<dataset>-releases/<recipient>``, or
    ``.../<name>`` for a release that was given a name.
    """
    import fiftyone as fo

    root = Path(fo.config.default_dataset_dir)
    folder = f"{component(dataset.name, _NAME_BYTES)}-releases"
    return root / folder / component(name or recipient)


def _former_output(dataset: fo.Dataset, recipient: str, name: str | None) -> Path:
    """What :func:`default_output` was in earlier versions, for releases begun then."""
    import fiftyone as fo

    root = Path(fo.config.default_dataset_dir)
    folder = f"{source.former_name(dataset.name)}-releases"
    return root / folder / source.former_name(name or recipient)


class _Run:
    """The custom run of a release, kept up to date while the release is made."""

    def __init__(
        self,
        vault: Vault,
        samples: foc.SampleCollection,
        release: Release,
        info: fields.ReleaseInfo,
        label_field: str | None,
    ) -> None:
        self._vault = vault
        self._samples = samples
        self._dataset = samples._root_dataset
        self._release = release
        self._info = info
        self._label_field = label_field
        self._made = 0

    def begin(self) -> None:
        release = self._release
        self._put(
            release=release.name,
            release_id=release.id,
            recipient=self._info.recipient,
            perturbation=release.method,
            epsilon=release.parameters["epsilon"],
            label_field=self._label_field,
            clusters=release.parameters.get("clusters"),
            output_dir=release.output,
            created=runs.stamp(release.created),
            finished=None,
            process=processes.this_process(),
            state="running",
            error=None,
        )

    def show(self, release: Release, batch: list[Protected]) -> None:
        if not self._made:  # a run that makes nothing changes nothing
            finish(_show_alone(self._vault, self._dataset, release))
        folder = Path(release.output)
        shown = [
            fields.Shown(
                one.item.sample_id,
                str(folder / one.record.output),
                one.payload,
                one.record.psnr,
                ssimulacra2=one.ssimulacra2,
            )
            for one in batch
        ]
        fields.show_copies(self._dataset, self._info, shown)
        self._made += len(batch)
        self._put(made=self._made)

    def done(
        self,
        result: ProtectedSamples,
        reasons: dict[str, str],
        seen: dict[str, float],
    ) -> None:
        counts = {
            "total": result.total,
            "protected": result.protected + result.skipped,
            "new": result.protected,
            "skipped": result.skipped,
            "failed": len(result.failures),
            "converted": sum(result.converted.values()),
        }
        kept = dict(list(reasons.items())[:KEPT_FAILURES])
        self._put(
            state="done",
            counts=counts,
            psnr=result.psnr,
            **({"ssimulacra2": result.ssimulacra2} if seen else {}),
            finished=runs.now(),
            made=None,
        )
        results = runs.get_results(self._dataset, self._release.name)
        runs.put_results(
            self._dataset,
            self._release.name,
            counts=counts,
            failures=kept,
            ssimulacra2={**(results.get("ssimulacra2") or {}), **seen},
        )

    def end(self, state: str, error: BaseException | None) -> None:
        """Note why a run ended early; what ended it must not be hidden by that."""
        try:
            text = str(error) if isinstance(error, ReueError) else None
            self._put(state=state, error=text)
        except ReueError:
            return

    def _put(self, **values: Any) -> None:
        runs.put(self._samples, self._release.name, runs.PROTECT, values)


def _output(
    vault: Vault,
    dataset: fo.Dataset,
    person: Recipient,
    output_dir: str | os.PathLike[str] | None,
    name: str | None,
    config: ProtectConfig,
    *,
    regions: bool,
) -> Path:
    if output_dir is not None:
        return whole_path(output_dir).resolve()
    output = default_output(dataset, person.name, name).resolve()
    former = _former_output(dataset, person.name, name).resolve()
    begun = None if former == output else release_in(vault, former)
    if begun is not None and begun.source == source.source_of(dataset):
        return former
    number = 2
    while _is_locked(vault, dataset, person, output, config, regions=regions):
        output = output.with_name(component(f"{name or person.name}-{number}"))
        number += 1
    return output


def _is_locked(
    vault: Vault,
    dataset: fo.Dataset,
    person: Recipient,
    output: Path,
    config: ProtectConfig,
    *,
    regions: bool,
) -> bool:
    """Whether a run that ended early left images of other settings in a folder.

    They are kept, and what is asked for now goes into another folder. A release that
    was finished is not left for another in silence.
    """
    release = release_in(vault, output)
    if release is None or not _ended_early(dataset, release):
        return False
    if vault.ledger.count_records(release.id) == 0:
        return False
    try:
        origin = source.source_of(dataset)
        regions = regions and not _of_whole_images(vault, output)
        check_same(vault, release, person, config, origin, regions=regions)
    except InputError:
        return True
    return False


def _of_whole_images(vault: Vault, output: Path) -> bool:
    """Whether a folder holds a release that was begun without regions.

    Earlier versions perturbed an image with boxes by the largest one's class, and a
    release of theirs goes on like that.
    """
    release = release_in(vault, output)
    if release is None or by_region(release):
        return False
    return vault.ledger.count_records(release.id) > 0


def _remarks(items: list[Item], path: str | None, *, begun_so: bool) -> list[str]:
    if path is None:
        return []
    empty = sum(i.regions is not None and not i.regions.names for i in items)
    said = [] if any(item.regions for item in items) else remarks(items)
    if empty:
        images = "1 image has" if empty == 1 else f"{empty} images have"
        said.append(
            f"{images} no region of a class; nothing is added there but the watermark."
        )
    if begun_so:
        said.append(
            "This release was begun with whole images perturbed, each by the class of "
            "its largest region, and goes on like that; give a new one a name for each "
            "region to have its own."
        )
    return said


def _ended_early(dataset: fo.Dataset, release: Release) -> bool:
    """Whether a release's last run failed, was cancelled or was killed."""
    if release.state in ("failed", "cancelled"):
        return True
    run = runs.get_config(dataset, release.name) or {}
    return release.state == "running" and processes.is_gone(run.get("process"))


def _name(
    vault: Vault,
    dataset: fo.Dataset,
    person: Recipient,
    output: Path,
    name: str | None,
) -> str:
    """A name for the run that neither a release nor a run has, in any dataset."""
    known = vault.ledger.releases()
    here = next((r for r in known if r.output == str(output)), None)
    if here is not None:
        return here.name
    taken = {release.name for release in known} | set(dataset.list_runs())
    if name is None:
        return runs.free_key(runs.identifier(person.name), taken)
    if not name.isidentifier():
        raise InputError(
            f"The release's name {name!r} can't be used; use letters, digits and _, "
            "and begin with a letter"
        )
    if name in taken:
        raise InputError(f"There is a release or run {name!r} already; choose another")
    return name


def _drop_abortive(vault: Vault, dataset: fo.Dataset, output: Path) -> None:
    """Forget a release that ended before its first image.

    Else its folder could only be used with the very settings that failed.
    """
    for release in copies.releases_of(vault, dataset):
        here = release.output == str(output)
        ended = here and _ended_early(dataset, release)
        if ended and vault.ledger.count_records(release.id) == 0:
            delete_release(vault, release, files=True)
            runs.delete(dataset, release.name)


def _show_alone(
    vault: Vault, dataset: fo.Dataset, release: Release
) -> Generator[Progress, None, None]:
    """Have the samples show no other release's copies beside this one's.

    Who sees some samples' copies for one recipient and some for another, in one field,
    may hand them out together.
    """
    shown = set(fields.all_samples(dataset).distinct(f"{fields.PROTECTION}.release"))
    if shown - {None, release.name}:
        steps = show_release_steps(dataset, release.name, vault=vault)
        yield from mapped(steps, lambda step: Progress(0.0, step.label))


def _catch_up(
    vault: Vault, dataset: fo.Dataset, release: Release, sample_ids: list[str]
) -> Generator[Progress, None, None]:
    """Set the fields that a run killed between ledger and fields left unset.

    Samples that show another release are pointed at this one too.
    """
    made = vault.ledger.record_sample_ids(release.id)
    made -= fields.samples_showing(dataset, release.name)
    wanted = [sample_id for sample_id in sample_ids if sample_id in made]
    for behind in copies.show_from_ledger(vault, dataset, release, wanted):
        yield Progress(0.0, f"Finding what is there: {behind} of {len(wanted)}")


def _nothing_to_do(failures: list[Failure]) -> str:
    if not failures:
        return "There is no sample to protect; choose a dataset or view that has some"
    reasons = source.describe(failures)
    return f"Of {count(len(failures), 'sample')} none can be protected\n{reasons}"
