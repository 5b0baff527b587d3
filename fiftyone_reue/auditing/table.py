"""Tables of an audit, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fiftyone_reue.auditing.results import Audit, Subject, Summary
from fiftyone_reue.auditing.verdict import (
    NONE,
    countermeasure_info,
    subject_title,
    victim_title,
)
from fiftyone_reue.errors import InputError

MISSING = "–"


def countermeasure_table(
    audit: Audit, subjects: Sequence[str] | None = None, victim: str | None = None
) -> str:
    """Accuracy in %, one row a countermeasure, one column a subject.

    The lowest accuracy of a row is bold, if there are several methods or releases.
    Two last rows have the PSNR and the seconds that making the images took.

    Args:
        audit: the measurements; cells may be missing.
        subjects: names, in the order of columns; all by default.
        victim: a victim's name; by default the first one.

    Returns:
        A GitHub-flavoured Markdown table that ends with a line break.

    Raises:
        InputError: the audit has no such subject.
    """
    chosen = _chosen(audit, subjects)
    victim = victim or audit.victims[0]
    rows = [
        [
            countermeasure_info(name).title,
            *accuracy_row(audit, chosen, name, victim, bold="**"),
        ]
        for name in audit.countermeasures
    ]
    rows.append(["PSNR, dB", *(_decibels(subject.psnr) for subject in chosen)])
    rows.append(["Seconds to make", *(_seconds(subject) for subject in chosen)])
    return _markdown(["Countermeasure", *_titles(chosen)], rows)


def victim_table(
    audit: Audit,
    subjects: Sequence[str] | None = None,
    countermeasure: str = NONE,
) -> str:
    """Accuracy in %, one row a victim, one column a subject; see above.

    Args:
        audit: the measurements; cells may be missing.
        subjects: names, in the order of columns; all by default.
        countermeasure: its registry name.

    Raises:
        InputError: the audit has no such subject.
    """
    chosen = _chosen(audit, subjects)
    rows = [
        [
            victim_title(victim),
            *accuracy_row(audit, chosen, countermeasure, victim, bold="**"),
        ]
        for victim in audit.victims
    ]
    return _markdown(["Network", *_titles(chosen)], rows)


def accuracy_row(
    audit: Audit,
    subjects: Sequence[Subject],
    countermeasure: str,
    victim: str,
    bold: str = "",
) -> list[str]:
    """One cell's text a subject; the lowest among methods and releases within bold."""
    cells = [audit.summary(s.name, countermeasure, victim) for s in subjects]
    texts = [
        accuracy_text(cell) if cell else _reason(audit, s.name, countermeasure, victim)
        for s, cell in zip(subjects, cells, strict=True)
    ]
    rivals = {
        column: round(cell.mean, 3)
        for column, (subject, cell) in enumerate(zip(subjects, cells, strict=True))
        if cell is not None and subject.role != "reference"
    }
    if len(rivals) > 1:
        lowest = min(rivals.values())
        for column, value in rivals.items():
            if value == lowest:
                texts[column] = f"{bold}{texts[column]}{bold}"
    return texts


def accuracy_text(summary: Summary | None) -> str:
    """In %, one decimal, with the spread where there are several seeds."""
    if summary is None:
        return MISSING
    text = f"{100 * summary.mean:.1f}"
    return text if summary.spread is None else f"{text} ± {100 * summary.spread:.1f}"


def _reason(audit: Audit, subject: str, countermeasure: str, victim: str) -> str:
    wanted = (subject, countermeasure, victim)
    cells = [
        c for c in audit.cells if (c.subject, c.countermeasure, c.victim) == wanted
    ]
    return "failed" if cells else MISSING


def _chosen(audit: Audit, names: Sequence[str] | None) -> list[Subject]:
    known = {subject.name: subject for subject in audit.subjects}
    for name in names or ():
        if name not in known:
            raise InputError(f"Choose subjects of this audit ({', '.join(known)})")
    return list(known.values()) if names is None else [known[name] for name in names]


def _titles(subjects: Sequence[Subject]) -> list[str]:
    return [subject_title(subject) for subject in subjects]


def _decibels(psnr: float | None) -> str:
    if psnr is None:
        return MISSING
    return f"{psnr:.1f}" if math.isfinite(psnr) else "∞"


def _seconds(subject: Subject) -> str:
    return f"{subject.seconds:.1f}" if subject.role != "reference" else MISSING


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def _escaped(text: str) -> str:
    """Names come from users: no new column, line or HTML element by them."""
    text = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("<", "&lt;")
