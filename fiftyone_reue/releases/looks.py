"""The log of looks, in the ledger: who asks often or picks must stay as sure."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from fiftyone_reue.errors import ReueError
from fiftyone_reue.vault.entities import Paper
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.looks import Look, images_of, log_ways, same_look
from fiftyone_reue.watermark.readings import Reading

_KIND = "look"


def list_looks(vault: Vault) -> list[Look]:
    """All looks that were taken, in their order.

    What somebody without the owner key changed or removed is left out, and is in the
    ledger's problems.
    """
    found = []
    for paper in vault.ledger.papers(_KIND):
        content = json.loads(vault.unseal(_KIND, paper.id, paper.sealed))
        found.append(Look.from_dict(content))
    return sorted(found, key=lambda look: look.number)


def note_look(
    vault: Vault, readings: Sequence[Reading], recipients: int
) -> tuple[Look, list[Look], float]:
    """Write a look down before its result is known, unless it was taken already.

    Where the ledger can't be written, that is one of its problems, and the look counts
    as if it had been.

    Args:
        vault: the owner's.
        readings: what is weighed.
        recipients: among how many.

    Returns:
        The look, those before it, and the logarithm of what its bound is multiplied by.
    """
    images = images_of(readings)
    earlier = list_looks(vault)
    look = same_look(earlier, images, recipients)
    if look is None and images:
        try:
            with vault.ledger.exclusive():
                earlier = list_looks(vault)
                look = Look(_next(earlier), time.time(), images, recipients)
                _put(vault, look)
        except ReueError as error:
            vault.ledger.note("papers", "", f"this look can't be noted: {error}")
    look = look or Look(_next(earlier), time.time(), images, recipients)
    before = [one for one in earlier if one.number < look.number]
    return look, before, log_ways(before, images)


def _next(earlier: Sequence[Look]) -> int:
    return max((one.number for one in earlier), default=0) + 1


def _put(vault: Vault, look: Look) -> None:
    paper_id = f"look-{look.number:08}"
    sealed = vault.seal(_KIND, paper_id, json.dumps(look.to_dict()).encode())
    vault.ledger.put_paper(Paper(paper_id, _KIND, "", sealed, look.time))
