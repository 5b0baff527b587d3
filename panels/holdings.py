"""What went to whom: a row for each recipient and release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import fiftyone as fo

from fiftyone_reue.names.display import count, moment
from fiftyone_reue.samples import source
from fiftyone_reue.samples.shown_names import EVERYBODY, ShownNames
from fiftyone_reue.samples.vaults import open_ledger
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.vault import PUBLISHED

_DAY = "%Y-%m-%d"
_KEY_DIGITS = 8
"""So much of a key's id is shown: it tells keys apart, and nothing about them."""


@dataclass(frozen=True)
class HoldingRow:
    """What the table says of a recipient's release; text, ready to be shown."""

    recipient: str
    release: str
    images: str
    begun: str
    updated: str
    key: str
    folder: str

    def to_dict(self) -> dict[str, str]:
        """The row as the table takes it."""
        return asdict(self)


def holding_rows(dataset: fo.Dataset, names: ShownNames) -> list[HoldingRow]:
    """A row for each recipient and release of a dataset, by name and then by time.

    Who has none of this dataset's comes with a row that says so.

    Args:
        dataset: the originals'.
        names: what to call recipients.
    """
    ledger = open_ledger()
    releases = _releases_of(ledger, dataset)
    rows = []
    people = sorted(
        ledger.recipients(),
        key=lambda one: (one.name == PUBLISHED, names.of(one.name).casefold()),
    )
    for person in people:
        own = [one for one in releases if one.recipient_id == person.id]
        if own:
            called = names.of(person.name)
            rows += [_row(ledger, person, called, one, releases) for one in own]
        elif person.name != PUBLISHED:
            called, key = names.of(person.name), _key(person)
            rows.append(HoldingRow(called, "none yet", "–", "–", "–", key, "–"))
    return rows


def holdings_text(rows: Sequence[HoldingRow]) -> str:
    """How many people have how many releases, in a sentence."""
    held = [row for row in rows if row.release != "none yet"]
    people = {row.recipient for row in held if row.recipient != EVERYBODY}
    have = "has" if len(people) == 1 else "have"
    text = f"{count(len(people), 'recipient')} {have} something of this dataset"
    if any(row.recipient == EVERYBODY for row in held):
        text += ", and everybody what was published"
    without = len(rows) - len(held)
    return f"{text}, {without:,} nothing yet." if without else f"{text}."


def _releases_of(ledger: Ledger, dataset: fo.Dataset) -> list[Release]:
    """A dataset's releases, and the licences of what of it was published."""
    own = source.source_of(dataset)
    found = [one for one in ledger.releases() if one.source == own]
    # A licence's source is the published folder.
    folders = {one.output for one in found}
    licences = [one for one in ledger.releases() if one.source in folders]
    known = {one.id: one for one in (*found, *licences)}
    return sorted(known.values(), key=lambda one: one.created)


def _row(
    ledger: Ledger,
    person: Recipient,
    called: str,
    release: Release,
    releases: Sequence[Release],
) -> HoldingRow:
    published = next((one for one in releases if one.output == release.source), None)
    name = release.name if published is None else f"licence of {published.name}"
    return HoldingRow(
        recipient=called,
        release=name if release.state == "done" else f"{name} ({release.state})",
        images=f"{ledger.count_records(release.id):,}",
        begun=moment(release.created, _DAY),
        updated=moment(release.updated, _DAY),
        key="nobody has one" if person.name == PUBLISHED else _key(person),
        folder=release.output,
    )


def _key(person: Recipient) -> str:
    named = person.key_id[:_KEY_DIGITS]
    if person.revoked_at is None:
        return f"{named}, active"
    return f"{named}, revoked {moment(person.revoked_at, _DAY)}"
