"""What is in a store, as files of this machine for as long as somebody reads them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import file_size
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, unread

_PREFIX = "reue-fetched-"


@contextmanager
def fetched(found: Place) -> Iterator[Path]:
    """A file or folder of this machine that holds what a place does.

    Of an address all is fetched that lies there, into a folder for temporary files
    (``TMPDIR`` says where), which is removed behind it. What there is no room for is
    refused before any of it is fetched. Errors name the address.

    Args:
        found: a path, which is given back as it is; or the address of an object, or of
            a folder.

    Raises:
        InputError: there is nothing at the address, it can't be read, or there is no
            room for it.
        UnsafePathError: a name below it is one that no folder could hold.
    """
    if isinstance(found, Path):
        yield found
        return
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        into = contained.inside(Path(folder).resolve(), contained.bare(found.name))
        try:
            _fetch(found, into)
        except OSError as error:
            raise unread(found, error) from error
        try:
            yield into
        except ReueError as error:
            raise type(error)(str(error).replace(str(into), str(found))) from error


def _fetch(found: Address, into: Path) -> None:
    folders, files = _below(found, into)
    _require_room(found, into.parent, sum(size for *_, size in files))
    for folder in folders:
        folder.mkdir()
    for address, path, _ in files:
        objects.fetch(str(address), path)


def _below(
    found: Address, into: Path
) -> tuple[list[Path], list[tuple[Address, Path, int]]]:
    """The folders to make, outer ones first, and what to fetch: from, to and bytes."""
    if not found.is_dir():
        return [], [(found, into, objects.size(str(found)))]
    folders, files = [], []
    pending: list[tuple[Address, Path]] = [(found, into)]
    while pending:
        address, folder = pending.pop()
        folders.append(folder)
        for one in objects.listing(str(address)):
            if one.name in objects.NOWHERE:
                raise InputError(
                    f"{address}: a name in it is empty, '.' or '..', which no folder "
                    "can hold; rename the object"
                )
            below = contained.inside(folder, contained.bare(one.name))
            if one.is_folder:
                pending.append((address.joinpath(one.name), below))
            else:
                files.append((address.joinpath(one.name), below, one.size))
    return folders, files


def _require_room(found: Address, folder: Path, size: int) -> None:
    """Refuse what the disk can't hold before any of it is fetched.

    Raises:
        InputError: it has more bytes than are free.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{found}: this has {file_size(size)}, and where it would be fetched to "
            f"({folder.parent}) {file_size(free)} are free; set TMPDIR to a folder "
            "with room for it, or look whether it is what you meant"
        )
