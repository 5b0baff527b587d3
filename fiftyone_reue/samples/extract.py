"""Say whose copy suspect samples were made from."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.batch.folders import whole_path
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Failure
from fiftyone_reue.errors import InputError, TamperedLedgerError
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.tracing import Suspect
from fiftyone_reue.samples import fields, runs, source
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import extract as folders
from fiftyone_reue.workflows.report import report
from fiftyone_reue.workflows.what_it_is import find_suspects

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc

KEPT_IMAGES = 1000
"""A run lists what was found of so many suspects; the fields have all of them."""

KEPT_RECIPIENTS = 20
"""A run lists so many recipients, the likeliest first."""


@dataclass(frozen=True)
class LeakCheck:
    """The verdict on a set of suspects.

    Attributes:
        run: the key of the run that keeps it, or None without a dataset.
        summary: the statistics and every suspect.
        originals: the matched originals' sample ids by image id, where known.
        failures: suspects that could not be read, and why.
        case: the folder of the case that was written, or None.
    """

    run: str | None
    summary: folders.ExtractSummary = field(repr=False)
    originals: dict[str, str] = field(repr=False)
    failures: list[Failure] = field(repr=False)
    case: str | None = None

    @property
    def decision(self) -> str:
        """ "match", "no-match" or "undecided"; see :class:`ExtractSummary`."""
        return self.summary.decision

    @property
    def recipient(self) -> str | None:
        """Whom the evidence names first, or None."""
        return self.summary.named

    @property
    def recipients(self) -> list[str]:
        """Everybody that the evidence names, the firmest first."""
        return self.summary.all_named

    @property
    def p_value(self) -> float:
        """The chance, at most, of naming anybody this firmly by accident."""
        return self.summary.evidence.p_value

    def text(self) -> str:
        """The verdict in words, and what of the ledger was left out."""
        left_out = [f"Left out: {one}" for one in self.summary.ledger_problems]
        return "\n".join([self.summary.verdict(), *left_out])

    def to_dict(self) -> dict[str, Any]:
        """The verdict for machines.

        As on the command line, and ``recipients``: the likeliest ones with their Z
        and the chance of reaching it. Of many suspects, ``per_image`` has the first.
        """
        verdict = self.summary.to_dict()
        verdict["per_image"] = [
            {**row, "original_sample": self.originals.get(row["matched"])}
            for row in verdict["per_image"][:KEPT_IMAGES]
        ]
        verdict["recipients"] = self._recipients()
        verdict["images_failed"] = len(self.failures)
        verdict["case"] = self.case
        return verdict

    def _recipients(self) -> list[dict[str, Any]]:
        evidence = self.summary.evidence
        named = {one.recipient_id: one for one in evidence.culprits}
        ranked = sorted(
            evidence.scores.items(), key=lambda pair: (pair[0] not in named, -pair[1])
        )
        rows = []
        for who, z in ranked[: max(KEPT_RECIPIENTS, len(named))]:
            culprit = named.get(who)  # whose chance is after what others explain
            rows.append(
                {
                    "recipient": self.summary.names[who],
                    "z": z if culprit is None else culprit.z,
                    "p_value": evidence.chances[who]
                    if culprit is None
                    else culprit.p_value,
                    "named": culprit is not None,
                }
            )
        return rows


def extract_samples(
    samples: foc.SampleCollection,
    *,
    originals: str | os.PathLike[str] | None = None,
    case_dir: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> LeakCheck:
    """Weigh samples as suspects, and write what was found into their ``leak`` field.

    Example::

        check = reue.extract_samples(suspects)
        print(check.decision, check.recipient, check.p_value)

    Args:
        samples: the suspects, a dataset or view; of groups, the active slice.
        originals: a folder with the originals, if they moved since they were
            protected.
        case_dir: a new folder for a case that others can check, see
            :func:`fiftyone_reue.report`; None writes none.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: there is no suspect, nothing was protected yet, or the case's folder
            holds something.
        OutputError: the case can't be written.
    """
    steps = extract_steps(samples, originals=originals, case_dir=case_dir, vault=vault)
    return run(steps, progress)


def extract_folder(
    folder: str | os.PathLike[str],
    *,
    dataset: fo.Dataset | None = None,
    originals: str | os.PathLike[str] | None = None,
    case_dir: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> LeakCheck:
    """Weigh the images of a folder, or a single file, as suspects.

    Example::

        print(reue.extract_folder("found_on_the_web", dataset=dataset).text())

    Args:
        folder: the suspects.
        dataset: where to keep the verdict as a run; None keeps it nowhere.
        originals: a folder with the originals, if they moved.
        case_dir: as for :func:`extract_samples`.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: there is no such folder, no image in it, nothing was protected, or
            the case's folder holds something.
        OutputError: the case can't be written.
    """
    steps = extract_folder_steps(
        folder, dataset=dataset, originals=originals, case_dir=case_dir, vault=vault
    )
    return run(steps, progress)


def extract_steps(
    samples: foc.SampleCollection,
    *,
    originals: str | os.PathLike[str] | None = None,
    case_dir: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
) -> Generator[Progress, None, LeakCheck]:
    """See :func:`extract_samples`."""
    dataset = source.dataset_of(samples)
    yield Progress(0.0, "Reading the samples")
    job = source.unlabelled_job(samples)
    if not job.items:
        raise InputError(
            "There is no image among the suspects; choose a dataset or view that has "
            f"some\n{source.describe(job.failures)}".rstrip()
        )
    vault = vault or open_vault()
    fields.require_free(dataset, fields.LEAK)
    check = yield from _weigh(vault, job.items, job.failures, originals, case_dir)
    fields.declare_leak(dataset)
    check = _keep(samples, dataset, check, f"dataset {dataset.name}")
    fields.write_leaks(dataset, _leaks(check))
    return check


def extract_folder_steps(
    folder: str | os.PathLike[str],
    *,
    dataset: fo.Dataset | None = None,
    originals: str | os.PathLike[str] | None = None,
    case_dir: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
) -> Generator[Progress, None, LeakCheck]:
    """See :func:`extract_folder`."""
    path = Path(folder).expanduser()
    items = find_suspects(path)
    vault = vault or open_vault()
    check = yield from _weigh(vault, items, [], originals, case_dir)
    if dataset is None:
        return check
    return _keep(dataset, source.dataset_of(dataset), check, f"folder {path}")


def _weigh(
    vault: Vault,
    items: list[Item],
    failures: list[Failure],
    originals: str | os.PathLike[str] | None,
    case_dir: str | os.PathLike[str] | None,
) -> Generator[Progress, None, LeakCheck]:
    folder = None if originals is None else Path(originals).expanduser()
    case = None if case_dir is None else whole_path(case_dir)
    if case is None:
        summary = yield from folders.extract(vault, items, originals_folder=folder)
    else:
        steps = report(vault, items, case, originals_folder=folder)
        summary = (yield from steps).extracted
    known = _original_samples(vault, summary)
    failed = [*failures, *summary.outcome.failures]
    return LeakCheck(None, summary, known, failed, None if case is None else str(case))


def _original_samples(vault: Vault, summary: folders.ExtractSummary) -> dict[str, str]:
    """Sample ids of the matched originals that were protected in FiftyOne."""
    try:
        releases = vault.ledger.releases()
    except TamperedLedgerError:
        return {}  # which the summary says
    from_fiftyone = {
        release.id for release in releases if release.source.startswith("fiftyone:")
    }
    matched = {s.image_id for s in summary.suspects if s.image_id is not None}
    found = {}
    for image_id in matched:
        for record in vault.ledger.records_by_image(image_id):
            if record.release_id in from_fiftyone:
                found[image_id] = record.sample_id
    return found


def _keep(
    samples: foc.SampleCollection, dataset: fo.Dataset, check: LeakCheck, of: str
) -> LeakCheck:
    key = runs.free_key("leak_check", set(dataset.list_runs()))
    verdict = check.to_dict()
    per_image = verdict.pop("per_image")
    created = runs.now()
    values = {**verdict, "suspects": of, "created": created, "state": "done"}
    runs.put(samples, key, runs.EXTRACT, values)
    runs.put_results(dataset, key, per_image=per_image)
    return replace(check, run=key)


def _by_file(suspects: Iterable[Suspect]) -> list[list[Suspect]]:
    """What was found in each file; one that shows several originals has several."""
    files: dict[str, list[Suspect]] = {}
    for one in suspects:
        files.setdefault(one.sample_id, []).append(one)
    return list(files.values())


def _sources(summary: folders.ExtractSummary, suspects: list[Suspect]) -> str:
    """Whose copies a file's used suspects point to by themselves."""
    used = [one for one in suspects if one.used]
    return ", ".join(dict.fromkeys(w for one in used for w in summary.sources(one)))


def _leaks(check: LeakCheck) -> dict[str, dict[str, Any]]:
    verdict = {
        "decision": check.decision,
        "recipient": check.recipient,
        "p_value": check.p_value,
    }
    found = {}
    for own in _by_file(check.summary.suspects):
        suspect = next((one for one in own if one.used), own[0])
        found[suspect.sample_id] = {
            **verdict,
            "original": check.originals.get(suspect.image_id or ""),
            "original_filepath": suspect.original,
            "state": suspect.state,
            "exact": suspect.exact,
            "distance": suspect.distance,
            "payload": suspect.payload,
            "used": suspect.used,
            "copies_of": _sources(check.summary, own) if suspect.used else None,
            "originals_found": sum(one.image_id is not None for one in own),
            "reason": suspect.reason,
        }
    for failure in check.failures:
        found[failure.sample_id] = {
            **dict.fromkeys(fields.LEAK_LEAVES),
            **verdict,
            "used": False,
            "reason": source.short_reason(failure),
        }
    return found
