"""Whether what a case tells people is what it holds: claim, pages and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from fiftyone_reue import __version__
from fiftyone_reue.errors import ReueError, UnsafePathError
from fiftyone_reue.names.display import count, printable
from fiftyone_reue.proofs import contents, page, words
from fiftyone_reue.proofs.steps import Step
from fiftyone_reue.watermark.evidence import Evidence, pointed_to

PROGRAM = f"fiftyone-reue {__version__}"
"""What a case says that it was written by."""

_ALIKE = 1e-6
"""Figures may differ by so much of themselves between machines."""


def claim(content: Mapping[str, Any], found: Evidence, earlier: int) -> Step:
    """Whether the claim and its figures are those that follow from the codes.

    Args:
        content: the case's evidence.
        found: as it was recomputed, of those who are named alone.
        earlier: how many looks there were before.
    """
    told = {str(one["recipient_id"]): one for one in content["culprits"]}
    named = []
    for one in found.culprits:
        row = told[one.recipient_id]
        figures = ("z", "p_value", "share")
        if not all(_alike(row[name], getattr(one, name)) for name in figures):
            return _failed(f"the figures told of {printable(row['name'])} aren't those")
        if sorted(row["images"]) != sorted(one.images):
            return _failed(f"other images point to {printable(row['name'])}")
        named.append(words.Named(str(row["name"]), one))
    tested = int(content["recipients_tested"])
    if named and content["claim"] != words.accusation(
        named, found.images, tested, earlier
    ):
        return _failed("it says something else than what follows")
    if not content["best_innocent_z"] >= found.best_innocent_z * (1 - _ALIKE):
        return _failed("a decoy does better than the best innocent that is told")
    if not content["best_innocent_p"] <= found.best_innocent_p * (1 + _ALIKE):
        return _failed("a decoy is likelier than the best innocent that is told")
    needed = found.needed_z if found.energy > 0 else None
    if not _alike(content["needed_z"] or 0.0, needed or 0.0):
        return _failed("another Z is needed than it tells")
    if (content["decision"] == "match") != bool(named):
        return _failed("it decides something else than what follows")
    if not _points_rightly(content, found):
        return _failed("suspects point to others than they are said to")
    if not named:
        text = "nobody is named, and the decoys' figures follow; the words are believed"
        return Step("claim", "believed", text)
    text = (
        "its words and figures follow from what was recomputed; those of recipients "
        "who aren't named, whose codes aren't here, are believed"
    )
    return Step("claim", "checked", text)


def _points_rightly(content: Mapping[str, Any], found: Evidence) -> bool:
    """Whether each suspect is said to point to those to whom it does."""
    rows = content["readings"]
    names = {str(one["recipient_id"]): str(one["name"]) for one in content["culprits"]}
    pointed = pointed_to(found.culprits, [str(row["image_id"]) for row in rows])
    right: dict[tuple[str, str], list[str]] = {}
    for row, whose in zip(rows, pointed, strict=True):
        own = right.setdefault(_shown_in(row), [])
        own += [names[one.recipient_id] for one in whose]
    return all(row["from"] == right[_shown_in(row)] for row in rows)


def _shown_in(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["suspect"]["name"]), str(row["image_id"])


def _failed(text: str) -> Step:
    return Step("claim", "failed", text)


def _alike(told: float, found: float) -> bool:
    return math.isclose(told, found, rel_tol=_ALIKE)


_MOST_PAGE = 64 << 20
"""Bytes; a page has the first images' figures, and their pictures lie beside it."""


def pages(
    folder: Path, content: Mapping[str, Any], digests: contents.Digests
) -> list[Step]:
    """Whether the pages say what the evidence says."""
    return [
        _evidence(folder, content),
        _html(folder, content),
        _pdf(content["pdf"], digests),
    ]


def _evidence(folder: Path, content: Mapping[str, Any]) -> Step:
    """Whether the page, of whatever version, was made of this very evidence."""
    name = contents.JSON_NAME
    try:
        path = contents.file_in(folder, contents.HTML_NAME)
        whole = b"" if path.stat().st_size > _MOST_PAGE else path.read_bytes()
    except (OSError, UnsafePathError) as error:
        return Step(name, "failed", f"its page can't be read: {_reason(error)}")
    if page.digest_of(content).encode() in whole:
        return Step(name, "checked", "report.html has the digest of what it says")
    text = "it was changed since the case was written: report.html has another digest"
    return Step(name, "failed", text)


def _html(folder: Path, content: Mapping[str, Any]) -> Step:
    name = contents.HTML_NAME
    made = _remade(content)
    if made is None:
        text = "the evidence lacks what a page shows"
        return Step(name, "failed", text)
    try:
        path = contents.file_in(folder, name)
        same = path.stat().st_size == len(made) and path.read_bytes() == made
    except (OSError, UnsafePathError) as error:
        return Step(name, "failed", f"it can't be read: {_reason(error)}")
    if same:
        return Step(name, "checked", "it says what the evidence says, word for word")
    if content["program"] == PROGRAM:
        text = "it isn't the page of this evidence: go by what is said here"
        return Step(name, "failed", text)
    text = (
        f"that it says what is said here: {printable(content['program'])} wrote it, "
        f"and {PROGRAM} would put it in other words"
    )
    return Step(name, "believed", text)


def _remade(content: Mapping[str, Any]) -> bytes | None:
    try:
        return page.rendered(content).encode()
    except TemplateError:
        return None


def _pdf(told: Mapping[str, Any], digests: contents.Digests) -> Step:
    name = contents.PDF_NAME
    try:
        found = digests.of(told["file"], contents.LARGEST_PDF)
    except (OSError, ReueError) as error:
        return Step(name, "failed", f"it can't be read: {_reason(error)}")
    if found != told["sha256"]:
        return Step(name, "failed", "it isn't the file that was written with the case")
    text = (
        "that it says what report.html does; it is the file (SHA-256) that was written "
        "with the case"
    )
    return Step(name, "believed", text)


def pictures(
    rows: Sequence[Mapping[str, Any]], digests: contents.Digests
) -> list[Step]:
    """Whether the pictures are those that were drawn."""
    told = [one for row in rows for one in row.get("pictures", {}).values()]
    if not told:
        return []
    for one in told:
        try:
            found = digests.of(one["file"], contents.LARGEST_PICTURE)
        except (OSError, ReueError) as error:
            text = f"a picture can't be read: {_reason(error)}"
            return [Step("pictures", "failed", text)]
        if found != one["sha256"]:
            text = f"{printable(one['file'])} isn't the picture that was drawn"
            return [Step("pictures", "failed", text)]
    text = (
        f"that {count(len(told), 'picture')}, with the SHA-256 noted when they were "
        "drawn, show these files; nothing is computed from them"
    )
    return [Step("pictures", "believed", text)]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return printable(f"{error.strerror}: {error.filename}")
    return printable(error)
