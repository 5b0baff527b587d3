"""Which release's copies of the samples are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count
from fiftyone_reue.samples import copies, fields, source
from fiftyone_reue.samples.releases import find_release
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc


def release_items(
    vault: Vault, samples: foc.SampleCollection, name: str | None
) -> tuple[Release, list[Item]]:
    """A release, and its protected files of these samples, with labels.

    Args:
        vault: the owner's.
        samples: a dataset or view.
        name: the release's name; None for the one that the samples show, or the only
            one.

    Raises:
        InputError: no such release, several that could be meant, or no copies.
        UnsafePathError: the ledger places a copy outside the release's folder.
    """
    dataset = source.dataset_of(samples)
    ids = source.sample_ids(samples)
    release = _chosen_release(vault, dataset, ids, name)
    items = [
        Item(record.sample_id, copies.copy_path(release, record), record.label, "")
        for record in vault.ledger.records(release.id, ids)
    ]
    if not items:
        raise InputError(
            f"Of {count(len(ids), 'sample')} none has a copy in release "
            f"{release.name}; choose others"
        )
    return release, items


def _chosen_release(
    vault: Vault, dataset: fo.Dataset, ids: list[str], name: str | None
) -> Release:
    if name is not None:
        return find_release(vault, dataset, name)
    known = {release.name: release for release in copies.releases_of(vault, dataset)}
    shown = _shown(dataset, ids) & known.keys()
    if len(shown) == 1:
        return known[shown.pop()]
    if shown:
        raise InputError(
            f"The samples show several releases ({', '.join(sorted(shown))}); say "
            "which one to measure"
        )
    if len(known) == 1:
        return next(iter(known.values()))
    names = ", ".join(known) or "none yet; protect the dataset first"
    raise InputError(f"Say which release to measure; there are: {names}")


def _shown(dataset: fo.Dataset, ids: list[str]) -> set[str]:
    if dataset.get_field(fields.PROTECTION) is None:
        return set()
    chosen = fields.all_samples(dataset).select(ids)
    return set(chosen.distinct(f"{fields.PROTECTION}.release"))
