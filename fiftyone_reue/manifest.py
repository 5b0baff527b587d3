"""The manifest beside a release: what it holds, without any secret or source path."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from fiftyone_reue import __version__
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.files import write_atomic
from fiftyone_reue.pipeline import Outcome
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.vault import Vault

NAME = "manifest.json"

MOST_BYTES = 256 << 20
"""Some millions of images; reading takes a few times as much memory."""


def write(
    vault: Vault, release: Release, recipient: Recipient, outcome: Outcome
) -> float | None:
    """Write a release's manifest from the ledger, unless it says all that already.

    Args:
        vault: the owner's.
        release: as it stands now.
        recipient: whose it is; a revoked one is marked.
        outcome: of the last run, for the failures.

    Returns:
        The release's mean PSNR in dB, or None without any image.

    Raises:
        OutputError: it can't be written.
    """
    files = []
    total = 0.0
    for record in vault.ledger.records(release.id):
        files.append({"file": record.output, "class": record.label})
        total += record.psnr
    psnr = total / len(files) if files else None
    content: dict[str, Any] = {
        "format": 1,
        "program": f"fiftyone-reue {__version__}",
        "vault": vault.vault_id,
        "release": release.id,
        "name": release.name,
        "recipient_key": recipient.key_id,
        "revoked_at": recipient.revoked_at,
        "commitment": release.commitment,
        "epsilon": release.parameters.get("epsilon"),
        "state": release.state,
        "created": release.created,
        "images": len(files),
        "psnr": None if psnr is None else round(psnr, 2),
        "failures": [
            {"sample": failure.sample_id, "reason": failure.reason}
            for failure in outcome.failures
        ],
        "files": files,
    }
    path = Path(release.output) / NAME
    data = json.dumps(content, indent=1).encode()
    if path.parent.is_dir() and not _holds(path, data):
        write_atomic(path, data)
    return psnr


def read(folder: Path) -> dict[str, Any] | None:
    """A folder's manifest, or None where there is none that can be read.

    Raises:
        InputError: it is larger than any.
    """
    path = folder / NAME
    try:
        content = json.loads(_start(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _start(path: Path, most: int) -> bytes:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it isn't a file")
    if found.st_size > most:
        raise InputError(
            f"{path}: this file is larger than any manifest ({most >> 20} MB); it is "
            "none of this program's, remove it"
        )
    with path.open("rb") as file:
        return file.read(found.st_size)


def mark_revoked(vault: Vault, recipient: Recipient) -> list[Path]:
    """Note a revocation in the manifests of the recipient's releases.

    It tells whoever restores from these folders with the program; it can't reach
    copies that were handed out.

    Returns:
        The manifests changed.
    """
    changed = []
    for release in vault.ledger.releases(recipient.id):
        folder = Path(release.output)
        content = read(folder)
        if content is not None and content.get("release") == release.id:
            content["revoked_at"] = recipient.revoked_at
            write_atomic(folder / NAME, json.dumps(content, indent=1).encode())
            changed.append(folder / NAME)
    return changed


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False
