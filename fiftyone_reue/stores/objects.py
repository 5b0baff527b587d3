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

from fiftyone_reue.errors import InputError
from fiftyone_reue.stores.connections import ask, connected, library, scheme
from fiftyone_reue.stores.troubles import is_lost

TEMPORARY_SUFFIX = ".reue-tmp"

NOWHERE = frozenset({"", ".", ".."})
"""Names that an object in a store may have, and nothing in a folder."""

AT_ONCE = 16
"""So many requests are under way at a time, which mostly wait for the network."""

_WHOLE = frozenset({"s3", "gs", "az", "abfs", "abfss", "memory"})
"""Stores in which an object is there whole or not at all, however it is written."""

_BOTH = _WHOLE | {"http", "https"}
"""Stores in which one name may be an object's and a folder's."""

_MAKING = threading.Lock()


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

    def work(system: Any, path: str) -> bytes:
        if most is None:
            return bytes(system.cat_file(path))
        if scheme(url) not in _WHOLE:  # not all heed what is asked for
            with system.open(path, "rb") as file:
                return bytes(file.read(most))
        try:
            return bytes(system.cat_file(path, start=0, end=most))
        except Exception as error:
            if not _is_of_range(error) or system.info(path)["size"]:
                raise
            return b""  # of nothing there is no range

    return ask(url, work)


@contextlib.contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """An object as an open file, of which pieces are read as they are asked for.

    Raises:
        OSError: it isn't there, or can't be read, be it later on.
    """
    with connected(url) as (system, path), system.open(path, "rb") as file:
        yield file


def fetch(url: str, path: str | os.PathLike[str]) -> None:
    """Write an object's bytes to a file of this machine, a piece at a time.

    Raises:
        OSError: it isn't there, can't be read, or the file can't be written.
    """
    ask(url, lambda system, inside: system.get_file(inside, os.fspath(path)))


def write(url: str, data: bytes) -> None:
    """Write an object so that its name never shows a part of it.

    Raises:
        OSError: it can't be written.
        InputError: this kind of store would show parts.
    """
    require_whole(url)

    def work(system: Any, path: str) -> None:
        if scheme(url) in _WHOLE:
            system.pipe_file(path, data)
            return
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
        try:
            _pipe_below(system, folder, temporary, data)
            system.mv(temporary, f"{folder}/{name}")
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm_file(temporary)
            raise

    ask(url, work)


def _pipe_below(system: Any, folder: str, path: str, data: bytes) -> None:
    """Write a file, and make its folder if that is why it can't be written."""
    try:
        system.pipe_file(path, data)
    except Exception as error:
        if is_lost(error):
            raise
        with _MAKING:  # two threads would both find it missing, and one fail
            system.makedirs(folder, exist_ok=True)
        system.pipe_file(path, data)


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


def is_in_bucket(url: str) -> bool:
    """Whether a store has no folders that are made, but names with ``/``."""
    return scheme(url) in _WHOLE


