"""Publish the samples of a dataset or view: one protected copy, for everybody."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Unpack

from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.config import ProtectSettings
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.protect import ProtectedSamples, protect_steps
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.vault import Vault

if TYPE_CHECKING:
    import fiftyone.core.collections as foc


def publish_samples(
    samples: foc.SampleCollection,
    *,
    output_dir: str | os.PathLike[str] | None = None,
    label_field: str | None = None,
    name: str | None = None,
    prune: bool = False,
    vault: Vault | None = None,
    progress: ProgressOption = None,
    **settings: Unpack[ProtectSettings],
) -> ProtectedSamples:
    """Make or complete a protected copy of some samples that is for everybody.

    All is as for :func:`fiftyone_reue.samples.protect_samples`, but that nobody is
    given a key: a licence (:func:`fiftyone_reue.samples.license_samples`) turns the
    published copies into one recipient's own.

    Example::

        made = reue.publish_samples(dataset)
        print(made.release, made.output_dir)    # what to put onto a mirror

    Args:
        samples: a dataset or view; of groups, the active slice.
        output_dir: as for `protect_samples`.
        label_field: likewise.
        name: what a new release is called, an identifier; by default ``published_1``.
        prune: as for `protect_samples`.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.
        **settings: how to protect, see
            :class:`fiftyone_reue.releases.config.ProtectConfig`.

    Raises:
        InputError: a parameter can't be used, or nothing can be protected.
        OutputError, VaultError: files or vault can't be written.
    """
    steps = publish_steps(
        samples,
        output_dir=output_dir,
        label_field=label_field,
        name=name,
        prune=prune,
        vault=vault,
        **settings,
    )
    return run(steps, progress)


def publish_steps(
    samples: foc.SampleCollection,
    *,
    output_dir: str | os.PathLike[str] | None = None,
    label_field: str | None = None,
    name: str | None = None,
    prune: bool = False,
    vault: Vault | None = None,
    **settings: Unpack[ProtectSettings],
) -> Generator[Progress, None, ProtectedSamples]:
    """See :func:`publish_samples`; closing the generator cancels the run."""
    vault = vault or open_vault()
    return (
        yield from protect_steps(
            samples,
            vault.published().name,
            output_dir=output_dir,
            label_field=label_field,
            name=name,
            prune=prune,
            vault=vault,
            **settings,
        )
    )
