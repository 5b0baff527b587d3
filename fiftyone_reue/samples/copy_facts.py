"""What is known of the protected copy that one sample shows, and of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.releases.changes import is_copy
from fiftyone_reue.samples import fields, source
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.vaults import open_ledger

if TYPE_CHECKING:
    import fiftyone as fo

    from fiftyone_reue.samples.shown_names import ShownNames

WHOLE = "in the ledger and in the file, both as they were made"
CHANGED = "in the ledger; the file isn't the one that was made: protect it again"
GONE = "in the ledger; the copy's file is gone: protect it again"
UNKNOWN = "not in the ledger: the release was deleted, or is another vault's"


@dataclass(frozen=True)
class Fact:
    """One thing that is known of a copy, ready to be shown."""

    name: str
    value: str


def copy_facts(
    dataset: fo.Dataset, sample_id: str, names: ShownNames | None = None
) -> list[Fact]:
    """What is known of the protected copy that a sample shows; nothing without one.

    Reads the copy's file once; needs no key.

    Args:
        dataset: the original's.
        sample_id: the original's sample.
        names: what to call recipients; by default their own names.

    Raises:
        LedgerUnavailableError: MongoDB can't be reached.
    """
    if dataset.get_field(fields.PROTECTION) is None:
        return []
    with plain_errors():
        found = fields.all_samples(dataset).select(sample_id)
        protection, path = (
            next(iter(found.values(name)), None)
            for name in (fields.PROTECTION, fields.PROTECTED)
        )
    if protection is None or not path:
        return []
    shown = protection.to_dict()
    if names is not None and shown.get("recipient"):
        shown["recipient"] = names.of(shown["recipient"])
    record = _record_state(dataset, sample_id, str(shown.get("release")), Path(path))
    return [*_said(shown), Fact("Record", record)]


def _said(shown: Mapping[str, Any]) -> list[Fact]:
    """What the sample's fields say."""
    names = (
        ("Release", "release", "{}"),
        ("For", "recipient", "{}"),
        ("Method", "method", "{}"),
        ("Key reference", "key_ref", "{}"),
        ("Code bits", "payload", "{}"),
        ("PSNR", "psnr", "{:.1f} dB"),
        ("SSIMULACRA2, of 100", "ssimulacra2", "{:.0f}"),
        ("Unlearnability, of 1", "unlearnability", "{:.2f}"),
    )
    return [
        Fact(
            name,
            "not measured" if shown.get(leaf) is None else form.format(shown[leaf]),
        )
        for name, leaf, form in names
    ]


def _record_state(dataset: fo.Dataset, sample_id: str, release: str, path: Path) -> str:
    ledger = open_ledger()
    own = source.source_of(dataset)
    ids = [r.id for r in ledger.releases() if (r.source, r.name) == (own, release)]
    record = next(
        (one for key in ids for one in ledger.records(key, [sample_id])), None
    )
    if record is None:
        return UNKNOWN
    if not path.is_file():
        return GONE
    return WHOLE if is_copy(path, record) else CHANGED
