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

TEMPORARY_SUFFIX = ".reue-tmp"

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
}


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, durably, so that its name never shows a part of it.

    Args:
        path: the file; replaced if it is there. Its folder must exist.
        data: all of its bytes.

    Raises:
        OutputError: it couldn't be written; nothing was left behind.
    """
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
    pending: dict[Path, Path] = {}  # temporary -> final
    path = Path()
    try:
        try:
            for path, data in items:
                temporary = path.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
                pending[temporary] = path
                _write_new(temporary, data)
            _flush(list(pending))
            for temporary, path in list(pending.items()):
                os.replace(temporary, path)
                del pending[temporary]
            _flush_folders({path.parent for path, _ in items})
        finally:
            for temporary in pending:
                with contextlib.suppress(OSError):
                    temporary.unlink()
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"{path}: can't be written: {reason}") from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless it is there.

    Raises:
        OutputError: a file has its name, or it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
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
            if name.startswith(".") and name.endswith(TEMPORARY_SUFFIX):
                path = Path(parent, name)
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise OutputError(
                        f"{path}: a leftover that can't be removed: {error.strerror}"
                    ) from error
                removed += 1
    return removed


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _flush(paths: Sequence[Path]) -> None:
    """Wait until the files' data is on the disk."""
    sync_filesystem = _sync_filesystem()
    if len(paths) > 1 and sync_filesystem:
        folders = {path.parent for path in paths}
        for device in {os.stat(folder).st_dev: folder for folder in folders}.values():
            _with_descriptor(device, sync_filesystem)
    else:
        for path in paths:
            _with_descriptor(path, os.fsync)


def _flush_folders(folders: Iterable[Path]) -> None:
    if os.name == "posix":
        for folder in folders:
            _with_descriptor(folder, os.fsync)


def _with_descriptor(path: Path, call: Callable[[int], object]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
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
