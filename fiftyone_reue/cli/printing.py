"""The two consoles, and how tables, counts and failures look on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from fiftyone_reue.names.display import printable
from fiftyone_reue.names.filenames import shown

if TYPE_CHECKING:
    from rich.table import Table

    from fiftyone_reue.batch.pipeline import Outcome

SHOWN_NAMES = 10
"""So many files of one kind, such as one reason to fail, are named on the terminal."""

_BACKSLASHES = re.compile(r"(\\*)(\[|$)")

# A name such as ``:key:.png`` is no emoji.
out = Console(soft_wrap=True, highlight=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def plain(text: object, *, lines: bool = False) -> str:
    """Text as it is: its brackets are no markup, and nothing in it is a command.

    Args:
        text: anything.
        lines: see :func:`fiftyone_reue.names.display.printable`.
    """
    text = printable(shown(str(text)), lines=lines)
    return _BACKSLASHES.sub(_doubled, text)


def _doubled(found: re.Match[str]) -> str:
    """Backslashes that markup would take for its own, and a bracket as a bracket."""
    return 2 * found[1] + (r"\[" if found[2] else "")


def count(number: int, thing: str, things: str = "") -> str:
    """So many of a thing, in the plural where it needs one."""
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    which = ", ".join(names[:SHOWN_NAMES])
    more = len(names) - SHOWN_NAMES
    return f"{which} and {more} more" if more > 0 else which


def table(first: str, *others: str) -> Table:
    """A table that folds what doesn't fit, but for its first column, to be copied."""
    from rich.table import Table

    made = Table()
    made.add_column(first, no_wrap=True, overflow="fold")
    for name in others:
        made.add_column(name, overflow="fold")
    return made


def print_table(filled: Table) -> None:
    """Print a table within the terminal's width."""
    out.print(filled, soft_wrap=False)


def failed(outcome: Outcome) -> dict[str, Any]:
    """What failed, for machines."""
    return {
        "failed": len(outcome.failures),
        "failures": [
            {"image": failure.sample_id, "reason": failure.reason}
            for failure in outcome.failures
        ],
    }


_NAMED_FIRST = 2
"""So many files stand before the reason why they failed."""


def report(outcome: Outcome) -> int:
    """Say what failed, files that failed for one reason together.

    Returns:
        The exit status.
    """
    files: dict[str, list[str]] = {}
    for failure in outcome.failures:
        reason = failure.reason.removeprefix(f"{failure.sample_id}: ")
        files.setdefault(reason, []).append(failure.sample_id)
    for reason, names in files.items():
        which, why = plain(listed(names)), plain(reason)
        if len(names) <= _NAMED_FIRST:
            err.print(f"[red]Failed:[/] {which}: {why}")
        else:  # many names would hide the reason
            every = count(len(names), "image")
            err.print(f"[red]Failed:[/] {every}: {why} ({which})")
    if outcome.failures:
        rest = "; the rest is done" if outcome.done or outcome.skipped else ""
        err.print(f"{count(len(outcome.failures), 'image')} failed{rest}.")
        return 1
    return 0
