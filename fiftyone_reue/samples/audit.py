"""Audit a dataset's release: how well it holds against what a thief may do."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.batch.pipeline import Failure
from fiftyone_reue.progress import Progress
from fiftyone_reue.samples import runs, source
from fiftyone_reue.samples.measured_release import release_items
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.audit import (
    AuditConfig,
    AuditSummary,
    audit_release,
    report_folder,
)

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc


@dataclass(frozen=True)
class AuditedSamples:
    """What an audit found.

    Attributes:
        release: the release's name.
        headline: the verdict in one sentence.
        paragraph: and in some more, with what it may not be taken for.
        findings: one for each countermeasure: ``countermeasure``, ``title``, ``level``
            ("holds", "weakened", "broken" or "not tellable"), ``accuracy`` and
            ``originals`` (0 to 1, None where not measured), ``victim``, ``needs``.
        doubts: checks of the measurement itself that failed, a sentence each; with
            any of them, the other figures mean nothing.
        report: the HTML report.
        failures: protected files that could not be read, and why.
    """

    release: str
    headline: str
    paragraph: str
    findings: list[dict[str, Any]]
    doubts: list[str]
    report: str
    failures: list[Failure] = field(repr=False)

    def text(self) -> str:
        """The verdict, and where the report is."""
        return f"{self.headline} {self.paragraph} Report: {self.report}"


def audit_samples(
    samples: foc.SampleCollection,
    release: str | None = None,
    *,
    budget: str = "quick",
    countermeasures: Sequence[str] = (),
    victims: Sequence[str] = (),
    seeds: int | None = None,
    seed: int = 0,
    device: str = "auto",
    size: int | None = None,
    output_dir: str | None = None,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> AuditedSamples:
    """Audit a release, and keep the result in its run.

    Example::

        print(reue.audit_samples(dataset, countermeasures=("grayscale",)).text())

    Args:
        samples: a dataset or view; of groups, the active slice.
        release: which; by default the one that the samples show.
        budget: "quick" or "full" (a GPU, and hours).
        countermeasures: names, or none for the budget's.
        victims: names of networks, or none for the budget's.
        seeds: victims of a kind; None for the budget's number.
        seed: of the split into stolen, clean and test images.
        device: "auto", "cpu" or a torch device.
        size: pixels a side to train at: 32, 64, 128 or 224; by default that at which
            people train on images like these, in the quick budget up to 128.
        output_dir: the report's folder; by default beside the release's.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: no such release, a name that doesn't exist, or too few images or
            classes.
        OutputError: the report can't be written.
    """
    steps = audit_steps(
        samples,
        release,
        budget=budget,
        countermeasures=countermeasures,
        victims=victims,
        seeds=seeds,
        seed=seed,
        device=device,
        size=size,
        output_dir=output_dir,
        vault=vault,
    )
    return run(steps, progress)


def audit_steps(
    samples: foc.SampleCollection,
    release: str | None = None,
    *,
    budget: str = "quick",
    countermeasures: Sequence[str] = (),
    victims: Sequence[str] = (),
    seeds: int | None = None,
    seed: int = 0,
    device: str = "auto",
    size: int | None = None,
    output_dir: str | None = None,
    vault: Vault | None = None,
) -> Generator[Progress, None, AuditedSamples]:
    """See :func:`audit_samples`."""
    dataset = source.dataset_of(samples)
    vault = vault or open_vault()
    chosen, items = release_items(vault, samples, release)
    config = AuditConfig(
        budget=budget,
        countermeasures=tuple(countermeasures),
        victims=tuple(victims),
        seeds=seeds,
        seed=seed,
        device=device,
        size=size,
    )
    output = Path(output_dir) if output_dir else report_folder(chosen.output)
    summary = yield from audit_release(vault, items, config, output)
    result = AuditedSamples(
        release=chosen.name,
        headline=summary.verdict.headline,
        paragraph=" ".join([summary.verdict.paragraph, *summary.verdict.cautions]),
        findings=_findings(summary),
        doubts=list(summary.verdict.doubts),
        report=str(summary.report),
        failures=summary.outcome.failures,
    )
    _keep(dataset, chosen, result)
    return result


def _findings(summary: AuditSummary) -> list[dict[str, Any]]:
    return [
        {
            "countermeasure": finding.countermeasure,
            "title": finding.title,
            "needs": finding.needs,
            "level": finding.level,
            "victim": finding.victim,
            "accuracy": finding.accuracy.mean if finding.accuracy else None,
            "originals": finding.originals.mean if finding.originals else None,
        }
        for finding in summary.verdict.findings
    ]


def _keep(dataset: fo.Dataset, release: Release, result: AuditedSamples) -> None:
    if runs.get_config(dataset, release.name) is None:
        return
    kept = {
        "headline": result.headline,
        "paragraph": result.paragraph,
        "findings": result.findings,
        "doubts": result.doubts,
        "report": result.report,
        "measured": runs.now(),
    }
    runs.put(dataset, release.name, runs.PROTECT, {"audit": kept})
