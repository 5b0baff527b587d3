"""The commitment that a recipient holds, in whatever they were handed."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from pathlib import Path

from fiftyone_reue.errors import InputError
from fiftyone_reue.releases import manifest
from fiftyone_reue.stores.address import Address, Place, unread
from fiftyone_reue.stores.fetched import fetched
from fiftyone_reue.vault import licence_files

PACKAGED = "commitment.json"
"""What a package has beside its images; see
:mod:`fiftyone_reue.workflows.package`."""

_MOST_BYTES = manifest.MOST_BYTES
_SQLITE = b"SQLite format 3\0"
_ZIP = b"PK\3\4"
_IN_A_PACKAGE = (f"images/{manifest.NAME}", PACKAGED)


_UNREADABLE = (
    OSError,
    ValueError,
    RecursionError,
    StopIteration,
    NotImplementedError,
    RuntimeError,  # a ZIP file that asks for a passphrase
    zlib.error,
    zipfile.BadZipFile,
)


def held_roots(path: Place) -> list[str]:
    """The roots that whoever holds this can compare with a case's.

    Args:
        path: a ``manifest.json``, a package's ``commitment.json`` or a licence, under
            any name; or a folder of copies; or a package, as a folder or a ZIP file; or
            the address of one.

    Returns:
        Those in it, hex digits, at least one; the newest last.

    Raises:
        InputError: there is none in it, or it isn't there.
    """
    if isinstance(path, Address):
        return _stored_roots(path)
    if path.is_dir():
        for name in (manifest.NAME, *_IN_A_PACKAGE):
            if (path / name).is_file():
                return held_roots(path / name)
        raise _none(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise _none(path)
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
            if head == _SQLITE:
                return [licence_files.read_header(path).commitment]
            if head.startswith(_ZIP):
                content = json.loads(_packaged(path))
            elif found.st_size > _MOST_BYTES:
                raise _none(path)
            else:
                content = json.loads(head + file.read())
    except _UNREADABLE:
        raise _none(path) from None
    root = content.get("commitment") if isinstance(content, dict) else None
    listed = content.get("commitments") if isinstance(content, dict) else None
    roots = [root]
    if isinstance(listed, list) and listed:
        roots = [one.get("root") if isinstance(one, dict) else None for one in listed]
    if not all(isinstance(one, str) for one in roots):
        raise _none(path)
    return list(map(str, roots))


def _stored_roots(address: Address) -> list[str]:
    """As :func:`held_roots`; of a folder, only what holds the commitment is fetched."""
    try:
        if address.is_dir():
            for name in (manifest.NAME, *_IN_A_PACKAGE):
                if (address / name).is_file():
                    return held_roots(address / name)
            raise _none(address)
    except OSError as error:
        raise unread(address, error) from error
    with fetched(address) as path:
        return held_roots(path)


def _packaged(path: Path) -> bytes:
    """What the manifest in a package's ZIP file says, or its commitment's file.

    Raises:
        StopIteration, ValueError, OSError, BadZipFile: there is none to be read.
    """
    with zipfile.ZipFile(path) as package:
        name = next(one for one in _IN_A_PACKAGE if one in package.namelist())
        with package.open(name) as file:
            data = file.read(_MOST_BYTES + 1)  # whatever the list says of its length
    if len(data) > _MOST_BYTES:
        raise ValueError("no manifest is so long")
    return data


def _none(path: Place) -> InputError:
    return InputError(
        f"{path}: there is no commitment here; give the manifest.json that came with "
        "the copies, a package or its commitment.json, or a licence"
    )
