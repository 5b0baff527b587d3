"""The countermeasures by name, in the order of tables."""

from __future__ import annotations

from fiftyone_reue.audit.countermeasures.base import Countermeasure, CountermeasureInfo
from fiftyone_reue.audit.countermeasures.none import NoCountermeasure
from fiftyone_reue.errors import InputError

_COUNTERMEASURES: dict[str, Countermeasure] = {
    entry.info.name: entry for entry in (NoCountermeasure(),)
}


def list_countermeasures() -> list[CountermeasureInfo]:
    """Every countermeasure's description, "none" first."""
    return [entry.info for entry in _COUNTERMEASURES.values()]


def create_countermeasure(name: str) -> Countermeasure:
    """The countermeasure of that name.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    if name not in _COUNTERMEASURES:
        known = ", ".join(_COUNTERMEASURES)
        raise InputError(f"There is no countermeasure {name!r}; choose one of {known}")
    return _COUNTERMEASURES[name]
