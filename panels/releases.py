"""The releases of a dataset, as its runs tell them: rows of the panel's table."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import fiftyone as fo

from fiftyone_reue.auditing.verdict import NOT_TELLABLE
from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count
from fiftyone_reue.samples import runs, source
from fiftyone_reue.samples.processes import is_gone
from fiftyone_reue.samples.several_labels import list_of
from fiftyone_reue.samples.shown_names import ShownNames
from fiftyone_reue.samples.vaults import open_ledger
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.vault import PUBLISHED, RECIPIENT_EVENT

SILENT = timedelta(minutes=10)
"""A run that has said nothing for so long was killed: none reports more rarely."""


@dataclass(frozen=True)
class ReleaseRow:
    """What the table says of a release; text, ready to be shown."""

    release: str
    recipient: str
    method: str
    state: str
    images: str
    psnr: str
    ssimulacra2: str
    unlearnability: str
    date: str

    def to_dict(self) -> dict[str, str]:
        """The row as the table takes it."""
        return asdict(self)


def release_rows(
    dataset: fo.Dataset, shown: str | None, names: ShownNames
) -> list[ReleaseRow]:
    """A row for each release, newest first.

    Args:
        dataset: theirs.
        shown: the release that the fields show, which is marked.
        names: what to call recipients.
    """
    ledger = open_ledger()
    revoked = {p.name for p in ledger.recipients() if p.revoked_at is not None}
    # A licence's source is the published folder.
    licences = Counter(release.source for release in ledger.releases())
    found = []
    for key in dataset.list_runs(method=runs.PROTECT):
        config = runs.get_config(dataset, key) or {}
        found.append(
            (
                str(config.get("created") or ""),
                _row(
                    key,
                    config,
                    shown,
                    _copies(ledger, config),
                    revoked,
                    licences[str(config.get("output_dir"))],
                    names,
                ),
            )
        )
    found.sort(key=lambda pair: (pair[0], pair[1].release), reverse=True)
    return [row for _, row in found]


def label_path(dataset: fo.Dataset) -> str | None:
    """The path of the class labels that the newest release went by.

    None if there is no release, the field is gone, or samples have several labels.
    """
    newest: tuple[str, str] | None = None
    for key in dataset.list_runs(method=runs.PROTECT):
        config = runs.get_config(dataset, key) or {}
        path, created = config.get("label_field"), str(config.get("created") or "")
        if path and (newest is None or created >= newest[0]):
            newest = created, str(path)
    if newest is None:
        return None
    try:
        path = source.label_path(dataset, newest[1])
        return None if list_of(path) else path
    except InputError:
        return None


def untold(dataset: fo.Dataset, release: str | None) -> str | None:
    """What to say where a release was measured and nothing can be told of it.

    Args:
        dataset: its.
        release: its name; None for none.
    """
    scores = (release and (runs.get_config(dataset, release) or {}).get("scores")) or {}
    if scores.get("level") != NOT_TELLABLE:
        return None
    images = count(int(scores.get("images_trained_on") or 0), "image")
    return (
        f"Nothing can be told of release {release}, which was measured with {images}. "
        "This is how single copies fared with models of so little worth."
    )


def runs_stamp(dataset: fo.Dataset) -> str:
    """Text that is another one whenever a run of the plugin's has changed, or who is
    given copies: added, revoked, reinstated, shown by another name, licensed to."""
    configs = [
        (key, (runs.get_config(dataset, key) or {}).get("updated"))
        for method in (runs.PROTECT, runs.EXTRACT)
        for key in dataset.list_runs(method=method)
    ]
    return repr([sorted(configs, key=repr), _people_stamp(open_ledger())])


_people: dict[bytes, str] = {}
"""By the ledger's list, which every change of it changes: panels ask every few seconds,
and thousands of recipients take half a second to read."""


def _people_stamp(ledger: Ledger) -> str:
    """Text that changes with who is given copies, or what is licensed to whom."""
    listed = ledger.get_inventory()
    known = None if listed is None else _people.get(listed)
    if known is not None:
        return known
    people = [(one.id, one.revoked_at) for one in ledger.recipients()]
    events = len(ledger.papers(RECIPIENT_EVENT))
    releases = [(one.id, one.state) for one in ledger.releases()]
    told = repr([people, events, releases])
    found = hashlib.sha256(told.encode()).hexdigest()
    if listed is not None:
        _people.clear()  # none but the last is asked for again
        _people[listed] = found
    return found


def _copies(ledger: Ledger, config: dict[str, Any]) -> int | None:
    """How many copies a release has, whatever its last run was about."""
    release_id = config.get("release_id")
    return None if release_id is None else ledger.count_records(release_id)


def _row(
    key: str,
    config: dict[str, Any],
    shown: str | None,
    copies: int | None,
    revoked: set[str],
    licences: int,
    names: ShownNames,
) -> ReleaseRow:
    own = str(config.get("recipient") or "")
    recipient = names.of(own) + (" (revoked)" if own in revoked else "")
    if own == PUBLISHED:
        recipient = f"everybody, {count(licences, 'licence')}"
    failed = (config.get("counts") or {}).get("failed")
    return ReleaseRow(
        release=key,
        recipient=recipient,
        method=str(config.get("perturbation") or ""),
        state=_state(config) + (", shown" if key == shown else ""),
        images=_text(copies, ",d") + (f", {failed} failed" if failed else ""),
        psnr=_text(config.get("psnr"), ".1f"),
        ssimulacra2=_text(config.get("ssimulacra2"), ".0f"),
        unlearnability=_text(config.get("unlearnability"), ".2f"),
        date=_date(config.get("created")),
    )


def _state(config: dict[str, Any]) -> str:
    state = str(config.get("state") or "")
    updated = _time(config.get("updated"))
    silent = updated is not None and datetime.now(UTC) - updated > SILENT
    if state == "running" and (silent or is_gone(config.get("process"))):
        return "interrupted"
    return state


def _date(text: Any) -> str:
    time = _time(text)
    return "" if time is None else f"{time:%Y-%m-%d}"


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _text(value: Any, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"
