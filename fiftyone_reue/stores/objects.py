"""Reading and writing objects, through fsspec.

Whatever goes wrong is an ``OSError`` as of files, with a reason for people. Stores
retry by themselves what is worth it; what comes here has failed for good.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

from fiftyone_reue.errors import InputError, MissingPackageError
from fiftyone_reue.stores.troubles import why

TEMPORARY_SUFFIX = ".reue-tmp"

NOWHERE = frozenset({"", ".", ".."})
"""Names that an object in a store may have, and nothing in a folder."""

AT_ONCE = 16
"""So many requests are under way at a time, which mostly wait for the network."""

_WHOLE = frozenset({"s3", "gs", "az", "abfs", "abfss", "memory"})
"""Stores in which an object is there whole or not at all, however it is written."""


@dataclass(frozen=True)
class Found:
    """What lies in a folder of a store.

    Attributes:
        name: without any ``/``. It may be empty or ``..``, which no folder could hold.
        is_folder: whether it is a name before further ones.
        size: bytes of an object.
    """

    name: str
    is_folder: bool
    size: int


def read(url: str, most: int | None = None) -> bytes:
    """An object's bytes.

    Args:
        url: which.
        most: bytes to read; there may be more.

    Raises:
        OSError: it isn't there, or can't be read.
    """
    system, path = _opened(url)
    with _as_os_error(url):
        if most is None:
            return bytes(system.cat_file(path))
        try:
            return bytes(system.cat_file(path, start=0, end=most))
        except Exception as error:
            if not _is_of_range(error) or system.info(path)["size"]:
                raise
            return b""  # of nothing there is no range


@contextlib.contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """An object as an open file, of which pieces are read as they are asked for.

    Raises:
        OSError: it isn't there, or can't be read, be it later on.
    """
    system, path = _opened(url)
    with _as_os_error(url), system.open(path, "rb") as file:
        yield file


def fetch(url: str, path: str | os.PathLike[str]) -> None:
    """Write an object's bytes to a file of this machine, a piece at a time.

    Raises:
        OSError: it isn't there, can't be read, or the file can't be written.
    """
    system, inside = _opened(url)
    with _as_os_error(url):
        system.get_file(inside, os.fspath(path))


def write(url: str, data: bytes) -> None:
    """Write an object so that its name never shows a part of it.

    Raises:
        OSError: it can't be written.
        InputError: this kind of store would show parts.
    """
    require_whole(url)
    system, path = _opened(url)
    with _as_os_error(url):
        if _scheme(url) in _WHOLE:
            system.pipe_file(path, data)
            return
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
        system.makedirs(folder, exist_ok=True)
        try:
            system.pipe_file(temporary, data)
            system.mv(temporary, f"{folder}/{name}")
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm_file(temporary)
            raise


def write_all(files: Sequence[tuple[str, bytes]]) -> dict[str, OSError]:
    """Write several objects at a time, each whole or not at all.

    Returns:
        Why they couldn't be written, of those that couldn't.
    """

    def attempt(one: tuple[str, bytes]) -> OSError | None:
        try:
            write(*one)
        except OSError as error:
            return error
        return None

    if not files:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(files))) as pool:
        errors = list(pool.map(attempt, files))
    return {
        url: error
        for (url, _), error in zip(files, errors, strict=True)
        if error is not None
    }


def require_whole(url: str) -> None:
    """Make sure that a store can be written so that nobody sees half an object.

    Raises:
        InputError: it can't.
        MissingPackageError: what reaches it isn't installed.
    """
    system, _ = _opened(url)
    if _scheme(url) not in _WHOLE and not _renames(system):
        raise InputError(
            f"{url}: {_scheme(url)}:// can only be read, since a file that is written "
            "there could be seen half-written; write to a folder or a bucket"
        )


def try_writing(url: str) -> None:
    """Find out whether objects can be written below an address, and leave none there.

    Nothing is listed or read, which not everybody may who may write. In S3 an upload in
    parts is begun and given up, which takes no right to delete and makes no version.
    Elsewhere an empty object is written and deleted; one that can't be deleted has a
    name that walks pass over.

    Raises:
        FileNotFoundError: there is no such bucket.
        OSError: none can be written.
        InputError: this kind of store would show parts.
    """
    require_whole(url)
    system, path = _opened(url)
    name = f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    if _scheme(url) != "s3":
        write(f"{url}/{name}", b"")
        with contextlib.suppress(OSError):
            remove(f"{url}/{name}")
        return
    bucket, _, above = path.partition("/")
    where = {"Bucket": bucket, "Key": f"{above}/{name}".lstrip("/")}
    with _as_os_error(url):
        begun = system.call_s3("create_multipart_upload", **where)
    with contextlib.suppress(Exception):  # without any part it is nothing
        system.call_s3("abort_multipart_upload", UploadId=begun["UploadId"], **where)


def remove(url: str) -> bool:
    """Delete an object; whether it was there.

    Raises:
        OSError: it can't be deleted.
    """
    system, path = _opened(url)
    with _as_os_error(url):
        try:
            there = _info(system, path)
            if there is None or there["type"] != "file":
                return False
            system.rm_file(path)
        except FileNotFoundError:
            return False
    return True


def listing(url: str) -> list[Found]:
    """What lies in a folder, in order of names.

    Raises:
        FileNotFoundError: there is nothing of this name.
        NotADirectoryError: it is an object and no folder.
        OSError: the store doesn't say.
    """
    system, path = _opened(url)
    with _as_os_error(url):
        system.invalidate_cache()
        entries = system.ls(path, detail=True)
        system.invalidate_cache()  # of a million objects it would be large
    here = path.rstrip("/")
    found = []
    for entry in entries:
        name, is_folder = entry["name"], entry["type"] == "directory"
        if name.rstrip("/") == here and not is_folder:
            if name == here and len(entries) == 1:
                raise NotADirectoryError(errno.ENOTDIR, "no folder", url)
            continue  # an object that stands for the folder itself
        last = "" if name.rstrip("/") == here else name.rstrip("/").rpartition("/")[2]
        found.append(Found(last, is_folder, int(entry.get("size") or 0)))
    return sorted(found, key=lambda one: (one.name, one.is_folder))


def exists(url: str) -> bool:
    """Whether an object has this name, or any lies below."""
    return _kind(url) is not None


def is_folder(url: str) -> bool:
    """Whether any object lies below this name; one of the same name is no matter."""
    kind = _kind(url)
    if kind != "file":
        return kind is not None
    try:
        return bool(listing(url))
    except NotADirectoryError:
        return False


def is_object(url: str) -> bool:
    """Whether an object has this very name."""
    return _kind(url) == "file"


def remove_stale(url: str) -> None:
    """Remove what a killed run left half-written below a folder, where that can be.

    Raises:
        OSError: it can't be removed.
    """
    if _scheme(url) in _WHOLE:
        return
    folders = [url]
    while folders:
        here = folders.pop()
        try:
            entries = listing(here)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for one in entries:
            if one.is_folder and one.name not in NOWHERE:
                folders.append(f"{here}/{one.name}")
            elif one.name.startswith(".") and one.name.endswith(TEMPORARY_SUFFIX):
                remove(f"{here}/{one.name}")


def reason(error: OSError) -> str:
    """Why something failed, without the name that is said beside it."""
    return error.strerror or str(error)


def _kind(url: str) -> str | None:
    system, path = _opened(url)
    with _as_os_error(url):
        found = _info(system, path)
    return None if found is None else str(found["type"])


def _info(system: Any, path: str) -> dict[str, Any] | None:
    system.invalidate_cache()
    try:
        return dict(system.info(path))
    except FileNotFoundError:
        return None


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _renames(system: Any) -> bool:
    """Whether a name can be given to a file at once, and not to a copy of it."""
    from fsspec.spec import AbstractFileSystem

    return type(system).mv is not AbstractFileSystem.mv


def _opened(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        MissingPackageError: fsspec or what it needs for this store isn't installed.
        InputError: fsspec doesn't know such stores.
        OSError: the store can't be reached.
    """
    root = "/".join(url.split("/", 3)[:3])
    try:
        from fsspec.core import split_protocol
        from fsspec.registry import get_filesystem_class

        kind: Any = get_filesystem_class(split_protocol(url)[0])
    except ValueError as error:
        raise InputError(
            f"{root}: fsspec knows no such stores ({error}); give a folder, or a URL "
            "such as s3://bucket/folder"
        ) from error
    except ImportError as error:
        raise MissingPackageError(
            f"{root} needs a package that isn't here: {error}; pip install "
            "'fiftyone-reue[storage]', and s3fs for s3://, gcsfs for gs://, adlfs for "
            "az://"
        ) from error
    # One that does many requests at a time does so for all threads; of the others
    # fsspec keeps one a thread.
    thread = None if getattr(kind, "async_impl", False) else threading.get_ident()
    system = _system(root, os.getpid(), thread)
    return system, str(system._strip_protocol(url))


@functools.lru_cache(maxsize=256)
def _system(root: str, process: int, thread: int | None) -> Any:
    from fsspec.core import url_to_fs

    with _as_os_error(root):
        return url_to_fs(root)[0]


@contextlib.contextmanager
def _as_os_error(url: str) -> Iterator[None]:
    """Whatever a store's library raises, as an error of files."""
    try:
        yield
    except FileNotFoundError as error:
        nothing = "there is nothing of this name, or no such bucket"
        raise FileNotFoundError(errno.ENOENT, nothing, url) from error
    except PermissionError as error:
        raise PermissionError(errno.EACCES, why(error), url) from error
    except OSError as error:
        raise OSError(error.errno or errno.EIO, why(error), url) from error
    except (MissingPackageError, InputError):
        raise
    except Exception as error:  # each library has its own
        raise OSError(errno.EIO, why(error), url) from error


def _is_of_range(error: Exception) -> bool:
    return "range" in str(error).lower() or "416" in str(error)
