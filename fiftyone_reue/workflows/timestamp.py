"""Time stamps: have an authority that others believe sign when a release was there."""

from __future__ import annotations

from fiftyone_reue.errors import InputError
from fiftyone_reue.proofs import timestamps
from fiftyone_reue.proofs.timestamps import Reply
from fiftyone_reue.vault.commitments import list_commitments
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.timestamps import keep_timestamp
from fiftyone_reue.vault.vault import Vault


def timestamp_request(vault: Vault, release: Release) -> bytes:
    """A request to sign when a release's newest commitment was there.

    Args:
        vault: the owner's.
        release: which.

    Returns:
        DER (RFC 3161), to be sent to any authority; it tells nothing but a hash.

    Raises:
        InputError: the release was never committed to its images.
        TamperedLedgerError: a commitment isn't as it was.
    """
    known = list_commitments(vault, release.id)
    if not known:
        raise InputError(
            f"Release {release.name} has no commitment that could be stamped: it was "
            "made by an older version; protect it again, to a new folder"
        )
    return timestamps.request(known[-1].statement)


def keep_reply(vault: Vault, release: Release, reply: bytes) -> Reply:
    """Keep an authority's reply, for every case to come.

    Args:
        vault: the owner's.
        release: which.
        reply: the file that it answered with.

    Raises:
        InputError: it isn't a reply, or is about something else.
        TamperedLedgerError: a commitment isn't as it was.
    """
    found = timestamps.read_reply(reply)
    roots = [one.root for one in list_commitments(vault, release.id)]
    if found.digest not in roots:
        raise InputError(
            f"The time stamp is of {found.digest.hex()}, which is no commitment of "
            f"release {release.name}; send the request of this release"
        )
    keep_timestamp(vault, release.id, reply)
    return found
