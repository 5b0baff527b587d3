"""Show, list and delete the releases of a dataset."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases import lookup as ledger_releases
from fiftyone_reue.samples import copies, fields, runs, views
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.source import source_of
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault

if TYPE_CHECKING:
    import fiftyone as fo


def list_releases(dataset: fo.Dataset) -> list[str]:
    """The names of a dataset's releases, as its runs say; no vault is needed.

    Example::

        print(reue.list_releases(dataset))     # ["alice_1", "bob_1"]
    """
    return list(dataset.list_runs(method=runs.PROTECT))


def holders(dataset: fo.Dataset) -> dict[str, str]:
    """Whom each of a dataset's releases is for, by its name; "" if no run says it."""
    return {
        name: str((runs.get_config(dataset, name) or {}).get("recipient") or "")
        for name in list_releases(dataset)
    }


def shown_release(dataset: fo.Dataset) -> str | None:
    """The release whose copies a dataset's fields show, or None."""
    if not dataset.has_field(f"{fields.PROTECTION}.release"):
        return None
    found = fields.samples_of_state(dataset, "protected").limit(1)
    names = found.values(f"{fields.PROTECTION}.release")
    return names[0] if names else None


def find_release(vault: Vault, dataset: fo.Dataset, name: str) -> Release:
    """A release of a dataset by its name.

    Raises:
        InputError: the dataset has no such release.
    """
    known = copies.releases_of(vault, dataset)
    for release in known:
        if name in (release.name, release.id):
            return release
    names = ", ".join(release.name for release in known) or "none yet"
    raise InputError(f"The dataset has no release {name!r}; there are: {names}")


def show_release(
    dataset: fo.Dataset,
    name: str,
    *,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> int:
    """Make a release the one that the dataset's fields show.

    Example::

        reue.show_release(dataset, "alice_1")

    Args:
        dataset: the dataset.
        name: the release's.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Returns:
        How many samples have a copy in it.

    Raises:
        InputError: there is no such release.
    """
    return run(show_release_steps(dataset, name, vault=vault), progress)


def show_release_steps(
    dataset: fo.Dataset, name: str, *, vault: Vault | None = None
) -> Generator[Progress, None, int]:
    """See :func:`show_release`."""
    vault = vault or open_vault()
    release = find_release(vault, dataset, name)
    fields.declare_protection(dataset)
    made = vault.ledger.record_sample_ids(release.id)
    present = fields.all_samples(dataset).values("id")
    wanted = [sample_id for sample_id in present if sample_id in made]
    rest = [sample_id for sample_id in present if sample_id not in made]
    filled = fields.samples_showing(dataset, None)
    emptied = [sample_id for sample_id in rest if sample_id in filled]
    fields.show_nothing(dataset, emptied, lambda *lists: lists)
    failures = runs.get_results(dataset, release.name).get("failures") or {}
    info = copies.info_of(vault, release)
    here = set(rest)
    fields.show_failures(
        dataset, info, {key: why for key, why in failures.items() if key in here}
    )
    for behind in copies.show_from_ledger(vault, dataset, release, wanted):
        yield Progress(
            behind / len(wanted), f"Showing {name}: {count(behind, 'sample')}"
        )
    views.refresh(dataset)
    return len(wanted)


def delete_release(
    dataset: fo.Dataset,
    name: str,
    *,
    files: bool = False,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> int:
    """Forget a release: its copies can't be traced any more.

    (Those of images that are in other releases can.)

    If the dataset shows it, it shows its newest other release afterwards.

    Example::

        reue.delete_release(dataset, "bob_1", files=True)

    Args:
        dataset: the dataset.
        name: the release's.
        files: whether to delete the protected files too.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Returns:
        How many files were deleted.

    Raises:
        InputError: there is no such release.
        OutputError: a file can't be deleted; the release is kept then.
    """
    steps = delete_release_steps(dataset, name, files=files, vault=vault)
    return run(steps, progress)


def delete_release_steps(
    dataset: fo.Dataset, name: str, *, files: bool = False, vault: Vault | None = None
) -> Generator[Progress, None, int]:
    """See :func:`delete_release`. Run it again after an interruption."""
    vault = vault or open_vault()
    deleted = 0
    if _is_half_deleted(vault, dataset, name):
        key = name
    else:
        release = find_release(vault, dataset, name)
        key = release.name
        # More than nothing: what is stopped from now on deleted some of it.
        yield Progress(0.02, f"Deleting {key}")
        deleted = ledger_releases.delete_release(vault, release, files=files)
    yield Progress(0.5, f"Clearing {key} from the samples")
    showing = _forget_in_fields(vault, dataset, key)
    runs.delete(dataset, key)
    others = copies.releases_of(vault, dataset)
    if showing and others:
        yield from show_release_steps(dataset, others[-1].name, vault=vault)
    views.refresh(dataset)
    return deleted


def _is_half_deleted(vault: Vault, dataset: fo.Dataset, name: str) -> bool:
    """Whether an interrupted deletion left the run, but not the ledger's release."""
    config = runs.get_config(dataset, name)
    if config is None or config["method"] != runs.PROTECT:
        return False
    release_id = config.get("release_id")
    if release_id is None:
        return True
    release = vault.ledger.release(release_id)
    if release is not None and release.source != source_of(dataset):
        raise InputError(
            f"Release {name!r} belongs to the dataset that this one was copied from; "
            "delete it there"
        )
    return release is None


def _forget_in_fields(vault: Vault, dataset: fo.Dataset, name: str) -> bool:
    """Take a release out of all fields; returns whether any sample showed it."""
    if dataset.get_field(fields.PROTECTION) is None:
        return False
    everything = fields.all_samples(dataset)
    paths = ["id", f"{fields.PROTECTION}.release", f"{fields.PROTECTION}.releases"]
    rows = list(zip(*everything.values(paths), strict=True))
    showing = [row[0] for row in rows if row[1] == name]
    listed = [row[0] for row in rows if row[1] != name and name in (row[2] or [])]
    names = {
        release.name: vault.recipient(release.recipient_id).name
        for release in copies.releases_of(vault, dataset)
    }

    def without(releases: list[str], _: list[str]) -> tuple[list[str], list[str]]:
        kept = [release for release in releases if release in names]
        return kept, list(dict.fromkeys(names[release] for release in kept))

    fields.show_nothing(dataset, showing, without)
    fields.write_lists(dataset, listed, without)
    return bool(showing)
