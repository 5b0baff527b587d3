"""What is in a store, as files of this machine for as long as somebody reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.names import contained
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, unread

_PREFIX = "reue-fetched-"


@contextmanager
def fetched(found: Place) -> Iterator[Path]:
    """A file or folder of this machine that holds what a place does.

    Of an address all is fetched that lies there, into a folder for temporary files
    (``TMPDIR`` says where), which is removed behind it. Errors name the address.

    Args:
        found: a path, which is given back as it is; or the address of an object, or of
            a folder.

    Raises:
        InputError: there is nothing at the address, or it can't be read.
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
    if not found.is_dir():
        objects.fetch(str(found), into)
        return
    pending: list[tuple[Address, Path]] = [(found, into)]
    while pending:
        address, folder = pending.pop()
        folder.mkdir()
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
                objects.fetch(str(address.joinpath(one.name)), below)
