"""Names that come from a ledger, a manifest or a record, held inside their folder.

Whoever can write such a name must not be able to say which file of this machine is
written or deleted. So a name is looked at before it is joined to a folder
(:func:`inside`), and whatever is written or deleted is reached folder by folder from
there, following no link (:func:`opened`, :func:`remove`). The folder itself may be a
link: that one was named by the user.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import overload

from fiftyone_reue.errors import OutputError, UnsafePathError
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place

_BY_DESCRIPTOR = (
    hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
    and {os.open, os.mkdir, os.unlink, os.rename, os.rmdir} <= os.supports_dir_fd
)
"""Whether files can be reached from an open folder, so that nobody can put a link into
their way between a look and a step. Elsewhere (Windows) looking has to do."""


@dataclass(frozen=True)
class Entry:
    """A name in a folder.

    Attributes:
        folder: the folder's path, for people.
        name: of a file in it, without any separator.
        descriptor: the folder, open; None to go by its path.
    """

    folder: Path
    name: str
    descriptor: int | None = None

    @property
    def path(self) -> Path:
        """For people, and where there is no descriptor."""
        return self.folder / self.name

    def named(self, name: str) -> Entry:
        """Another name in the same folder."""
        return Entry(self.folder, name, self.descriptor)

    def open(self, flags: int, mode: int = 0o666) -> int:
        """As ``os.open``."""
        return os.open(self._target, flags, mode, dir_fd=self.descriptor)

    def stat(self) -> os.stat_result:
        """As ``os.lstat``."""
        return os.stat(self._target, dir_fd=self.descriptor, follow_symlinks=False)

    def unlink(self) -> None:
        """As ``os.unlink``."""
        os.unlink(self._target, dir_fd=self.descriptor)

    def rmdir(self) -> None:
        """As ``os.rmdir``."""
        os.rmdir(self._target, dir_fd=self.descriptor)

    def take(self, other: Entry) -> None:
        """As ``os.replace``: give this name to the file at ``other``, beside it."""
        if self.descriptor is None:
            os.replace(other._target, self._target)
            return
        within = self.descriptor
        os.replace(other.name, self.name, src_dir_fd=within, dst_dir_fd=within)

    @property
    def _target(self) -> str:
        return str(self.path) if self.descriptor is None else self.name


def parts(name: str) -> tuple[str, ...]:
    """A relative path's parts, if it leads nowhere else on any system.

    Args:
        name: with ``/`` between folders.

    Raises:
        UnsafePathError: it is empty, absolute or begins with a drive, or it has a part
            that is empty, ``.`` or ``..``, also where ``\\`` separates, or a NUL.
    """
    found = tuple(name.split("/")) if isinstance(name, str) else ()
    # A copy that is made here may be restored on Windows.
    foreign = PureWindowsPath(name) if found else PureWindowsPath()
    if (
        not found
        or "\0" in name
        or any(part in ("", ".", "..") for part in found)
        or ".." in foreign.parts
        or foreign.anchor
    ):
        raise UnsafePathError(
            f"{name!r} isn't the name of a file below its folder: whatever says so "
            "was changed or is damaged, and nothing is read, written or deleted there"
        )
    return found


def bare(name: str) -> str:
    """A name of one part, for a file in a folder and not below one.

    Raises:
        UnsafePathError: it has several, or :func:`parts` refuses it.
    """
    if len(parts(name)) > 1 or "\\" in name:
        raise UnsafePathError(f"{name!r} isn't a bare name, without any folder")
    return name


@overload
def inside(folder: Path, name: str) -> Path: ...
@overload
def inside(folder: Place, name: str) -> Place: ...
def inside(folder: Place, name: str) -> Place:
    """The path of a file below a folder, or its address, for reading it.

    Args:
        folder: any.
        name: relative, with ``/`` between folders.

    Raises:
        UnsafePathError: it leads out of the folder; see :func:`parts`.
    """
    return folder.joinpath(*parts(name))


@overload
def unlinked(folder: Path, name: str) -> Path: ...
@overload
def unlinked(folder: Place, name: str) -> Place: ...
def unlinked(folder: Place, name: str) -> Place:
    """The same for a file that is to be written: no folder on its way is a link.
    There is none in a store.

    It is a look, so that a job can refuse one file before it works on it. What writes
    looks again, with :func:`opened`.

    Raises:
        UnsafePathError: it leads out of the folder, or a folder on the way is a link.
    """
    if isinstance(folder, Path):
        path = folder
        for part in parts(name)[:-1]:
            path = path / part
            if _is_link(path):
                raise _linked(path)
    return inside(folder, name)


@contextmanager
def opened(
    folder: Path, names: Sequence[str], *, make: int | None = None
) -> Iterator[list[Entry]]:
    """Open the folders that files below a folder are in, following no link.

    Args:
        folder: must exist.
        names: relative paths, with ``/`` between folders.
        make: the mode of folders that are to be made where they are missing (less the
            umask); None makes none.

    Yields:
        An entry for each name, of use until this ends.

    Raises:
        UnsafePathError: a name leads out of the folder, or a folder on its way is a
            link.
        FileNotFoundError: a folder is missing, and none is to be made.
        OutputError: a file is in a folder's place, or it can't be opened or made.
    """
    split = [parts(name) for name in names]
    with ExitStack() as stack:
        known: dict[tuple[str, ...], int | None] = {}
        for one in split:
            if one[:-1] not in known:
                descriptor = _descended(folder, one[:-1], make)
                known[one[:-1]] = descriptor
                if descriptor is not None:
                    stack.callback(os.close, descriptor)
        yield [
            Entry(folder.joinpath(*one[:-1]), one[-1], known[one[:-1]]) for one in split
        ]


def remove(folder: Place, name: str) -> bool:
    """Delete a file below a folder, and folders on its way that are empty then.

    Args:
        folder: any.
        name: relative, with ``/`` between folders.

    Returns:
        Whether the file was there.

    Raises:
        UnsafePathError: it leads out of the folder, or a folder on its way is a link.
        OutputError: a folder on its way can't be opened.
        OSError: the file can't be deleted.
    """
    if isinstance(folder, Address):
        return objects.remove(str(inside(folder, name)))
    there = True
    try:
        with opened(folder, [name]) as (entry,):
            entry.unlink()
    except FileNotFoundError:
        there = False
    steps = parts(name)[:-1]
    for end in range(len(steps), 0, -1):
        with (
            contextlib.suppress(OSError, OutputError),  # not empty, or gone already
            opened(folder, ["/".join(steps[:end])]) as (entry,),
        ):
            entry.rmdir()
    return there


def _descended(folder: Path, steps: tuple[str, ...], make: int | None) -> int | None:
    """The last of these folders, open; None where there are no descriptors."""
    if not _BY_DESCRIPTOR:
        path = folder
        for step in steps:
            path = path / step
            _step_by_path(path, make)
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(folder, error) from error
    path = folder
    for step in steps:
        path = path / step
        try:
            inner = _step(descriptor, path, step, make)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _step(descriptor: int, path: Path, step: str, make: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        try:
            return os.open(step, flags, dir_fd=descriptor)
        except FileNotFoundError:
            if make is None:
                raise
        with contextlib.suppress(FileExistsError):  # another process made it
            os.mkdir(step, make, dir_fd=descriptor)
        return os.open(step, flags, dir_fd=descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        if _is_link(path):
            raise _linked(path) from error
        raise _refused(path, error) from error


def _step_by_path(path: Path, make: int | None) -> None:
    if _is_link(path):
        raise _linked(path)
    try:
        if make is not None:
            path.mkdir(make, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> OutputError:
    if os.path.exists(path) and not os.path.isdir(path):
        return OutputError(
            f"{path}: a file is in the way; choose another output folder"
        )
    return OutputError(
        f"{path}: this folder can't be made or opened: {error.strerror}; check its "
        "permissions, its parent's and the free space"
    )


def _linked(path: Path) -> UnsafePathError:
    return UnsafePathError(
        f"{path}: this is a link, and links inside an output folder aren't followed; "
        "put a folder in its place, or choose another output folder"
    )


def _is_link(path: Path) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    tag = getattr(found, "st_reparse_tag", 0)
    return stat.S_ISLNK(found.st_mode) or (tag != 0 and tag == junction)
