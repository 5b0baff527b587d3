"""Measure the unlearnability of a dataset's release."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fiftyone_reue.batch.pipeline import Failure
from fiftyone_reue.progress import Progress
from fiftyone_reue.samples import fields, runs, source
from fiftyone_reue.samples.measured_release import release_items
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import score as folders
from fiftyone_reue.workflows.score import ScoreConfig

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc


@dataclass(frozen=True)
class ScoredSamples:
    """What was measured on a release. Accuracies and chance are from 0 to 1.

    Attributes:
        release: the release's name.
        accuracy_clean: of models trained on originals.
        accuracy_protected: of models trained on protected copies.
        chance: of always naming the largest class.
        unlearnability: 1 if a protected copy teaches nothing, 0 if as much as the
            originals; None if nothing can be told.
        margin: by how much it may be another; None if the originals themselves can't
            be learned.
        level: what it says: "holds", "weakened", "broken" or "not tellable".
        size: pixels a side that was trained at.
        usual_size: that at which people train on images like these.
        images: how many were measured.
        images_trained_on: how many of them models were trained on; nothing is told
            from fewer than 100.
        failures: protected files that could not be read, and why.
    """

    release: str
    accuracy_clean: float
    accuracy_protected: float
    chance: float
    unlearnability: float | None
    margin: float | None
    level: str
    size: int
    usual_size: int
    images: int
    images_trained_on: int
    failures: list[Failure] = field(repr=False)

    def text(self) -> str:
        """The result in a few sentences."""
        return f"Release {self.release}. {folders.described(vars(self))}"


def score_samples(
    samples: foc.SampleCollection,
    release: str | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    max_images: int | None = None,
    size: int | None = None,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> ScoredSamples:
    """Measure a release, and write each sample's score into its fields.

    Example::

        print(reue.score_samples(dataset).unlearnability)  # 1: as bad as guessing

    Args:
        samples: a dataset or view; of groups, the active slice.
        release: which; by default the one that the samples show.
        seed: of the split and the models.
        device: "auto", "cpu" or a torch device.
        max_images: train on so many at most, evenly over the classes; the models
            judge the rest. By default 6,000, of photographs 2,000.
        size: pixels a side to train at: 32, 64, 128 or 224; by default that at which
            people train on images like these, up to 128.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: no such release, or too few images or classes.
    """
    steps = score_steps(
        samples,
        release,
        seed=seed,
        device=device,
        max_images=max_images,
        size=size,
        vault=vault,
    )
    return run(steps, progress)


def score_steps(
    samples: foc.SampleCollection,
    release: str | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    max_images: int | None = None,
    size: int | None = None,
    vault: Vault | None = None,
) -> Generator[Progress, None, ScoredSamples]:
    """See :func:`score_samples`."""
    dataset = source.dataset_of(samples)
    vault = vault or open_vault()
    chosen, items = release_items(vault, samples, release)
    summary = yield from folders.score(
        vault, items, ScoreConfig(seed, device, max_images, size=size)
    )
    scores = {
        item.sample_id: float(value)
        for item, value in zip(summary.items, summary.per_image, strict=True)
    }
    figures = summary.to_dict()
    _keep(dataset, chosen, figures, scores)
    return ScoredSamples(
        release=chosen.name,
        accuracy_clean=figures["accuracy_clean"],
        accuracy_protected=figures["accuracy_protected"],
        chance=figures["chance"],
        unlearnability=figures["unlearnability"],
        margin=figures["margin"],
        level=figures["level"],
        size=figures["size"],
        usual_size=figures["usual_size"],
        images=figures["images"],
        images_trained_on=figures["images_trained_on"],
        failures=summary.outcome.failures,
    )


def _keep(
    dataset: fo.Dataset,
    release: Release,
    figures: dict[str, Any],
    scores: dict[str, float],
) -> None:
    showing = fields.samples_showing(dataset, release.name)
    shown = {key: value for key, value in scores.items() if key in showing}
    fields.write_values(dataset, f"{fields.PROTECTION}.unlearnability", shown)
    if runs.get_config(dataset, release.name) is None:
        return
    kept = {key: value for key, value in figures.items() if key != "per_image"}
    values = {
        "unlearnability": figures["unlearnability"],
        "scores": {**kept, "measured": runs.now()},
    }
    runs.put(dataset, release.name, runs.PROTECT, values)
    runs.put_results(dataset, release.name, unlearnability=scores)
