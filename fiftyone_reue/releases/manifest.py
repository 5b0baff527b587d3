"""The manifest beside a release: what its recipient needs, and nothing else.

It leaves the house with the copies. How they were made, of what, in which classes or
clusters, what failed and what a release is called stay in the owner's ledger, see
:func:`fiftyone_reue.releases.lookup.describe_release`.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fiftyone_reue import __version__
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.media.files import write_atomic
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, place
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.vault import Vault

NAME = "manifest.json"

FORMAT = 2
"""Format 1 told settings, classes, failures and names besides; it is still read."""

_DIGITS = 32
"""Hex digits of a copy's SHA-256 that are told: nobody makes another file with them."""

MOST_BYTES = 256 << 20
"""Some millions of images; reading takes a few times as much memory."""

_MOST_ABOVE = 32
"""So many folders up a manifest is looked for."""


def write(
    vault: Vault, release: Release, recipient: Recipient, *, begin: bool = False
) -> float | None:
    """Write a release's manifest from the ledger, unless it says all that already.

    It isn't written where the release's folder is gone, or never came to be.

    Args:
        vault: the owner's.
        release: as it stands now.
        recipient: whose it is; a revoked one is marked.
        begin: whether it is the first thing of the release in a store, which has no
            folders.

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
    path = place(release.output) / NAME
    data = json.dumps(content, indent=1).encode()
    if (begin or _is_begun(path)) and not _holds(path, data):
        write_atomic(path, data)
    return total / len(files) if files else None


def _is_begun(path: Place) -> bool:
    if isinstance(path, Path):
        return path.parent.is_dir()
    try:
        return path.is_file()
    except OSError as error:
        raise OutputError(f"{path}: {objects.reason(error)}") from error


def read(folder: Place) -> dict[str, Any] | None:
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


@dataclass(frozen=True)
class Found:
    """The manifest that tells of copies.

    Attributes:
        folder: where it lies.
        below: where the copies were looked for, below that; ``.`` is the folder.
        content: what it says.
    """

    folder: Place
    below: PurePosixPath
    content: dict[str, Any]

    @property
    def path(self) -> Place:
        """The manifest's file."""
        return self.folder / NAME


def find(place: Place) -> Found | None:
    """The manifest of a folder's copies, or of one of its files: there or above.

    One above has to list something that lies in the place. The first that this program
    wrote is the last one looked at; files of that name that others wrote are passed
    over. No link is followed on the way up.

    Args:
        place: a release's folder, one within it, or one of its copies.

    Raises:
        InputError: the one in the folder itself is larger than any.
    """
    if isinstance(place, Address):
        return _find_stored(place)
    if place.is_dir():
        content = read(place)
        if content is not None and _is_ours(content):
            return Found(place, PurePosixPath(), content)
    here = Path(os.path.abspath(place))
    try:
        if not os.path.samefile(here, place):  # ".." led out of a link
            return None
    except OSError:
        return None
    below = PurePosixPath()
    for _ in range(_MOST_ABOVE):
        if here.is_symlink() or here == here.parent:
            return None
        here, below = here.parent, PurePosixPath(here.name, below)
        content = _read_above(here)
        if content is not None and _is_ours(content):
            lists = _lists(content, below.as_posix())
            return Found(here, below, content) if lists else None
    return None


def _find_stored(address: Address) -> Found | None:
    content = read(address)
    if content is not None and _is_ours(content):
        return Found(address, PurePosixPath(), content)
    below = PurePosixPath()
    here = address
    for above in address.parents:
        below = PurePosixPath(here.name, below)
        here = above
        content = _read_above(here)
        if content is not None and _is_ours(content):
            lists = _lists(content, below.as_posix())
            return Found(here, below, content) if lists else None
    return None


def _read_above(folder: Place) -> dict[str, Any] | None:
    """As :func:`read`, of a folder that nobody named."""
    try:
        if isinstance(folder, Path) and (folder / NAME).is_symlink():
            return None
        return read(folder)
    except (OSError, InputError):
        return None


def _is_ours(content: dict[str, Any]) -> bool:
    return isinstance(content.get("release"), str) and "format" in content


def _lists(content: dict[str, Any], below: str) -> bool:
    files = content.get("files")
    return isinstance(files, list) and any(
        isinstance(name, str) and (name == below or name.startswith(f"{below}/"))
        for name in files
    )


class Handed:
    """The files of a release's copies as they were handed out, by its manifest.

    Whoever changes a file can change the manifest beside it too: this tells of
    accidents. What makes a restore exact is in the record.

    Args:
        place: where the copies are now, a folder or one of them; None where that isn't
            known.

    Attributes:
        compared_with: the manifest that says which files were handed out, or None.
    """

    def __init__(self, place: Place | None) -> None:
        found = None if place is None else find(place)
        told = None if found is None else found.content.get("digests")
        self._place = place
        self._below = PurePosixPath() if found is None else found.below
        self._digests = told if isinstance(told, dict) else {}
        self.compared_with = found.path if found and self._digests else None

    def is_another(self, path: str, digest: bytes) -> bool:
        """Whether a file in the place isn't the one of its name that was handed out;
        not where the manifest doesn't say.

        Args:
            path: the file, or an object's URL.
            digest: SHA-256 of its bytes.
        """
        if self._place is None or not self._digests:
            return False
        name = _below(self._place, path)
        if name is None:
            return False
        told = self._digests.get((self._below / name).as_posix())
        return told is not None and digest.hex()[:_DIGITS] != told


def _below(folder: Place, path: str) -> PurePosixPath | None:
    """Where a file lies below a folder; None if it doesn't."""
    if isinstance(folder, Address):
        above = f"{folder}/"
        if path == str(folder):
            return PurePosixPath()
        return (
            PurePosixPath(path.removeprefix(above)) if path.startswith(above) else None
        )
    try:
        found = Path(path).absolute().relative_to(folder.absolute())
    except ValueError:
        return None
    return PurePosixPath(found.as_posix())


def _start(path: Place, most: int) -> bytes:
    larger = InputError(
        f"{path}: this file is larger than any manifest ({most >> 20} MB); it is "
        "none of this program's, remove it"
    )
    if isinstance(path, Address):
        data = objects.read(str(path), most + 1)
        if len(data) > most:
            raise larger
        return data
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it isn't a file")
    if found.st_size > most:
        raise larger
    with path.open("rb") as file:
        return file.read(found.st_size)


def mark_revoked(vault: Vault, recipient: Recipient) -> list[Place]:
    """Note in the manifests of the recipient's releases whether they are revoked.

    It tells whoever restores from these folders with the program; it can't reach
    copies that were handed out.

    Returns:
        The manifests changed.
    """
    changed: list[Place] = []
    for release in vault.ledger.releases(recipient.id):
        folder = place(release.output)
        content = read(folder)
        if content is None or content.get("release") != release.id:
            continue
        if content.get("revoked_at") != recipient.revoked_at:
            write(vault, release, recipient)
            changed.append(folder / NAME)
    return changed


def _holds(path: Place, data: bytes) -> bool:
    try:
        return _start(path, MOST_BYTES) == data
    except (OSError, ValueError, InputError):
        return False
