"""Entities as rows of plain values, the same for every database.

Dictionaries are kept as JSON text in MongoDB too: no limits on key names or integer
sizes, and both ledgers give back exactly the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, replace
from itertools import islice
from typing import Any, Literal, TypeVar

from fiftyone_reue.errors import InputError
from fiftyone_reue.vault.entities import Fit, Image, Recipient, Record, Release

Entity = Recipient | Fit | Release | Image | Record
T = TypeVar("T")
E = TypeVar("E", Recipient, Fit, Release, Image, Record)

Table = Literal["recipients", "fits", "releases", "images", "records", "withdrawn"]
"""What a ledger keeps its entities in."""

Key = str | tuple[str, str]
"""What is one of a kind in a table: an id; in records, a release's and a sample's."""

TABLES: dict[Table, type[Entity]] = {
    "recipients": Recipient,
    "fits": Fit,
    "releases": Release,
    "images": Image,
    "records": Record,
    "withdrawn": Record,
}

Each = Callable[[E], E]
"""What is done with each entity as it is read, before the next one is."""

LARGEST_VALUE = 512 << 20
"""Of a field, in bytes. A sealed record may be as large as an image."""

LONGEST_TEXT = 4 << 20
"""Of a field that is text, in bytes; longer ones are neither stored nor believed."""

_KEPT = 256

DICTIONARIES = frozenset({"summary", "parameters", "counts", "scores"})


def columns(kind: type[Entity]) -> list[str]:
    """Names of an entity's fields."""
    return [field.name for field in fields(kind)]


def to_row(entity: Entity) -> dict[str, Any]:
    """Field names and values of an entity, dictionaries as JSON text.

    Raises:
        InputError: a text is too long to be stored.
    """
    row = {
        name: to_json(value) if isinstance(value, dict) else value
        for name in columns(type(entity))
        for value in [getattr(entity, name)]
    }
    for name, value in row.items():
        if isinstance(value, str) and _is_long(value):
            raise InputError(
                f"The {name} of a {type(entity).__name__.lower()} would have more than "
                f"{LONGEST_TEXT} bytes in the ledger; make it shorter"
            )
    return row


def _is_long(text: str) -> bool:
    if len(text) * 4 <= LONGEST_TEXT:
        return False
    return len(text.encode("utf-8", "surrogatepass")) > LONGEST_TEXT


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
    value = row[field.name]
    too_long = field.name in DICTIONARIES and isinstance(value, str) and _is_long(value)
    return None if too_long else value


def as_read(entity: E) -> E:
    """The usual :data:`Each`: keep it as it is."""
    return entity


def cut_short(entity: E) -> E:
    """What is kept of a row that isn't believed, for telling which it is.

    However many there are and whatever they hold, they take little memory together.
    """
    row = {name: getattr(entity, name) for name in columns(type(entity))}
    return replace(entity, **{name: _start(value) for name, value in row.items()})


def _start(value: Any) -> Any:
    if isinstance(value, (str, bytes)):
        return value[:_KEPT]
    return value if isinstance(value, (int, float)) else None


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
    if not isinstance(text, str) or _is_long(text):
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


def key_of(table: Table, entity: Entity) -> Key:
    """What an entity replaces another one by when it is put."""
    if table == "records" and isinstance(entity, Record):
        return entity.release_id, entity.sample_id
    return entity.id


def to_json(value: dict[str, Any]) -> str:
    """JSON text with sorted keys, so that equal dictionaries are equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