def require_whole(url: str) -> None:
    """Make sure that a store can be written so that nobody sees half an object.

    Raises:
        InputError: it can't.
        MissingPackageError: what reaches it isn't installed.
    """
    if scheme(url) not in _WHOLE and not _renames(library(url)):
        raise InputError(
            f"{url}: {scheme(url)}:// can only be read, since a file that is written "
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
    name = f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    if scheme(url) != "s3":
        write(f"{url}/{name}", b"")
        with contextlib.suppress(OSError):
            remove(f"{url}/{name}")
        return

    def begin(system: Any, path: str) -> None:
        bucket, _, above = path.partition("/")
        where = {"Bucket": bucket, "Key": f"{above}/{name}".lstrip("/")}
        begun = system.call_s3("create_multipart_upload", **where)
        with contextlib.suppress(Exception):  # without any part it is nothing
            upload = begun["UploadId"]
            system.call_s3("abort_multipart_upload", UploadId=upload, **where)

    ask(url, begin)


def remove(url: str) -> bool:
    """Delete an object; whether it was there.

    Raises:
        OSError: it can't be deleted.
    """

    def work(system: Any, path: str) -> bool:
        try:
            there = _info(system, path)
            if there is None or there["type"] != "file":
                return False
            system.rm_file(path)
        except FileNotFoundError:
            return False
        return True

    return ask(url, work)


def listing(url: str) -> list[Found]:
    """What lies in a folder, in order of names.

    Raises:
        FileNotFoundError: there is nothing of this name.
        NotADirectoryError: it is an object and no folder.
        OSError: the store doesn't say.
    """
    entries, path = ask(url, functools.partial(_entries, url))
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


def _entries(url: str, system: Any, path: str) -> tuple[list[dict[str, Any]], str]:
    """What is in a folder, as its library tells it, and the folder's path."""
    system.invalidate_cache()
    try:
        entries = list(system.ls(path, detail=True))
    except Exception as error:
        # Stores with folders have many ways to say that one is a file.
        if is_in_bucket(url) or is_lost(error) or not _is_file(system, path):
            raise
        raise NotADirectoryError(errno.ENOTDIR, "no folder", path) from error
    system.invalidate_cache()  # of a million objects it would be large
    return [_followed(system, one) for one in entries], path


def _followed(system: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """An entry, or of a link to a file that file's; no link to a folder is followed."""
    if entry["type"] != "link":
        return entry
    found = _info(system, entry["name"])
    is_file = found is not None and found["type"] == "file"
    return {**entry, "size": found["size"] if found is not None and is_file else 0}


def _is_file(system: Any, path: str) -> bool:
    found = _info(system, path)
    return found is not None and found["type"] == "file"


def exists(url: str) -> bool:
    """Whether an object has this name, or any lies below."""
    return _kind(url) is not None


def is_folder(url: str) -> bool:
    """Whether any object lies below this name; one of the same name is no matter."""
    kind = _kind(url)
    if kind != "file" or scheme(url) not in _BOTH:
        return kind == "directory"
    try:
        return bool(listing(url))
    except NotADirectoryError:
        return False


def size(url: str) -> int:
    """An object's bytes; 0 where the store doesn't say.

    Raises:
        FileNotFoundError: there is no such object.
        OSError: the store can't be asked.
    """
    return int(ask(url, lambda system, path: system.info(path)).get("size") or 0)


def is_object(url: str) -> bool:
    """Whether an object has this very name."""
    return _kind(url) == "file"


def remove_stale(url: str) -> None:
    """Remove what a killed run left half-written below a folder, where that can be.

    Raises:
        OSError: it can't be removed.
    """
    if scheme(url) in _WHOLE:
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
            elif is_left_behind(one.name):
                remove(f"{here}/{one.name}")


def is_left_behind(name: str) -> bool:
    """Whether a file is one of ours that was being written when somebody killed it."""
    return name.startswith(".") and name.lower().endswith(TEMPORARY_SUFFIX)


def reason(error: OSError) -> str:
    """Why something failed, without the name that is said beside it."""
    return error.strerror or str(error)


def _kind(url: str) -> str | None:
    found = ask(url, _info)
    return None if found is None else str(found["type"])


def _info(system: Any, path: str) -> dict[str, Any] | None:
    system.invalidate_cache()
    try:
        return dict(system.info(path))
    except FileNotFoundError:
        return None


def _renames(kind: Any) -> bool:
    """Whether a name can be given to a file at once, and not to a copy of it."""
    from fsspec.asyn import AsyncFileSystem
    from fsspec.spec import AbstractFileSystem

    return kind.mv is not AbstractFileSystem.mv or (
        hasattr(kind, "_mv") and not hasattr(AsyncFileSystem, "_mv")
    )


def _is_of_range(error: Exception) -> bool:
    return "range" in str(error).lower() or "416" in str(error)
