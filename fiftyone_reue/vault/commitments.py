"""What releases are committed to, kept sealed in the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fiftyone_reue.errors import DamagedRecordError, TamperedLedgerError
from fiftyone_reue.vault.entities import Paper, Recipient, Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.commitment import (
    HASH,
    Commitment,
    image_leaf,
    recipient_leaf,
)

_KIND = "commitment"


@dataclass(frozen=True)
class Original:
    """What of an image a release is committed to.

    Attributes:
        image_id: which.
        digest: of its samples.
        carrier_key: what the places of its marks follow from.
    """

    image_id: str
    digest: bytes
    carrier_key: bytes

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return 256

    @property
    def leaf(self) -> bytes:
        """Its leaf in a commitment."""
        return image_leaf(self.image_id, self.digest, self.carrier_key)


def commit_to(vault: Vault, release: Release, originals: Iterable[Original]) -> Release:
    """Commit a release to all recipients, and to what originals it wasn't yet.

    Args:
        vault: the owner's.
        release: as it is stored.
        originals: of which copies are about to be made.

    Returns:
        The release with the new root, stored; as it was where nothing is new.

    Raises:
        TamperedLedgerError: the ledger has lost a recipient or an earlier commitment.
    """
    known = list_commitments(vault, release.id)
    committed = {leaf for one in known for leaf in one.images}
    new = {one.leaf for one in originals} - committed
    if not new:
        return release
    made = Commitment(
        vault.vault_id,
        release.id,
        bytes.fromhex(release.commitment),
        tuple(sorted(leaf_of(vault, one) for one in all_recipients(vault))),
        tuple(sorted(new)),
    )
    now = time.time()
    paper_id = f"commitment-{release.id}-{len(known) + 1:06}"
    sealed = vault.seal(_KIND, paper_id, _packed(made))
    vault.ledger.put_paper(Paper(paper_id, _KIND, release.id, sealed, now))
    release = replace(release, commitment=made.root.hex(), updated=now)
    vault.ledger.put_release(release)
    return release


def list_commitments(vault: Vault, release_id: str) -> list[Commitment]:
    """A release's commitments, oldest first; none of what older versions made.

    Raises:
        TamperedLedgerError: one is missing or was changed.
    """
    papers = [one for one in vault.ledger.papers(_KIND) if one.about == release_id]
    lost = [one for one in vault.ledger.problems if one.table == "papers"]
    if lost:
        raise TamperedLedgerError(f"A release's commitment isn't known: {lost[0]}")
    return [
        _unpacked(vault.unseal(_KIND, one.id, one.sealed))
        for one in sorted(papers, key=lambda paper: paper.id)
    ]


def leaf_of(vault: Vault, recipient: Recipient) -> bytes:
    """A recipient's leaf."""
    return recipient_leaf(recipient.id, recipient.name, vault.code_seed(recipient))


def all_recipients(vault: Vault) -> list[Recipient]:
    """All recipients, to whom a release is committed.

    Raises:
        TamperedLedgerError: the ledger has lost one, or one of them was changed.
    """
    found = vault.recipients()
    lost = [one for one in vault.ledger.problems if one.table == "recipients"]
    if lost:
        raise TamperedLedgerError(
            f"No release can be made while a recipient isn't known: {lost[0]}"
        )
    return found


def _packed(one: Commitment) -> bytes:
    """A line of JSON, then the recipients' leaves, then the images'."""
    about = {
        "version": 2,
        "vault": one.vault_id,
        "release": one.release_id,
        "previous": one.previous.hex(),
        "recipients": len(one.recipients),
        "images": len(one.images),
    }
    return json.dumps(about).encode() + b"\n" + b"".join(one.recipients + one.images)


def _unpacked(content: bytes) -> Commitment:
    line, _, leaves = content.partition(b"\n")
    about = json.loads(line)
    count = about["recipients"]
    parts = [leaves[at : at + HASH] for at in range(0, len(leaves), HASH)]
    if len(parts) != count + about["images"]:
        raise DamagedRecordError("A commitment in the ledger is cut short")
    return Commitment(
        about["vault"],
        about["release"],
        bytes.fromhex(about["previous"]),
        tuple(parts[:count]),
        tuple(parts[count:]),
    )
