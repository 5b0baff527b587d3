"""A release's last audit, as its run tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fiftyone as fo

from fiftyone_reue.auditing.verdict import BROKEN, HOLDS, NONE, NOT_TELLABLE, WEAKENED
from fiftyone_reue.samples import runs

ORDER = (BROKEN, WEAKENED, NOT_TELLABLE, HOLDS)
"""The levels, what an owner must know first in front."""


@dataclass(frozen=True)
class AuditRow:
    """What the table says of a countermeasure; text, ready to be shown."""

    countermeasure: str
    level: str
    copies: str
    originals: str
    needs: str

    def to_dict(self) -> dict[str, str]:
        """The row as the table takes it."""
        return asdict(self)


@dataclass(frozen=True)
class ShownAudit:
    """What the panel says of an audit, without the rows of its table.

    Attributes:
        release: the release's name.
        headline: the verdict in one sentence.
        paragraph: and in some more.
        severity: how the App's boxes call it: "success", "warning" or "error".
        date: when, for a person.
        report: the report's file on the server.
        doubts: checks of the measurement itself that failed, a sentence each.
        link: the report's address in the App, or None if the file isn't there.
        since: whether the release was protected again since, maybe with more images.
        levels: the level of each row of the table.
    """

    release: str
    headline: str
    paragraph: str
    severity: str
    date: str
    report: str
    doubts: list[str]
    link: str | None
    since: bool
    levels: list[str]

    def to_dict(self) -> dict[str, Any]:
        """As a panel's state holds it."""
        return asdict(self)


def last_audit(
    dataset: fo.Dataset, release: str
) -> tuple[ShownAudit, list[AuditRow]] | None:
    """A release's last audit and the rows of its table; None if there was none."""
    config = runs.get_config(dataset, release) or {}
    kept = config.get("audit")
    if not kept:
        return None
    findings = _sorted(kept["findings"])
    report = str(kept["report"])
    shown = ShownAudit(
        release=release,
        headline=str(kept["headline"]),
        paragraph=str(kept["paragraph"]),
        severity=_severity(findings),
        date=str(kept["measured"])[:16].replace("T", " "),
        report=report,
        doubts=[str(doubt) for doubt in kept["doubts"]],
        link=_address(report) if Path(report).is_file() else None,
        since=str(config.get("finished") or "") > str(kept["measured"]),
        levels=[finding["level"] for finding in findings],
    )
    return shown, [_row(finding) for finding in findings]


def _sorted(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The release as it is, then by level, then by what a model learned."""

    def order(finding: Mapping[str, Any]) -> tuple[bool, int, float]:
        return (
            finding["countermeasure"] != NONE,
            ORDER.index(finding["level"]),
            -(finding["accuracy"] or 0.0),
        )

    return sorted(findings, key=order)


def _severity(findings: Sequence[Mapping[str, Any]]) -> str:
    levels = {finding["countermeasure"]: finding["level"] for finding in findings}
    if levels.get(NONE) == BROKEN:
        return "error"
    return "success" if set(levels.values()) == {HOLDS} else "warning"


def _row(finding: Mapping[str, Any]) -> AuditRow:
    return AuditRow(
        countermeasure=finding["title"],
        level=finding["level"],
        copies=_percent(finding["accuracy"]),
        originals=_percent(finding["originals"]),
        needs=finding["needs"] or "–",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _address(path: str) -> str:
    """Relative, so that it holds whatever host and port the App is reached by."""
    return f"/media?filepath={quote(path, safe='')}"
