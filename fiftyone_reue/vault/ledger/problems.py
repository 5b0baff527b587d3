"""What is wrong with a ledger, in words."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.vault.entities import (
    Fit,
    Image,
    Paper,
    Recipient,
    Release,
)
from fiftyone_reue.vault.ledger.rows import Entity, Table, TooLong, columns, key_of

BACKUP = "put the ledger back from a backup, or look into it with `reue vault check`"
REPAIR = (
    "so what was removed can't be told. Run `reue vault repair`, which puts back the "
    "copy that is kept beside the owner key (with FiftyOne: "
    "`fiftyone_reue.samples.repair_vault()`), or put the ledger back from a backup"
)

CHANGED = "its row was changed without the owner key"
STRANGER = "its id is none that this program gives: somebody else put the row there"
TOO_LONG = "it holds a value that is longer than any that this program writes"
DOUBLED = "its row is there twice"
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


def wrong_with(table: Table, entity: Entity) -> str:
    """What is wrong with a row whose MAC is."""
    if any(isinstance(getattr(entity, n), TooLong) for n in columns(type(entity))):
        return TOO_LONG
    key = key_of(table, entity)
    parts = (entity.id, *key) if isinstance(key, tuple) else (key,)
    return CHANGED if all(isinstance(part, str) for part in parts) else STRANGER


def row_of(table: Table, entity: Entity) -> str:
    """What to call a row, whatever may be in it."""
    match entity:
        case Recipient() | Release():
            return f"{quoted(entity.name)} ({quoted(entity.id)})"
        case Image():
            return f"{quoted(entity.source)} ({quoted(entity.id)})"
        case Fit() | Paper():
            return quoted(entity.id)
        case _:
            row = f"{quoted(entity.sample_id)} of release {quoted(entity.release_id)}"
            return row if isinstance(entity.id, str) else f"{row} ({quoted(entity.id)})"


def quoted(value: object) -> str:
    """A value on one line, however long it is and whatever it contains."""
    text = ascii(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
