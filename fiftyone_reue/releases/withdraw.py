"""Take copies out of a release's folder, and keep what tracing them needs.

A copy may have been handed out before. Its record stays in the ledger among the
withdrawn ones: a leak of it is matched and traced, and the owner restores it, as
before; it is no part of its release any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from fiftyone_reue.errors import OutputError
from fiftyone_reue.names import contained
from fiftyone_reue.releases.changes import is_copy
from fiftyone_reue.stores.address import Place, place
from fiftyone_reue.vault.entities import Record, Release
from fiftyone_reue.vault.ledger.base import Ledger

_PAGE = 256


def withdraw(ledger: Ledger, release: Release, sample_ids: Sequence[str]) -> int:
    """Take samples' copies out of a release: the files first, then the records.

    So an interrupted run leaves a record without a file, which the next one finds.

    Args:
        ledger: where the records are.
        release: which.
        sample_ids: whose copies; those without one are no matter.

    Returns:
        How many were withdrawn.

    Raises:
        OutputError: a file can't be deleted; its record is kept.
        UnsafePathError: a record's file isn't in the release's folder, or is there
            through a link.
    """
    count = 0
    for start in range(0, len(sample_ids), _PAGE):
        records = list(ledger.records(release.id, sample_ids[start : start + _PAGE]))
        for record in records:
            contained.parts(record.output)  # before any file is gone
        for record in records:
            _remove(place(release.output), record.output)
        keep(ledger, records)
        ledger.delete_records(release.id, [record.sample_id for record in records])
        count += len(records)
    return count


def keep(ledger: Ledger, records: Sequence[Record]) -> None:
    """Put what is about to be replaced or deleted among the withdrawn records."""
    ledger.put_withdrawn([replace(one, id=_withdrawn_id(one)) for one in records])


def remove_leftovers(
    ledger: Ledger, release: Release, records: Sequence[Record] | None = None
) -> None:
    """Delete the files of withdrawn records that are still there.

    A file is deleted only if it is that very copy, and not the release's again.

    Args:
        ledger: where the records are.
        release: which.
        records: of these records; by default of all withdrawn ones, as after a crash.

    Raises:
        OutputError: a file can't be deleted.
        UnsafePathError: as for :func:`withdraw`.
    """
    folder = place(release.output)
    for record in ledger.withdrawn(release.id) if records is None else records:
        path = contained.inside(folder, record.output)
        if not path.is_file():
            continue
        now = ledger.records(release.id, [record.sample_id])
        if all(one.output != record.output for one in now) and is_copy(path, record):
            _remove(folder, record.output)


def _withdrawn_id(record: Record) -> str:
    """One id for one copy in one place, so that withdrawing it again adds nothing."""
    digest = record.digest_p or record.digest_w  # of a licence only W is known
    named = digest + record.output.encode()
    return f"{record.release_id}-{hashlib.sha256(named).hexdigest()[:32]}"


def _remove(folder: Place, output: str) -> None:
    try:
        contained.remove(folder, output)
    except OSError as error:
        raise OutputError(
            f"{folder / output} can't be deleted: {error.strerror}; delete it, then "
            "run it again"
        ) from error
