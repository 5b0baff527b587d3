"""Files that are there whole or not at all, whatever happens meanwhile."""

import contextlib
import ctypes
import errno
import functools
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fiftyone_reue.errors import OutputError
from fiftyone_reue.names.contained import Entry
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address
from fiftyone_reue.stores.objects import TEMPORARY_SUFFIX

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run it again",
    errno.EDQUOT: "your disk quota is used up; free some space and run it again",
    errno.EACCES: "no permission; choose another folder or change its mode or owner",
    errno.EPERM: "no permission; choose another folder or change its mode or owner",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "its folder doesn't exist; create it first",
    errno.ENOTDIR: "its folder is a file; choose another name",
    errno.EISDIR: "a folder has this name; choose another",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EILSEQ: "this disk can't hold such a name; choose another folder",
}
_NAME_ERRORS = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR}


def write_atomic(path: str | os.PathLike[str] | Address, data: bytes) -> None:
    """Write a file, durably, so that its name never shows a part of it.

    Args:
        path: the file, or an object of a store; replaced if it is there. A file's
            folder must exist.
        data: all of its bytes.

    Raises:
        OutputError: it couldn't be written; nothing was left behind.
    """
    if isinstance(path, Address):
        try:
            objects.write(str(path), data)
        except OSError as error:
            raise unstored(str(path), error) from error
        return
    write_batch([(Path(path), data)])


def write_batch(items: Sequence[tuple[Path, bytes]]) -> None:
    """Write several files, each whole or not at all, with few waits for the disk.

    No name is taken before all data is on the disk. An error may leave some files in
    place, each of them whole.

    Args:
        items: paths, whose folders must exist, and the files' bytes.

    Raises:
        OutputError: one couldn't be written; no temporary file is left.
    """
    write_entries([(Entry(path.parent, path.name), data) for path, data in items])


def write_entries(
    items: Sequence[tuple[Entry, bytes]],
    mode: int = 0o666,
    refused: dict[Path, str] | None = None,
) -> None:
    """As :func:`write_batch`, to what
    :func:`fiftyone_reue.names.contained.opened` opened.

    Args:
        items: entries, and the files' bytes.
        mode: of the files, less the umask.
        refused: takes up why they couldn't be written, of files whose very name the
            file system refuses: too long, of a character that it doesn't know, or a
            folder's. The others are written. None: that is an error as well.

    Raises:
        OutputError: one couldn't be written; no temporary file is left.
    """
    pending: dict[Entry, Entry] = {}  # temporary -> final
    entry = Entry(Path(), "")
    try:
        try:
            for entry, data in items:
                name = f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
                temporary = entry.named(name)
                pending[temporary] = entry
                _write_new(temporary, data, mode)
            _flush(list(pending))
            for temporary, entry in list(pending.items()):
                try:
                    entry.take(temporary)
                except OSError as error:
                    if refused is None or not _is_of_name(error):
                        raise
                    refused[entry.path] = str(_unwritten(entry.path, error))
                    continue
                del pending[temporary]
            _flush_folders(entry for entry, _ in items)
        finally:
            for temporary in pending:
                with contextlib.suppress(OSError):
                    temporary.unlink()
    except OSError as error:
        raise _unwritten(entry.path, error) from error


def unstored(url: str, error: OSError) -> OutputError:
    """What is said of an object that couldn't be written."""
    return OutputError(f"{url}: can't be written: {objects.reason(error)}")


def is_refused_name(error: OutputError) -> bool:
    """Whether it was the name that couldn't be written, and another could."""
    return isinstance(error.__cause__, OSError) and _is_of_name(error.__cause__)


def refused_path(path: Path) -> str | None:
    """Why no file can have this path, be it there or not; None: one can."""
    try:
        os.lstat(path)
    except OSError as error:
        return str(_unwritten(path, error)) if _is_of_name(error) else None
    return None


def _is_of_name(error: OSError) -> bool:
    return error.errno in _NAME_ERRORS


def _unwritten(path: Path, error: OSError) -> OutputError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return OutputError(f"{path}: can't be written: {reason}")


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, unless it is there.

    Args:
        folder: which.
        mode: of what is made, less the umask; of those above as well.

    Raises:
        OutputError: a file has its name, or it can't be made.
    """
    try:
        _make(folder, mode)
    except FileExistsError:
        raise OutputError(
            f"{folder}: a file is in the way; choose another output folder"
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder}: this folder can't be made: {error.strerror}; check its"
            " parent's permissions and free space"
        ) from error


def remove_stale_temporaries(folder: str | os.PathLike[str]) -> int:
    """Remove what a killed run left behind in a folder and the folders below it.

    Call it before a run, while nothing else writes there.

    Returns:
        How many files were removed.

    Raises:
        OutputError: one couldn't be removed.
    """
    removed = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if objects.is_left_behind(name):
                path = Path(parent, name)
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise OutputError(
                        f"{path}: a leftover that can't be removed: {error.strerror}"
                    ) from error
                removed += 1
    return removed


def _make(folder: Path, mode: int) -> None:
    """Unlike ``Path.mkdir``, gives the mode to the folders above as well."""
    try:
        folder.mkdir(mode, exist_ok=True)
    except FileNotFoundError:
        if folder == folder.parent:
            raise
        _make(folder.parent, mode)
        folder.mkdir(mode, exist_ok=True)


def _write_new(entry: Entry, data: bytes, mode: int = 0o666) -> None:
    descriptor = entry.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _flush(entries: Sequence[Entry]) -> None:
    """Wait until the files' data is on the disk."""
    sync_filesystem = _sync_filesystem()
    if len(entries) > 1 and sync_filesystem:
        for entry in {entry.stat().st_dev: entry for entry in entries}.values():
            _with_file(entry, sync_filesystem)
    else:
        for entry in entries:
            _with_file(entry, os.fsync)


def _flush_folders(entries: Iterable[Entry]) -> None:
    if os.name != "posix":
        return
    for entry in {entry.folder: entry for entry in entries}.values():
        if entry.descriptor is not None:
            os.fsync(entry.descriptor)
        else:
            _with_file(Entry(entry.folder, "."), os.fsync)


def _with_file(entry: Entry, call: Callable[[int], object]) -> None:
    descriptor = entry.open(os.O_RDONLY)
    try:
        call(descriptor)
    finally:
        os.close(descriptor)


@functools.cache
def _sync_filesystem() -> Callable[[int], None] | None:
    """Linux' syncfs, one wait for any number of files, where there is one."""
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError, TypeError):
        return None

    def sync(descriptor: int) -> None:
        if syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return sync
