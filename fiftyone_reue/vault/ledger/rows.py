"""Entities as rows of plain values, the same for every database.

Dictionaries are kept as JSON text in MongoDB too: no limits on key names or integer
sizes, and both ledgers give back exactly the same.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, replace
from itertools import islice
from typing import Any, Literal, TypeVar

from fiftyone_reue.errors import InputError
from fiftyone_reue.vault.entities import (
    Fit,
    Image,
    Paper,
    Recipient,
    Record,
    Release,
)

Entity = Recipient | Fit | Paper | Release | Image | Record
T = TypeVar("T")
E = TypeVar("E", Recipient, Fit, Paper, Release, Image, Record)

Table = Literal[
    "recipients", "fits", "papers", "releases", "images", "records", "withdrawn"
]
"""What a ledger keeps its entities in."""

Key = str | tuple[str, str]
"""What is one of a kind in a table: an id; in records, a release's and a sample's."""

TABLES: dict[Table, type[Entity]] = {
    "recipients": Recipient,
    "fits": Fit,
    "papers": Paper,
    "releases": Release,
    "images": Image,
    "records": Record,
    "withdrawn": Record,
}

Each = Callable[[E], E]
"""What is done with each entity as it is read, before the next one is."""

LONGEST_TEXT = 4 << 20
"""Of a field that is JSON text, in bytes."""

_LONGEST_BOX = 512 << 20  # a sealed record may be as large as an image
_LONGEST_OTHER = 64 << 10
_KEPT = 256

DICTIONARIES = frozenset({"summary", "parameters", "counts", "scores"})
BOXES = frozenset({"blob", "sealed"})
"""Fields that may be so large that they are read by themselves."""


class Unusable:
    """Stands for a value that no row of ours has, which isn't kept. It fails any MAC.

    Args:
        shown: what to say of it.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


class TooLong(Unusable):
    """One that is longer than any that we write, and isn't read."""

    def __init__(self) -> None:
        super().__init__("<too long>")


def longest(name: str) -> int:
    """Bytes that a field may have; longer ones are neither stored nor read."""
    if name in BOXES:
        return _LONGEST_BOX
    return LONGEST_TEXT if name in DICTIONARIES else _LONGEST_OTHER


def columns(kind: type[Entity]) -> list[str]:
    """Names of an entity's fields."""
    return [field.name for field in fields(kind)]


def to_row(entity: Entity) -> dict[str, Any]:
    """Field names and values of an entity, dictionaries as JSON text.

    Raises:
        InputError: a value is too long to be stored.
    """
    row = {
        name: to_json(value) if isinstance(value, dict) else value
        for name in columns(type(entity))
        for value in [getattr(entity, name)]
    }
    for name, value in row.items():
        if _is_longer(value, longest(name)):
            raise InputError(
                f"The {name} of a {type(entity).__name__.lower()} would have more than "
                f"{longest(name)} bytes in the ledger; make it shorter"
            )
    return row


def _is_longer(value: object, most: int) -> bool:
    if isinstance(value, bytes):
        return len(value) > most
    if not isinstance(value, str) or len(value) * 4 <= most:
        return False
    return len(value) > most or len(value.encode("utf-8", "surrogatepass")) > most


def from_row(kind: type[E], row: Mapping[str, Any]) -> E:
    """The entity that :func:`to_row` was given.

    But dictionaries stay text until :func:`parsed`, since parsing what anybody may have
    written takes many times its size. Other names in `row` are ignored; what an older
    version didn't store has its default. A row that somebody damaged gives an entity
    with whatever is there: it is for who checks its MAC to refuse it, so that the
    others can still be read.
    """
    return kind(**{field.name: _value(field, row) for field in fields(kind)})


def _value(field: Field[Any], row: Mapping[str, Any]) -> Any:
    if field.name not in row:
        return None if field.default is MISSING else field.default
    return usable(field.name, row[field.name])


def usable(name: str, value: Any) -> Any:
    """A field's value as the database gave it, if a row of ours could have it."""
    kind = type(value)
    if (kind is str or kind is bytes) and len(value) * 4 <= _LONGEST_OTHER:
        return value  # as nearly all are, of the millions that may be read
    if isinstance(value, (str, bytes)):
        return TooLong() if _is_longer(value, longest(name)) else value
    if value is None or isinstance(value, (bool, int, float, Unusable)):
        return value
    return Unusable(reprlib.repr(value))


def as_read(entity: E) -> E:
    """The usual :data:`Each`: keep it as it is."""
    return entity


def cut_short(entity: E) -> E:
    """What is kept of a row that isn't believed, to tell which it is.

    However many there are and whatever they hold, together they take little memory.
    """
    row = {name: getattr(entity, name) for name in columns(type(entity))}
    return replace(entity, **{name: _start(value) for name, value in row.items()})


def _start(value: Any) -> Any:
    return value[:_KEPT] if isinstance(value, (str, bytes)) else value


def parsed(entity: E) -> E:
    """An entity whose MAC is right, with its dictionaries."""
    texts = {
        name: getattr(entity, name)
        for name in columns(type(entity))
        if name in DICTIONARIES
    }
    return replace(entity, **{name: _parsed(text) for name, text in texts.items()})


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def mac_of(row: Any) -> bytes:
    """A row's MAC as stored; nothing where that is no bytes."""
    return as_bytes(row["mac"])


def as_bytes(value: object) -> bytes:
    """A stored value; nothing where somebody made it something else."""
    return value if isinstance(value, bytes) else b""


def as_description(text: Any) -> dict[str, Any]:
    """The vault's description; an empty one where somebody damaged it."""
    if not isinstance(text, str) or _is_longer(text, LONGEST_TEXT):
        return {}
    try:
        content = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def pages(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """So many items at a time."""
    remaining = iter(items)
    while page := list(islice(remaining, size)):
        yield page


@contextmanager
def storable_text() -> Iterator[None]:
    """Explains text that no database can hold.

    Raises:
        InputError: where a name with bytes that aren't Unicode would be stored
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise InputError(
            f"{error.object!r} has a name that isn't valid Unicode; rename it"
        ) from None


def age(entity: Entity) -> tuple[float, str]:
    """By what lists are ordered, oldest first, whatever is in a row."""
    created = getattr(entity, "created", 0.0)
    known = isinstance(created, (int, float)) and abs(created) < 1e300
    return float(created) if known else 0.0, str(entity.id)


def key_of(table: Table, entity: Entity) -> Key:
    """What an entity replaces another one by when it is put."""
    if table == "records" and isinstance(entity, Record):
        return entity.release_id, entity.sample_id
    return entity.id


def to_json(value: dict[str, Any]) -> str:
    """JSON text with sorted keys, so that equal dictionaries are equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
