"""Which protected copies no longer stand for their originals."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fiftyone_reue.samples import fields, source
from fiftyone_reue.samples.trouble import plain_errors

if TYPE_CHECKING:
    import fiftyone.core.collections as foc


@dataclass(frozen=True)
class Stale:
    """Samples to protect again.

    Attributes:
        changed: the original's file was written after its copy.
        missing: the protected file is gone.
    """

    changed: list[str]
    missing: list[str]

    @property
    def ids(self) -> list[str]:
        """All of them."""
        return [*self.changed, *self.missing]


def find_stale(samples: foc.SampleCollection) -> Stale:
    """Compare the files of samples that show a copy; opens none of them.

    An original that isn't there any more is not counted: its copy is still good.

    Args:
        samples: a dataset or view; of groups, the active slice.

    Raises:
        LedgerUnavailableError: MongoDB can't be reached.
    """
    dataset = source.dataset_of(samples)
    if dataset.get_field(fields.PROTECTED) is None:
        return Stale([], [])
    with plain_errors():
        rows = zip(
            *samples.values(["id", "filepath", fields.PROTECTED]),
            strict=True,
        )
    changed, missing = [], []
    for sample_id, original, copy in rows:
        if not copy:
            continue
        made = _modified(copy)
        if made is None:
            missing.append(sample_id)
        elif (_modified(original) or 0.0) > made:
            changed.append(sample_id)
    return Stale(changed, missing)


def _modified(path: str) -> float | None:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None
