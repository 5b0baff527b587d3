"""Authorities' time stamps of commitments, kept sealed in the ledger."""

from __future__ import annotations

import hashlib
import time

from fiftyone_reue.vault.entities import Paper
from fiftyone_reue.vault.vault import Vault

_KIND = "timestamp"


def keep_timestamp(vault: Vault, release_id: str, reply: bytes) -> None:
    """Keep a reply beside a release's commitments; one that is there already stays.

    Args:
        vault: the owner's.
        release_id: of which release.
        reply: as the authority gave it.
    """
    name = hashlib.sha256(reply).hexdigest()[:16]
    paper_id = f"{_KIND}-{release_id}-{name}"
    if any(one.id == paper_id for one in vault.ledger.papers(_KIND)):
        return
    sealed = vault.seal(_KIND, paper_id, reply)
    vault.ledger.put_paper(Paper(paper_id, _KIND, release_id, sealed, time.time()))


def list_timestamps(vault: Vault, release_id: str) -> list[bytes]:
    """A release's replies, oldest first.

    What somebody without the owner key changed or removed is left out, and is in the
    ledger's problems.
    """
    papers = [one for one in vault.ledger.papers(_KIND) if one.about == release_id]
    return [
        vault.unseal(_KIND, one.id, one.sealed)
        for one in sorted(papers, key=lambda paper: paper.created)
    ]
