"""Which protected copies no longer stand for their originals."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fiftyone_reue.batch.items import Item
from fiftyone_reue.names.display import count
from fiftyone_reue.progress import Progress, finish, mapped
from fiftyone_reue.releases.changes import find_changes
from fiftyone_reue.samples import fields, runs, source, views
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.vaults import open_ledger
from fiftyone_reue.stores.address import is_url

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc


@dataclass(frozen=True)
class Stale:
    """Samples to protect again.

    Attributes:
        changed: the original or its class is another than the copy was made of.
        missing: the protected file is gone, or isn't the one that was made.
        checked: how many copies were looked at, those included.
    """

    changed: list[str]
    missing: list[str]
    checked: int = 0

    @property
    def ids(self) -> list[str]:
        """All of them."""
        return [*self.changed, *self.missing]

    def text(self) -> str:
        """What was found, in a sentence or two."""
        checked = f"Checked {count(self.checked, 'file')}"
        if not self.ids:
            return f"{checked}: every copy is there and up to date."
        found = []
        if self.changed:
            what = count(len(self.changed), "original")
            found.append(f"{what} changed since, or got another class")
        if self.missing:
            verb = "is" if len(self.missing) == 1 else "are"
            what = count(len(self.missing), "protected file")
            found.append(f"{what} {verb} missing or damaged")
        them = "it" if len(self.ids) == 1 else "them"
        return f"{checked}: {', '.join(found)}. Protect {them} again to mend this."


def find_stale(samples: foc.SampleCollection) -> Stale:
    """Compare samples with the copies that they show, by content; needs no key.

    Reads every original and every copy once. An original that isn't there any more is
    not counted: its copy is still good.

    Example::

        stale = reue.find_stale(dataset)
        dataset.select(stale.ids).tag_samples("stale")

    Args:
        samples: a dataset or view; of groups, the active slice.

    Raises:
        LedgerUnavailableError: MongoDB can't be reached.
    """
    return finish(stale_steps(samples))


def stale_steps(
    samples: foc.SampleCollection,
) -> Generator[Progress, None, Stale]:
    """See :func:`find_stale`."""
    dataset = source.dataset_of(samples)
    if dataset.get_field(fields.PROTECTED) is None:
        return Stale([], [])
    with plain_errors():
        paths = ["id", "filepath", fields.PROTECTED, f"{fields.PROTECTION}.release"]
        rows = list(zip(*samples.values(paths), strict=True))
    ledger = open_ledger()
    own = source.source_of(dataset)
    releases = {r.name: r for r in ledger.releases() if r.source == own}
    shown: dict[str, dict[str, str]] = {}
    for sample_id, file, copy, release in rows:
        # What is in a store can't be a release's original here.
        if copy and release in releases and not is_url(file):
            shown.setdefault(release, {})[sample_id] = file
    changed: set[str] = set()
    current: set[str] = set()
    for number, (name, files) in enumerate(shown.items()):
        labels = _labels(samples, dataset, name)
        items = [Item(one, file, labels.get(one), "") for one, file in files.items()]
        looking = find_changes(
            ledger,
            releases[name],
            items,
            elsewhere=ledger.record_sample_ids(releases[name].id),
            by_label=bool(labels),
        )
        found = yield from mapped(looking, partial(_part, number, len(shown)))
        changed |= found.changed
        current |= found.current
    copied = [row[0] for row in rows if row[2]]
    return Stale(
        [one for one in copied if one in changed],
        [one for one in copied if one not in changed and one not in current],
        len(copied),
    )


def check_files_steps(
    dataset: fo.Dataset,
) -> Generator[Progress, None, Stale]:
    """Look at every file of a dataset, and save what is stale as a view.

    The view is called ``protection: stale``; where nothing is, it is taken away.
    """
    dataset = source.dataset_of(dataset)
    found = yield from stale_steps(fields.all_samples(dataset))
    view = dataset.select(found.ids) if found.ids else None
    with plain_errors():
        views.save(dataset, views.STALE, view, views.DESCRIPTIONS[views.STALE])
    return found


def _part(number: int, count: int, step: Progress) -> Progress:
    """Progress of one of several releases as that of all."""
    return Progress((number + step.fraction) / count, step.label)


def _labels(
    samples: foc.SampleCollection, dataset: fo.Dataset, release: str
) -> dict[str, str | None]:
    """The samples' classes now, by the field that a release took; empty of clusters."""
    path = (runs.get_config(dataset, release) or {}).get("label_field")
    if path is None or dataset.get_field(path) is None:
        return {}
    with plain_errors():
        return dict(zip(*samples.values(["id", path]), strict=True))
