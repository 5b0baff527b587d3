"""License a dataset's published release to a recipient."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING

from fiftyone_reue.batch.folders import whole_path
from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import Progress
from fiftyone_reue.samples import copies, runs
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.releases import find_release
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.vault import PUBLISHED, Vault
from fiftyone_reue.workflows.license import (
    DEFAULT_DAYS,
    LicenseSummary,
    license_release,
)

if TYPE_CHECKING:
    import fiftyone as fo


def list_published(dataset: fo.Dataset) -> list[str]:
    """The names of a dataset's published releases, as its runs say.

    No vault is needed.

    Example::

        print(reue.list_published(dataset))     # ["published_1"]
    """
    return [
        key
        for key in dataset.list_runs(method=runs.PROTECT)
        if (runs.get_config(dataset, key) or {}).get("recipient") == PUBLISHED
    ]


def license_samples(
    dataset: fo.Dataset,
    recipient: str,
    path: str | os.PathLike[str],
    *,
    release: str | None = None,
    days: int = DEFAULT_DAYS,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> LicenseSummary:
    """Make a recipient's licence for a published release, or one that replaces it.

    With it and their key the recipient turns the published copies into their own,
    exactly, each with their watermark; they need no FiftyOne for that.

    Example::

        path = Path("bob.license").resolve()
        made = reue.license_samples(dataset, "bob", path)
        print(made.header.images, made.bytes)

    Args:
        dataset: whose samples were published.
        recipient: for whom, by name.
        path: the licence's file, its whole path. Only this
            recipient's licence for this release is replaced.
        release: what was published, by name; None for the dataset's newest.
        days: for how long it is good; 0: it doesn't expire.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: there is no such recipient, or nothing was published.
        RevokedKeyError: the recipient was revoked.
        OutputError: the licence can't be written, or something else is there.
    """
    steps = license_steps(
        dataset, recipient, path, release=release, days=days, vault=vault
    )
    return run(steps, progress)


def license_steps(
    dataset: fo.Dataset,
    recipient: str,
    path: str | os.PathLike[str],
    *,
    release: str | None = None,
    days: int = DEFAULT_DAYS,
    vault: Vault | None = None,
) -> Generator[Progress, None, LicenseSummary]:
    """See :func:`license_samples`; closing the generator cancels."""
    vault = vault or open_vault()
    if release is None:
        published = vault.published().id
        known = copies.releases_of(vault, dataset)
        names = [one.name for one in known if one.recipient_id == published]
        if not names:
            raise InputError(
                "Nothing of this dataset is published yet; publish it first, then make "
                "licences"
            )
        release = names[-1]
    found = find_release(vault, dataset, release)
    steps = license_release(vault, recipient, found, whole_path(path), days=days)
    return (yield from steps)
