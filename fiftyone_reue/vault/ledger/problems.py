"""What is wrong with a ledger, in words."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.vault.entities import Fit, Image, Recipient, Release
from fiftyone_reue.vault.ledger.rows import Entity, Table

BACKUP = "put the ledger back from a backup, or look into it with `reue vault check`"

CHANGED = "its row was changed without the owner key"
MISSING = "its row is missing"
OLDER = "its row was put back from an earlier state of the ledger"
UNLISTED = "its row was removed before and is there again"
NOT_ASKED_FOR = "the database gave its row where another one was asked for"
NOT_FOUND = "the database doesn't find its row, or has lost it"
STRAY = "its row belongs to a release that the ledger doesn't have"


@dataclass(frozen=True)
class Problem:
    """One thing that isn't as the owner left it.

    Attributes:
        table: where, or "ledger" for the whole of it.
        row: which row: id, and the name where it has one. It may be somebody else's
            words, so it is quoted.
        what: what is wrong with it.
    """

    table: str
    row: str
    what: str

    def __str__(self) -> str:
        where = f"{self.table}, {self.row}" if self.row else self.table
        return f"{where}: {self.what}"

    def to_dict(self) -> dict[str, str]:
        """For machines."""
        return {"table": self.table, "row": self.row, "problem": self.what}


def row_of(table: Table, entity: Entity) -> str:
    """What to call a row, whatever may be in it."""
    match entity:
        case Recipient() | Release():
            return f"{quoted(entity.name)} ({quoted(entity.id)})"
        case Image():
            return f"{quoted(entity.source)} ({quoted(entity.id)})"
        case Fit():
            return quoted(entity.id)
        case _:
            return f"{quoted(entity.sample_id)} of release {quoted(entity.release_id)}"


def quoted(value: object) -> str:
    """A value on one line, however long it is and whatever it contains."""
    text = ascii(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
