"""What a job works on: one file, who it is, and where its result goes."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Item:
    """One image of a job.

    Attributes:
        sample_id: unique in the job: a sample's id, or a path below the folder.
        path: the file to read.
        label: its class, or None.
        output: where the result goes, below the output folder, without suffix.
    """

    sample_id: str
    path: str
    label: str | None
    output: str


def with_distinct_outputs(
    items: Iterable[Item], taken: dict[str, str], anew: Container[str] = frozenset()
) -> list[Item]:
    """Give every item an output of its own.

    ``a.png`` and ``a.jpg`` both give ``a.png``: the one with the later name becomes
    ``a_jpg.png``. Outputs are compared without case, for file systems that don't.

    Args:
        items: in a stable order.
        taken: outputs (without suffix) that an earlier run gave, by sample id.
        anew: samples that are to have another than that, if theirs is another now.

    Returns:
        The items in their order; the others in ``taken`` keep what they had.
    """
    used = {output.lower() for output in taken.values()}
    distinct = []
    for item in items:
        output = taken.get(item.sample_id)
        if output is None or item.sample_id in anew:
            output = _free(item, used, (output or "").lower())
            used.add(output.lower())
        distinct.append(replace(item, output=output))
    return distinct


def _free(item: Item, used: set[str], own: str) -> str:
    """An output that nothing else has; ``own`` is what the item has in ``used``."""
    if item.output.lower() not in used or item.output.lower() == own:
        return item.output
    suffix = PurePosixPath(item.path).suffix.lstrip(".").lower() or "copy"
    candidate = f"{item.output}_{suffix}"
    number = 2
    while candidate.lower() in used and candidate.lower() != own:
        candidate = f"{item.output}_{suffix}_{number}"
        number += 1
    return candidate
