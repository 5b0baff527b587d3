"""The case file: past leak checks with names, notes, deletion and comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count
from fiftyone_reue.proofs.words import copy_of
from fiftyone_reue.releases import tracing
from fiftyone_reue.samples import runs, source
from fiftyone_reue.samples.extract import KEPT_IMAGES

if TYPE_CHECKING:
    import fiftyone as fo

UNAIDED = "read without its original"
"""What is said of a suspect whose original isn't there any more."""

ITSELF = "the original itself"
"""What is said of one that is no copy, but has the original's own pixels."""

UNREAD = "looks like an original that is gone, no mark read"
"""What is said of one that shows no mark by itself either."""

UNDO_SECONDS = 60
"""So long a check that was deleted can be brought back."""

MOST_NAME, MOST_NOTES = 100, 10_000
"""Characters of what is written to a check; a run is a document in the database."""

_DELETED = "deleted_at"


@dataclass(frozen=True)
class ChangedSuspect:
    """A suspect of which two checks found different things.

    Attributes:
        image: which, a sample's id or a file's name.
        before: what the first check found, in words.
        after: what the other one found.
    """

    image: str
    before: str
    after: str


@dataclass(frozen=True)
class ChangedScore:
    """The evidence against one recipient in two checks.

    Attributes:
        recipient: the recipient's name.
        z_before: the statistic in the first check; None if they weren't tested, or
            weren't among the likeliest.
        z_after: in the other one; likewise.
        p_before: the bound of the first check.
        p_after: of the other one.
    """

    recipient: str
    z_before: float | None
    z_after: float | None
    p_before: float | None
    p_after: float | None


@dataclass(frozen=True)
class ChecksCompared:
    """What changed from one leak check to another.

    Attributes:
        before: the first check's verdict, in words.
        after: the other one's.
        same_verdict: whether both decide the same of the same people.
        added: suspects of the other check alone.
        removed: suspects of the first check alone.
        changed: suspects of both that were found to be something else.
        scores: the evidence against everybody whom either lists.
        partial: whether a check has more suspects than its run lists, so that suspects
            beyond them aren't compared.
    """

    before: str
    after: str
    same_verdict: bool
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[ChangedSuspect] = field(default_factory=list)
    scores: list[ChangedScore] = field(default_factory=list)
    partial: bool = False

    def text(self) -> str:
        """What changed, in a sentence or two."""
        verdict = "Both say the same" if self.same_verdict else "The verdict changed"
        was = "was" if len(self.changed) == 1 else "were"
        differences = (
            (self.added, "more"),
            (self.removed, "fewer"),
            (self.changed, f"of both {was} found to be something else"),
        )
        found = [(len(images), what) for images, what in differences if images]
        parts = [f"{number:,} {what}" for number, what in found]
        if found:
            parts[0] = f"{count(found[0][0], 'suspect')} {found[0][1]}"
        text = f"{verdict}. {', '.join(parts) or _SAME_SUSPECTS}."
        if self.partial:
            text += " Only the first suspects are listed, and so compared."
        return text


_SAME_SUSPECTS = "The suspects are the same, and so is what was found of each"


def list_checks(dataset: fo.Dataset) -> list[str]:
    """The keys of a dataset's leak checks, oldest first, without deleted ones.

    Example::

        print(reue.list_checks(dataset))     # ["leak_check_1"]

    Args:
        dataset: the suspects', or the one that keeps the verdicts on folders.
    """
    found = []
    for key in dataset.list_runs(method=runs.EXTRACT):
        config = runs.get_config(dataset, key) or {}
        if not config.get(_DELETED):
            found.append((str(config.get("created") or ""), len(key), key))
    return [key for _, _, key in sorted(found)]


def annotate_check(
    dataset: fo.Dataset, key: str, *, name: str | None = None, notes: str | None = None
) -> None:
    """Give a leak check a name, or notes; what isn't given stays.

    Example::

        reue.annotate_check(dataset, check.run, name="forum, May", notes="by mail")

    Args:
        dataset: as for :func:`list_checks`.
        key: the check's.
        name: a few words, up to 100 characters; "" takes it away.
        notes: lines of text, up to 10,000 characters.

    Raises:
        InputError: there is no such check, or a text is too long.
    """
    require_check(dataset, key)
    given = {"title": name, "notes": notes}
    for what, text, most in (("name", name, MOST_NAME), ("notes", notes, MOST_NOTES)):
        if text is not None and len(text) > most:
            raise InputError(
                f"The {what} of a check can have {most:,} characters, not {len(text):,}"
            )
    values = {field: text.strip() for field, text in given.items() if text is not None}
    if values:
        runs.put(dataset, key, runs.EXTRACT, values)


def delete_check(dataset: fo.Dataset, key: str) -> None:
    """Delete a leak check; for a minute :func:`undelete_check` brings it back.

    The samples' ``leak`` fields, and a case that was written, stay what they are.

    Example::

        reue.delete_check(dataset, check.run)

    Args:
        dataset: as for :func:`list_checks`.
        key: the check's.

    Raises:
        InputError: there is no such check.
    """
    require_check(dataset, key)
    runs.put(dataset, key, runs.EXTRACT, {_DELETED: runs.now()})


