"""What a file or folder of this program's is that is neither image nor release."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fiftyone_reue.batch.folders import suspect_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import (
    InputError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.names.filenames import shown
from fiftyone_reue.proofs.contents import JSON_NAME
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.roots import PACKAGED
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, is_url
from fiftyone_reue.vault.identities import SECRET
from fiftyone_reue.vault.licence_files import APPLICATION
from fiftyone_reue.vault.vault import LEDGER_NAME
from fiftyone_reue.workflows.package_writers import IMAGES

_HEAD = 4096
_SQLITE = b"SQLite format 3\0"
_ZIP = b"PK\3\4"
_APPLICATION_AT = 68
"""Where SQLite's header has the number of the application that made the file."""

_TEXTS = (
    (
        b"-----BEGIN REUE RECIPIENT KEY-----",
        "a recipient's key file, which is secret: `reue restore COPIES DST --key` "
        "takes it",
    ),
    (
        b"-----BEGIN REUE OWNER KEY-----",
        "an owner key, which is secret and opens its vault",
    ),
    (
        b"-----BEGIN AGE ENCRYPTED FILE-----",
        "a file that is sealed with age, as key files and identities are: `reue "
        "restore COPIES DST --key FILE --identity IDENTITY` takes a key file",
    ),
    (b"age-encryption.org/v1", "a file that is sealed with age, as key files are"),
    (
        SECRET.encode(),
        "an identity, which is secret: `reue restore --identity` takes it",
    ),
)


_NAMED = {
    manifest.NAME: "a release's manifest: `reue info` of its folder says which, and "
    "`reue verify CASE --manifest` takes it",
    PACKAGED: "what a release was committed to: `reue verify CASE --manifest` takes it",
    JSON_NAME: "a case's evidence: `reue verify` of its folder checks it",
}
"""Files with names of their own, that hold JSON."""


def what_it_is(path: Place) -> str | None:
    """Name what a file or folder is, and what takes it; None if it isn't known.

    Args:
        path: what there is, or its address. Of an object its first bytes are read, and
            of an archive the list of what is in it.
    """
    if isinstance(path, Address):
        return _stored(path)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    known = _by_head(path.name, head)
    if known is not None:
        return known
    if head.startswith(_SQLITE) and _has_table(path, "recipients"):
        return "a vault's ledger: `reue release list --vault FOLDER` reads it"
    with path.open("rb") as file:
        return _archive(file)


def _stored(address: Address) -> str | None:
    try:
        if address.is_dir():
            return _folder(address)
        url = str(address)
        head = objects.read(url, _HEAD)
        known = _by_head(address.name, head)
        if known is not None or not head.startswith(_ZIP):
            return known
        with objects.opened(url) as file:
            return _archive(file)
    except OSError:
        return None  # whoever reads it says why it can't be read


def _by_head(name: str, head: bytes) -> str | None:
    """What a file is by its name and first bytes."""
    for start, known in _TEXTS:
        if start in head:
            return known
    if name in _NAMED and head.lstrip().startswith(b"{"):
        return _NAMED[name]
    made_by = head[_APPLICATION_AT : _APPLICATION_AT + 4]
    if head.startswith(_SQLITE) and int.from_bytes(made_by, "big") == APPLICATION:
        return "a licence: `reue restore COPIES DST --key KEY --license` takes it"
    return None


@contextmanager
def naming(item: Item) -> Iterator[None]:
    """Say of a file that can't be read as an image what else it is, where known.

    Raises:
        UnreadableImageError: in place of the one raised within.
    """
    try:
        yield
    except (UnreadableImageError, UnsupportedImageError) as error:
        known = None if is_url(item.path) else what_it_is(Path(item.path))
        if known is None:
            raise
        raise UnreadableImageError(f"{item.sample_id}: this is {known}") from error


def find_suspects(path: Place) -> list[Item]:
    """As :func:`fiftyone_reue.batch.folders.suspect_items`; of a folder without images
    it is said what else it is, where known.

    Raises:
        InputError: see there.
    """
    try:
        return suspect_items(path)
    except InputError as error:
        known = what_it_is(path) if _is_folder(path) else None
        if known is None:
            raise
        raise InputError(f"{shown(str(path))}: this is {known}") from error


def _is_folder(path: Place) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _folder(path: Place) -> str | None:
    if (path / JSON_NAME).is_file():
        return "a case: `reue verify` checks it, and report.html in it is to be read"
    if (path / LEDGER_NAME).is_file():
        return "a vault: `reue release list --vault` says what is in it"
    if (path / IMAGES / manifest.NAME).is_file():
        return "a package: `reue info` of its folder images says which release it is"
    return None


def _archive(file: BinaryIO) -> str | None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return None
    if f"{IMAGES}/{manifest.NAME}" in names:
        return "a package: `reue unpack FILE FOLDER` takes the copies out of it"
    return None


def _has_table(path: Path, name: str) -> bool:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except (sqlite3.Error, ValueError):
        return False
    try:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return connection.execute(query, [name]).fetchone() is not None
    except sqlite3.Error:
        return False
    finally:
        connection.close()
