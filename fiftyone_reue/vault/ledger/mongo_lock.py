"""A lock in MongoDB, for one of several processes and threads at a time."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from fiftyone_reue.errors import LedgerUnavailableError

if TYPE_CHECKING:
    from pymongo.collection import Collection

LEASE_SECONDS = 60.0
"""A holder that wrote nothing for so long has lost the lock."""

WAIT_SECONDS = 2 * LEASE_SECONDS
_LONGEST_NAP = 0.1
_LONGEST_PID = 18

_PROCESS = secrets.token_hex(8)
_held: set[str] = set()
"""Holders of this process. Others of its may be in a database all the same: the server
was gone when they should have been removed, or forgot that in a crash."""


class MongoLock:
    """One document that whoever writes must have made.

    A holder renews it with every write, by the server's clock. If its process is gone,
    which others on the same machine can tell, or if it was silent for
    ``LEASE_SECONDS``, somebody else may take it. May be acquired again by the thread
    that has it.

    Args:
        collection: where the document is
        key: the document's ``_id``
    """

    def __init__(self, collection: Collection[dict[str, Any]], key: str) -> None:
        from pymongo import WriteConcern

        # It means nothing after a server's crash, so it needn't wait for the disk.
        self._collection = collection.with_options(write_concern=WriteConcern(w=1))
        self._key = key
        self._thread = threading.RLock()
        self._depth = 0
        self._holder = ""

    def acquire(self) -> None:
        """Waits for the lock.

        Raises:
            LedgerUnavailableError: if others keep it for too long
        """
        self._thread.acquire()
        if self._depth == 0:
            try:
                self._holder = self._take()
            except BaseException:
                self._thread.release()
                raise
        self._depth += 1

    def release(self) -> None:
        """Gives it back; to be called once for each :meth:`acquire`."""
        self._depth -= 1
        try:
            if self._depth == 0:
                _held.discard(self._holder)
                self._delete(self._holder)
        finally:
            self._thread.release()

    def renew(self) -> None:
        """Makes sure that the lock is still held, if this thread has acquired it.

        Raises:
            LedgerUnavailableError: if it was silent for so long that it lost it
        """
        with self._thread:
            if self._depth == 0:
                return
            mine = {"_id": self._key, "holder": self._holder}
            if self._collection.update_one(mine, _lease(self._holder)).matched_count:
                return
        raise LedgerUnavailableError(
            "Another process took over the ledger, since this one had stopped for "
            "more than a minute; run it again"
        )

    def _take(self) -> str:
        holder = f"{host()} {os.getpid()} {_PROCESS} {secrets.token_hex(8)}"
        _held.add(holder)
        try:
            self._wait(holder)
        except BaseException:
            _held.discard(holder)
            raise
        return holder

    def _wait(self, holder: str) -> None:
        from pymongo.errors import DuplicateKeyError

        deadline = time.monotonic() + WAIT_SECONDS
        nap = 0.002
        expired = {"_id": self._key, "$expr": {"$lt": ["$until", "$$NOW"]}}
        mine = {"_id": self._key, "holder": holder}
        while True:
            if self._collection.update_one(expired, _lease(holder)).matched_count:
                return
            try:
                self._collection.update_one(mine, _lease(holder), upsert=True)
                return
            except DuplicateKeyError:
                pass
            self._remove_if_dead()
            if time.monotonic() > deadline:
                raise LedgerUnavailableError(
                    "Another process keeps writing to the ledger; wait until it is "
                    "done and try again"
                )
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)

    def _remove_if_dead(self) -> None:
        found = self._collection.find_one({"_id": self._key})
        holder = "" if found is None else found.get("holder")
        if isinstance(holder, str) and _is_dead(holder):
            self._delete(holder)

    def _delete(self, holder: str) -> None:
        self._collection.delete_one({"_id": self._key, "holder": holder})


def _lease(holder: str) -> list[dict[str, dict[str, object]]]:
    until = {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}
    return [{"$set": {"holder": {"$literal": holder}, "until": until}}]


def _is_dead(holder: str) -> bool:
    """Whether a lock's holder was a process of this machine that is gone, or was this
    process, which has given it back."""
    parts = holder.split(" ")
    if os.name != "posix" or len(parts) != 4 or parts[0] != host():
        return False
    pid, process = parts[1:3]
    # Anybody may have written it: other digits, or more than a number has.
    if not (pid.isascii() and pid.isdigit() and len(pid) <= _LONGEST_PID):
        return False
    if int(pid) == os.getpid():
        return process != _PROCESS or holder not in _held
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def host() -> str:
    """Where process ids mean the same: a machine, or a container on it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()}/{space}".replace(" ", "_")