def undelete_check(dataset: fo.Dataset, key: str) -> None:
    """Bring back a leak check that was deleted within the last minute.

    Example::

        reue.undelete_check(dataset, check.run)

    Args:
        dataset: as for :func:`list_checks`.
        key: the check's.

    Raises:
        InputError: it is too late.
    """
    forget_deleted(dataset)
    if key not in _checks(dataset):
        raise InputError(
            f"The check {key!r} was deleted more than a minute ago; check the images "
            "again"
        )
    runs.put(dataset, key, runs.EXTRACT, {_DELETED: None})


def deleted_checks(dataset: fo.Dataset) -> list[str]:
    """The keys of checks that can still be brought back, the last deleted first."""
    found = [
        (str(config[_DELETED]), key)
        for key, config in _configs(dataset)
        if config.get(_DELETED) and not _is_over(config)
    ]
    return [key for _, key in sorted(found, reverse=True)]


def forget_deleted(dataset: fo.Dataset) -> int:
    """Delete for good what was deleted more than a minute ago; returns how many."""
    over = [key for key, config in _configs(dataset) if _is_over(config)]
    for key in over:
        runs.delete(dataset, key)
    return len(over)


def compare_checks(dataset: fo.Dataset, key: str, other: str) -> ChecksCompared:
    """Say what changed from one leak check to another.

    Example::

        keys = reue.list_checks(dataset)
        print(reue.compare_checks(dataset, keys[0], keys[-1]).text())

    Args:
        dataset: as for :func:`list_checks`.
        key: the check that was first.
        other: the one to compare it with.

    Raises:
        InputError: there is no such check.
    """
    for one in (key, other):
        require_check(dataset, one)
    first, second = _config(dataset, key), _config(dataset, other)
    was, now = _suspects(dataset, key), _suspects(dataset, other)
    changed = [
        ChangedSuspect(image, was[image], now[image])
        for image in was
        if image in now and was[image] != now[image]
    ]
    return ChecksCompared(
        before=str(first.get("verdict") or ""),
        after=str(second.get("verdict") or ""),
        same_verdict=_decision(first) == _decision(second),
        added=[image for image in now if image not in was],
        removed=[image for image in was if image not in now],
        changed=changed,
        scores=_scores(first, second),
        partial=KEPT_IMAGES in (len(was), len(now)),
    )


def require_check(dataset: fo.Dataset, key: str) -> None:
    """Make sure that there is a leak check of this key, and it wasn't deleted.

    Raises:
        InputError: there is none.
    """
    source.dataset_of(dataset)
    known = list_checks(dataset)
    if key not in known:
        names = ", ".join(known) or "none yet"
        raise InputError(f"The dataset has no check {key!r}; there are: {names}")


def _checks(dataset: fo.Dataset) -> list[str]:
    return list(dataset.list_runs(method=runs.EXTRACT))


def _configs(dataset: fo.Dataset) -> list[tuple[str, dict[str, Any]]]:
    return [(key, _config(dataset, key)) for key in _checks(dataset)]


def _config(dataset: fo.Dataset, key: str) -> dict[str, Any]:
    return runs.get_config(dataset, key) or {}


def _is_over(config: Mapping[str, Any]) -> bool:
    deleted = config.get(_DELETED)
    if not deleted:
        return False
    try:
        since = datetime.now(UTC) - datetime.fromisoformat(str(deleted))
    except (ValueError, TypeError):
        return True
    return since > timedelta(seconds=UNDO_SECONDS)


def _suspects(dataset: fo.Dataset, key: str) -> dict[str, str]:
    """What a check found of each suspect, in a few words."""
    rows = runs.get_results(dataset, key).get("per_image") or []
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row["image"]), []).append(row)
    return {image: _found_in(own) for image, own in found.items()}


def _found_in(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same of one file, which may show several originals."""
    if len(rows) == 1:
        return _found(rows[0])
    used = sum(bool(row.get("used")) for row in rows)
    return f"{len(rows)} originals, {used} of them used"


def _found(row: Mapping[str, Any]) -> str:
    """What a check found of one original, or of none."""
    if row.get("error"):
        return "unreadable"
    if not row.get("matched"):
        return "no match"
    if row.get("unread"):
        return UNREAD
    exact = ", exact pixels" if row.get("exact") else ""
    used = "used" if row.get("used") else "not used"
    joined = ", joined with others" if (row.get("joined") or 0) > 1 else ""
    whose = copy_of(row.get("state"), bool(exact), row.get("from") or ())
    kind = UNAIDED if row.get("unaided") else f"{whose}{exact}"
    if row.get("state") == tracing.ITSELF:
        kind = ITSELF
    return f"{kind}, {used}{joined}"


def _decision(config: Mapping[str, Any]) -> tuple[Any, frozenset[str]]:
    named = {
        str(row["recipient"])
        for row in config.get("recipients") or []
        if row.get("named")
    }
    if config.get("recipient"):
        named.add(str(config["recipient"]))
    return config.get("decision"), frozenset(named)


def _scores(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[ChangedScore]:
    """Everybody whom either check lists, the likeliest of the second one first."""
    was, now = _by_name(first), _by_name(second)
    names = [*now, *(name for name in was if name not in now)]
    none: dict[str, Any] = {}
    return [
        ChangedScore(
            name,
            was.get(name, none).get("z"),
            now.get(name, none).get("z"),
            was.get(name, none).get("p_value"),
            now.get(name, none).get("p_value"),
        )
        for name in names
    ]


def _by_name(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(row["recipient"]): row for row in config.get("recipients") or []}
