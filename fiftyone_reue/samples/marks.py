"""Tags and saved views of samples that need somebody's attention."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.samples import fields, source
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.stale import stale_steps
from fiftyone_reue.samples.views import DESCRIPTIONS, FAILED, STALE, WEAK, save

if TYPE_CHECKING:
    import fiftyone as fo

WEAK_BELOW = 0.5
"""By default an image of which a model unlearns less than this is weak."""


@dataclass(frozen=True)
class Marked:
    """Which samples need attention.

    Attributes:
        failed: ids of samples that could not be protected.
        stale: of those whose original or class changed, or whose copy is missing.
        weak: of those whose unlearnability is below the limit.
        below: the limit.
        scored: how many samples have an unlearnability at all.
    """

    failed: list[str] = field(repr=False)
    stale: list[str] = field(repr=False)
    weak: list[str] = field(repr=False)
    below: float
    scored: int

    def text(self) -> str:
        """What was found, in a sentence or two."""
        found = (
            f"{len(self.failed)} failed, {len(self.stale)} stale, {len(self.weak)} "
            f"weak (unlearnability below {self.below:g})"
        )
        if not self.scored:
            return (
                f"{found}. No sample has an unlearnability, so none can be weak: "
                "measure the release first."
            )
        return f"{found}, of {count(self.scored, 'sample')} with an unlearnability."


def mark_samples(
    dataset: fo.Dataset,
    *,
    weak_below: float = WEAK_BELOW,
    tag: bool = True,
    progress: ProgressOption = None,
) -> Marked:
    """Tag and save as views what failed, is stale, or is weak, of the release shown.

    Tags and views are called ``protection: failed``, ``protection: stale`` and
    ``protection: weak``. Those of an earlier call are taken away. Reads every original
    and every copy once.

    Example::

        found = reue.mark_samples(dataset, weak_below=0.6)
        print(found.text())

    Args:
        dataset: the originals'.
        weak_below: samples with an unlearnability below that are weak, 0 to 1.
        tag: whether to tag the samples too.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: the limit is out of its range, or nothing is protected.
    """
    return run(mark_steps(dataset, weak_below=weak_below, tag=tag), progress)


def mark_steps(
    dataset: fo.Dataset, *, weak_below: float = WEAK_BELOW, tag: bool = True
) -> Generator[Progress, None, Marked]:
    """See :func:`mark_samples`."""
    from fiftyone import ViewField as F

    if not 0 <= weak_below <= 1:
        raise InputError(f"Unlearnability is from 0 to 1, not {weak_below:g}")
    dataset = source.dataset_of(dataset)
    if dataset.get_field(fields.PROTECTION) is None:
        raise InputError("Nothing of the dataset is protected; protect it first")
    everything = fields.all_samples(dataset)
    stale = yield from mapped(
        stale_steps(everything), lambda p: Progress(0.9 * p.fraction, p.label)
    )
    score = F(f"{fields.PROTECTION}.unlearnability")
    with plain_errors():
        # Nothing is less than any number to the database.
        weak = everything.match((score >= 0) & (score < weak_below)).values("id")
        failed = fields.samples_of_state(dataset, "failed").values("id")
        scored = everything.count(f"{fields.PROTECTION}.unlearnability")
    found = Marked(failed, stale.ids, weak, weak_below, scored)
    yield Progress(0.9, "Saving views and tags")
    groups = {FAILED: found.failed, STALE: found.stale, WEAK: found.weak}
    with plain_errors():
        everything.untag_samples(list(groups))
        for name, ids in groups.items():
            view = dataset.select(ids)
            if tag and ids:
                view.tag_samples(name)
            save(dataset, name, view if ids else None, DESCRIPTIONS[name])
    return found
