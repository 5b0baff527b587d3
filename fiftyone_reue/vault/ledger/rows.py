"""Entities as rows of plain values, the same for every database.

Dictionaries are kept as JSON text in MongoDB too: no limits on key names or integer
sizes, and both ledgers give back exactly the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeVar

from fiftyone_reue.errors import InputError
from fiftyone_reue.vault.entities import Fit, Image, Recipient, Record, Release

Entity = Recipient | Fit | Release | Image | Record
E = TypeVar("E", Recipient, Fit, Release, Image, Record)

_DICTIONARIES = frozenset({"summary", "parameters", "counts", "scores"})


def columns(kind: type[Entity]) -> list[str]:
    """Names of an entity's fields."""
    return [field.name for field in fields(kind)]


def to_row(entity: Entity) -> dict[str, Any]:
    """Field names and values of an entity, dictionaries as JSON text."""
    return {
        name: to_json(value) if name in _DICTIONARIES else value
        for name in columns(type(entity))
        for value in [getattr(entity, name)]
    }


def from_row(kind: type[E], row: Mapping[str, Any]) -> E:
    """The entity that :func:`to_row` was given.

    Other names in `row` are ignored; what an older version didn't store has its
    default.
    """
    return kind(
        **{
            name: json.loads(row[name]) if name in _DICTIONARIES else row[name]
            for name in columns(kind)
            if name in row
        }
    )


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


def to_json(value: dict[str, Any]) -> str:
    """JSON text with sorted keys, so that equal dictionaries are equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
