"""The audit report: one JSON file for programs, one HTML file for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fiftyone_reue.auditing import plots
from fiftyone_reue.auditing.results import ORIGINALS, Audit, Subject
from fiftyone_reue.auditing.table import accuracy_row, accuracy_text
from fiftyone_reue.auditing.verdict import (
    HOLDS_UP_TO,
    WEAKENED_UP_TO,
    Check,
    Verdict,
    count_attacks,
    countermeasure_info,
    instrument_checks,
    judge,
    judged_subjects,
    percent,
    subject_title,
    victim_title,
)
from fiftyone_reue.batch import outputs
from fiftyone_reue.errors import OutputError
from fiftyone_reue.names.display import printable

JSON_NAME = "audit.json"
HTML_NAME = "audit.html"

_TEMPLATES = Path(__file__).with_name("templates")


def write_report(audit: Audit, folder: Path) -> dict[str, Path]:
    """Write both files, each whole or not at all; what is there is replaced.

    Args:
        audit: the measurements; cells may be missing.
        folder: made if it isn't there.

    Returns:
        The files' paths under "json" and "html".

    Raises:
        OutputError: the folder or a file can't be written.
    """
    verdicts = [judge(audit, subject.name) for subject in judged_subjects(audit)]
    checks = instrument_checks(audit)
    outputs.prepare(folder)
    files = [
        (JSON_NAME, report_json(audit, verdicts, checks).encode()),
        (HTML_NAME, report_html(audit, verdicts, checks).encode()),
    ]
    for reason in outputs.write_below(folder, files).values():
        raise OutputError(reason)
    return {"json": folder / JSON_NAME, "html": folder / HTML_NAME}


def report_json(
    audit: Audit, verdicts: Iterable[Verdict], checks: Iterable[Check]
) -> str:
    """The measurements and what follows from them.

    Returns:
        A JSON object: "audit" (for :meth:`Audit.from_dict`), "verdicts", a list in
        the order of subjects, and "checks". Numbers that aren't finite are null.
    """
    content = {
        "audit": audit.to_dict(),
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "checks": [asdict(check) for check in checks],
    }
    return json.dumps(_finite(content), ensure_ascii=False, indent=1) + "\n"


def report_html(audit: Audit, verdicts: list[Verdict], checks: list[Check]) -> str:
    """The page: needs no other file, no network and no scripts."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        accuracy=accuracy_text,
        number=_number,
        percent=percent,
        unbroken=_unbroken,
        victim=victim_title,
    )
    drawn = {verdict.subject: _plots(audit, verdict) for verdict in verdicts}
    several = len(verdicts) > 1
    heat_maps = [
        (victim, Markup(plots.heat_map(audit, list(drawn), victim)))
        for victim in audit.victims
        if several
    ]
    return environment.get_template("audit.html.j2").render(
        audit=audit,
        verdicts=verdicts,
        checks=checks,
        plots=drawn,
        heat_maps=heat_maps,
        by_victim={v.subject: _by_victim(audit, v.subject) for v in verdicts},
        infos=[countermeasure_info(name) for name in audit.countermeasures],
        tried=count_attacks(audit.countermeasures),
        titles={subject.name: subject_title(subject) for subject in audit.subjects},
        limits=(HOLDS_UP_TO, WEAKENED_UP_TO),
        level_colours=plots.COLOURS,
    )


def _plots(audit: Audit, verdict: Verdict) -> dict[str, Markup]:
    """SVG of ours, whose texts are outlines: safe to be put in as it is."""
    return {
        "bars": Markup(plots.accuracy_bars(verdict, audit.chance)),
        "curves": Markup(plots.accuracy_curves(audit, verdict)),
    }


def _by_victim(audit: Audit, subject: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each countermeasure's title with the subject's and the originals' accuracies."""
    pair = [Subject(name, name, "reference") for name in (subject, ORIGINALS)]
    rows = []
    for name in audit.countermeasures:
        texts = [accuracy_row(audit, pair, name, victim) for victim in audit.victims]
        cells = [(ours, clean) for ours, clean in texts]
        rows.append((countermeasure_info(name).title, cells))
    return rows


def _visible(value: object) -> object:
    """Texts without control characters; what they mean to HTML is escaped after."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def _number(value: float | int | str | None) -> str:
    """A parameter or figure as text, without needless digits."""
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "∞"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)


def _unbroken(text: str) -> str:
    """The same without line breaks between a number and its percent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _finite(value: Any) -> Any:
    """The same with null for NaN and infinity, which JSON doesn't have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
