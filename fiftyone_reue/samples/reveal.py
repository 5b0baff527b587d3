"""Show how well what is hidden in samples agrees with what this vault hid."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.batch.folders import whole_path
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Failure
from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.lookup import require_apart
from fiftyone_reue.samples import fields, source
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import reveal as folders
from fiftyone_reue.workflows.decoys import DECOYS

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc

KEPT_IMAGES = 1000
"""A result lists so many images; the field has all of them."""


@dataclass(frozen=True)
class RevealedSamples:
    """What was found in a set of samples.

    Attributes:
        summary: the statistics and every image.
        failures: samples in which nothing could be looked for, and why.
        output_dir: where the pictures are, or None if there are none.
    """

    summary: folders.RevealSummary = field(repr=False)
    failures: list[Failure] = field(repr=False)
    output_dir: str | None = None

    @property
    def agreement(self) -> float | None:
        """The mean agreement of revealed and hidden scenes, -1 to 1."""
        return self.summary.agreement

    @property
    def p_value(self) -> float | None:
        """The chance of such a mean agreement if nothing was hidden."""
        return self.summary.p_value

    def text(self) -> str:
        """The result in words."""
        lines = [self.summary.verdict()]
        if self.output_dir is not None:
            lines.append(
                f"{count(len(self.summary.images), 'picture')} ({self.output_dir})"
            )
        if self.failures:
            lines.append(f"{len(self.failures)} failed")
            lines.append(source.describe(self.failures))
        return "\n".join(lines)

    def best(self, count: int) -> list[folders.Revealed]:
        """The images in which what was hidden is found best.

        Args:
            count: how many at most.

        Returns:
            The best of each class, and only then others, each time the best one
            first: images of one class hide nearly the same scene.
        """
        ranked = sorted(self.summary.images, key=lambda one: -one.agreement)
        of_class = {one.label: one.sample_id for one in reversed(ranked)}
        firsts = set(of_class.values())
        ranked.sort(key=lambda one: one.sample_id not in firsts)
        return ranked[:count]

    def to_dict(self) -> dict[str, Any]:
        """The result for machines, as on the command line.

        Of many samples, ``per_image`` has the first.
        """
        result = self.summary.to_dict()
        result["per_image"] = result["per_image"][:KEPT_IMAGES]
        result["images_failed"] = len(self.failures)
        return result


def reveal_samples(
    samples: foc.SampleCollection,
    *,
    originals: str | os.PathLike[str] | None = None,
    decoys: int = DECOYS,
    output_dir: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> RevealedSamples:
    """Reveal what was hidden in samples, and write the agreement into their field.

    Of a sample that shows a protected copy, that copy is looked at; of any other, its
    own file, as a suspect.

    Example::

        scenes = {"method": "deep_hiding", "output_dir": Path.cwd() / "scenes"}
        reue.protect_samples(dataset, "bob", **scenes)
        print(reue.reveal_samples(dataset, decoys=9).text())

    Args:
        samples: a dataset or view; of groups, the active slice.
        originals: a folder with the originals, if they moved since they were
            protected.
        decoys: how many keys drawn at random to compare with.
        output_dir: where a picture of each sample goes, to which a field points then:
            the image, the stripes that are found in it, the scene that is seen in them
            and the scene that was hidden. None writes no pictures.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Returns:
        The statistics, and what was found in each sample.

    Raises:
        InputError: there is no image, nothing was protected yet, nothing could be
            revealed in any image, or the pictures would be in a release. No field is
            written then.
        OutputError: the pictures can't be written.
    """
    steps = reveal_steps(
        samples,
        originals=originals,
        decoys=decoys,
        output_dir=output_dir,
        vault=vault,
    )
    return run(steps, progress)


def reveal_steps(
    samples: foc.SampleCollection,
    *,
    originals: str | os.PathLike[str] | None = None,
    decoys: int = DECOYS,
    output_dir: str | os.PathLike[str] | None = None,
    vault: Vault | None = None,
) -> Generator[Progress, None, RevealedSamples]:
    """See :func:`reveal_samples`."""
    dataset = source.dataset_of(samples)
    output = None if output_dir is None else whole_path(output_dir)
    yield Progress(0.0, "Reading the samples")
    job = source.unlabelled_job(samples)
    if not job.items:
        raise InputError(
            "There is no image among the samples; choose a dataset or view that has "
            f"some\n{source.describe(job.failures)}".rstrip()
        )
    vault = vault or open_vault()
    if output is not None:
        require_apart(vault, output, "the pictures show what is hidden in it")
        fields.require_free(dataset, fields.REVEALED)
    fields.require_free(dataset, fields.REVEAL_AGREEMENT)
    folder = None if originals is None else Path(originals).expanduser()
    items = _with_copies(dataset, job.items)
    summary = yield from folders.reveal(
        vault, items, output, originals_folder=folder, decoys=decoys
    )
    failures = [*job.failures, *summary.outcome.failures]
    if not summary.images:
        raise InputError(
            "There is no image that something could be revealed in; choose protected "
            f"copies of a release that hides something\n{source.describe(failures)}"
        )
    fields.declare_reveal(dataset)
    nothing = dict.fromkeys(one.sample_id for one in failures)
    found = {image.sample_id: image.agreement for image in summary.images}
    fields.write_values(dataset, fields.REVEAL_AGREEMENT, {**nothing, **found})
    if output is None:
        return RevealedSamples(summary, failures)
    fields.declare_revealed(dataset)
    pictures = {
        image.sample_id: str(output / image.panels)
        for image in summary.images
        if image.panels is not None
    }
    fields.write_values(dataset, fields.REVEALED, {**nothing, **pictures})
    return RevealedSamples(summary, failures, str(output))


def _with_copies(dataset: fo.Dataset, items: list[Item]) -> list[Item]:
    """The protected copies that samples show in place of their own files."""
    copies = fields.shown_copies(dataset, [item.sample_id for item in items])
    return [
        replace(item, path=copies.get(item.sample_id) or item.path) for item in items
    ]
