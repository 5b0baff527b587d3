"""Which library opens a store, and its connections, of which each does one thing.

A library that does many requests at a time is asked by all threads at once. Any other
(that of ``sftp://``) is given connections of its own, a few, which are opened one after
the other: servers take ten at a time that nobody has shown a key on, and not more.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from fiftyone_reue.errors import InputError, MissingPackageError
from fiftyone_reue.stores.troubles import is_lost, is_nowhere, why

T = TypeVar("T")

MOST_CONNECTIONS = 8
"""So many at a time to one server, where each does one request at a time."""

_PACKAGES = {
    **{"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"},
    **{"sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol"},
    **{"http": "aiohttp requests", "https": "aiohttp requests"},
}
"""What speaks to a kind of store, and is the user's choice."""

_TALKERS = ("asyncssh", "azure", "google", "paramiko", "urllib3")
"""Libraries below those that log what they raise as well, some with a traceback."""


def ask(url: str, work: Callable[[Any, str], T]) -> T:
    """Have a store do one thing, and once more if the connection was lost meanwhile.

    Connections that lie idle during a long fit are cut off by what is in between.

    Args:
        url: of what.
        work: does it, given fsspec's file system and the path in it; it can be done
            twice.

    Raises:
        MissingPackageError: fsspec or what it needs for this store isn't installed.
        InputError: fsspec doesn't know such stores.
        OSError: whatever the store's library raised, with a reason for people.
    """
    for again in (True, False):
        try:
            with connected(url) as (system, path):
                return work(system, path)
        except OSError as error:
            if not (again and is_lost(error)):
                raise
    raise AssertionError  # the second round returned or raised


@contextlib.contextmanager
def connected(url: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL, and the path in it; nobody else has the connection.

    Raises:
        MissingPackageError, InputError, OSError: as :func:`ask`.
    """
    root = _root(url)
    shared = bool(getattr(library(url), "async_impl", False))
    pool = _pool(root, os.getpid(), shared)
    with _as_os_error(url), pool.taken() as system:
        yield system, _path(system, url, root)


def library(url: str) -> Any:
    """fsspec's class for a URL.

    Raises:
        MissingPackageError: fsspec or what it needs for this store isn't installed.
        InputError: fsspec doesn't know such stores.
    """
    root = _root(url)
    try:
        from fsspec.registry import get_filesystem_class

        found: Any = get_filesystem_class(scheme(url))
    except ValueError as error:
        raise InputError(
            f"{root}: fsspec knows no such stores ({error}); give a folder, or a URL "
            "such as s3://bucket/folder"
        ) from error
    except ImportError as error:
        wanted = f"'fiftyone-reue[storage]' {_PACKAGES.get(scheme(url), '')}".strip()
        raise MissingPackageError(
            f"{root} needs a package that isn't here: {error}; pip install {wanted}"
        ) from error
    _quieten(found.__module__.partition(".")[0])
    return found


class _Pool:
    """The connections of one process to one store."""

    def __init__(self, root: str, *, shared: bool) -> None:
        self._root, self._shared = root, shared
        self._idle: list[Any] = []
        self._turns = threading.Semaphore(MOST_CONNECTIONS)
        self._opening = threading.Lock()

    @contextlib.contextmanager
    def taken(self) -> Iterator[Any]:
        with contextlib.nullcontext() if self._shared else self._turns:
            system = self._take()
            try:
                yield system
            except BaseException as error:
                if is_lost(error):
                    self._idle = []  # those that lie beside it are lost as well
                else:
                    self._give(system)
                raise
            self._give(system)

    def _take(self) -> Any:
        with self._opening:
            if not self._idle:
                system = _open(self._root)
                if not self._shared:
                    return system
                self._idle = [system]
            return self._idle[-1] if self._shared else self._idle.pop()

    def _give(self, system: Any) -> None:
        if not self._shared:
            with self._opening:
                self._idle.append(system)


@functools.cache
def _pool(root: str, process: int, shared: bool) -> _Pool:
    return _Pool(root, shared=shared)


def _open(root: str) -> Any:
    from fsspec.core import url_to_fs

    # fsspec would give a connection that was lost again, and each thread the same.
    return url_to_fs(root, skip_instance_cache=True)[0]


def scheme(url: str) -> str:
    """Which kind of store a URL is of."""
    return url.partition("://")[0]


def _root(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _path(system: Any, url: str, root: str) -> str:
    """A URL's path as its library calls it.

    Libraries take URLs apart as a browser would: one leaves out what stands behind a
    ``?``, so that two files would be one. Their own paths they mostly leave alone.

    Raises:
        OSError: the library would take it for another one.
    """
    bucket = str(system._strip_protocol(root))
    rest = url[len(root) :]
    path = bucket.rstrip("/") + rest if rest else bucket
    if rest and str(system._strip_protocol(path)) != path:
        raise OSError(
            errno.EINVAL, "its library can't reach such a name; rename it", url
        )
    return path


@functools.cache
def _quieten(name: str) -> None:
    """Have a library print nothing beside the error that it raises.

    Whoever asked for its log, by a handler of their own, still gets it.
    """
    for one in (name, *_TALKERS):
        logging.getLogger(one).addHandler(logging.NullHandler())


@contextlib.contextmanager
def _as_os_error(url: str) -> Iterator[None]:
    """Whatever a store's library raises, as an error of files."""
    nothing = "there is nothing of this name, or no such bucket"
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, nothing, url) from error
    except PermissionError as error:
        raise PermissionError(errno.EACCES, why(error, scheme(url)), url) from error
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, why(error, scheme(url)), url) from error
    except (MissingPackageError, InputError):
        raise
    except Exception as error:  # each library has its own
        if is_nowhere(error):
            raise FileNotFoundError(errno.ENOENT, nothing, url) from error
        raise OSError(errno.EIO, why(error, scheme(url)), url) from error
