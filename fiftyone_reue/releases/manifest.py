"""The manifest beside a release: what its recipient needs, and nothing else.

It leaves the house with the copies. How they were made, of what, in which classes or
clusters, what failed and what a release is called stay in the owner's ledger, see
:func:`fiftyone_reue.releases.lookup.describe_release`.
"""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

from fiftyone_reue import __version__
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.files import write_atomic
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.vault import Vault

NAME = "manifest.json"

FORMAT = 2
"""Format 1 told settings, classes, failures and names besides; it is still read."""

_DIGITS = 32
"""Hex digits of a copy's SHA-256 that are told: nobody makes another file with them."""

MOST_BYTES = 256 << 20
"""Some millions of images; reading takes a few times as much memory."""


def write(vault: Vault, release: Release, recipient: Recipient) -> float | None:
    """Write a release's manifest from the ledger, unless it says all that already.

    Args:
        vault: the owner's.
        release: as it stands now.
        recipient: whose it is; a revoked one is marked.

    Returns:
        The release's mean PSNR in dB, or None without any image.

    Raises:
        OutputError: it can't be written.
    """
    files = []
    digests = {}
    total = 0.0
    for record in vault.ledger.records(release.id):
        files.append(record.output)
        if record.copy_digest:
            digests[record.output] = record.copy_digest.hex()[:_DIGITS]
        total += record.psnr
    content: dict[str, Any] = {
        "format": FORMAT,
        "program": f"fiftyone-reue {__version__}",
        "vault": vault.vault_id,
        "release": release.id,
        "recipient_key": recipient.key_id,
        "revoked_at": recipient.revoked_at,
        "commitment": release.commitment,
        "created": release.created,
        "images": len(files),
        "files": sorted(files),  # in the ledger's order they might tell something
        "digests": dict(sorted(digests.items())),
    }
    path = Path(release.output) / NAME
    data = json.dumps(content, indent=1).encode()
    if path.parent.is_dir() and not _holds(path, data):
        write_atomic(path, data)
    return total / len(files) if files else None


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


class Handed:
    """The files of a release's copies as they were handed out, by its manifest.

    Whoever changes a file can change the manifest beside it too: this tells of
    accidents. What makes a restore exact is in the record.

    Args:
        folder: where the copies are now; None where that isn't known.
    """

    def __init__(self, folder: Path | None) -> None:
        content = {} if folder is None else read(folder) or {}
        told = content.get("digests")
        self._folder = folder
        self._digests = told if isinstance(told, dict) else {}

    def is_another(self, path: Path) -> bool:
        """Whether a file below the folder isn't the one of its name that was handed
        out; not where the manifest doesn't say."""
        if self._folder is None or not self._digests:
            return False
        try:
            name = path.absolute().relative_to(self._folder.absolute()).as_posix()
            told = self._digests.get(name)
            if told is None:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS] != told
        except (OSError, ValueError):
            return False


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
    """Note in the manifests of the recipient's releases whether they are revoked.

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
            write(vault, release, recipient)
            changed.append(folder / NAME)
    return changed


def _holds(path: Path, data: bytes) -> bool:
    try:
        return _start(path, MOST_BYTES) == data
    except (OSError, ValueError, InputError):
        return False
