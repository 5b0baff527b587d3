"""Preview: what protecting a dataset or view would give, from a few of its samples."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings
from fiftyone_reue.samples import source
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.workflows.preview import IMAGES, Preview, preview

if TYPE_CHECKING:
    import fiftyone.core.collections as foc


def preview_samples(
    samples: foc.SampleCollection,
    *,
    label_field: str | None = None,
    count: int = IMAGES,
    progress: ProgressOption = None,
    **settings: Unpack[ProtectSettings],
) -> Preview:
    """Protect a few samples in memory, and say what all of it would give.

    Nothing is written, into the dataset or elsewhere, and no vault is needed: the keys
    are drawn for it and thrown away. So the pattern will be another, but as visible;
    a method that is fitted to images is fitted to these few alone.

    Example::

        found = reue.preview_samples(dataset, epsilon=6)
        print(found.ssimulacra2, found.size_before, found.size_after, found.seconds)
        print(found.strength)

    Args:
        samples: a dataset or view; of groups, the active slice.
        label_field: as for :func:`fiftyone_reue.samples.protect_samples`.
        count: how many samples, up to 32, spread over kinds of files and classes.
        progress: as in FiftyOne's own functions.
        **settings: how to protect, see
            :class:`fiftyone_reue.releases.config.ProtectConfig`.

    Raises:
        InputError: a parameter can't be used, or nothing can be protected.
    """
    steps = preview_steps(samples, label_field=label_field, count=count, **settings)
    return run(steps, progress)


def preview_steps(
    samples: foc.SampleCollection,
    *,
    label_field: str | None = None,
    count: int = IMAGES,
    **settings: Unpack[ProtectSettings],
) -> Generator[Progress, None, Preview]:
    """See :func:`preview_samples`."""
    config = ProtectConfig.of(**settings)
    dataset = source.dataset_of(samples)
    source.require_images(samples)
    yield Progress(0.0, "Reading the samples")
    if config.clusters is None:
        path = source.label_path(dataset, label_field)
        regions = source.has_regions(path) and not config.whole_images
        job = source.labelled_job(samples, path, regions=regions)
    else:
        job = source.unlabelled_job(samples)
    if not job.items:
        reasons = source.describe(job.failures)
        raise InputError(
            "There is no sample to preview; choose a dataset or view that has some\n"
            f"{reasons}".rstrip()
        )
    found = yield from preview(job.items, config=config, count=count)
    return replace(found, failures=[*job.failures, *found.failures])
