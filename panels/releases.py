"""The releases of a dataset, as its runs tell them: rows of the panel's table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import fiftyone as fo

from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import runs, source

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
    unlearnability: str
    date: str

    def to_dict(self) -> dict[str, str]:
        """The row as the table takes it."""
        return asdict(self)


def release_rows(dataset: fo.Dataset, shown: str | None) -> list[ReleaseRow]:
    """A row for each release, newest first.

    Args:
        dataset: theirs.
        shown: the release that the fields show, which is marked.
    """
    found = []
    for key in dataset.list_runs(method=runs.PROTECT):
        config = runs.get_config(dataset, key) or {}
        found.append((str(config.get("created") or ""), _row(key, config, shown)))
    found.sort(key=lambda pair: (pair[0], pair[1].release), reverse=True)
    return [row for _, row in found]


def label_path(dataset: fo.Dataset) -> str | None:
    """The path of the class labels that the newest release went by.

    None if there is no release, or the field is gone.
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
        return source.label_path(dataset, newest[1])
    except InputError:
        return None


def _row(key: str, config: dict[str, Any], shown: str | None) -> ReleaseRow:
    counts = config.get("counts") or {}
    done = counts.get("protected", config.get("made"))
    total = counts.get("total")
    return ReleaseRow(
        release=key,
        recipient=str(config.get("recipient") or ""),
        method=str(config.get("perturbation") or ""),
        state=_state(config) + (", shown" if key == shown else ""),
        images=_text(done, "d") + (f" / {total}" if total else ""),
        psnr=_text(config.get("psnr"), ".1f"),
        unlearnability=_text(config.get("unlearnability"), ".2f"),
        date=_date(config.get("created")),
    )


def _state(config: dict[str, Any]) -> str:
    state = str(config.get("state") or "")
    updated = _time(config.get("updated"))
    if state == "running" and updated and datetime.now(UTC) - updated > SILENT:
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
