import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from fiftyone_reue.errors import LedgerUnavailableError
from fiftyone_reue.vault.ledger import mongo_lock
from fiftyone_reue.vault.ledger.mongo_lock import MongoLock

pytestmark = pytest.mark.integration


@pytest.fixture
def locks(mongo_database: Any) -> tuple[MongoLock, MongoLock]:
    """Two that want the same."""
    collection = mongo_database["reue_meta"]
    return MongoLock(collection, "lock"), MongoLock(collection, "lock")


def hold(lock: MongoLock, holder: str, until: str = "$$NOW") -> None:
    """Somebody else has it."""
    lock._collection.update_one(
        {"_id": "lock"},
        [{"$set": {"holder": holder, "until": {"$add": [until, 60_000]}}}],
        upsert=True,
    )


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_holds_it_at_a_time(locks: tuple[MongoLock, MongoLock]) -> None:
    inside = most = 0

    def work(lock: MongoLock) -> None:
        nonlocal inside, most
        for _ in range(10):
            lock.acquire()
            lock.acquire()
            inside += 1
            most = max(most, inside)
            time.sleep(0.001)
            inside -= 1
            lock.release()
            lock.release()

    threads = [threading.Thread(target=work, args=[lock]) for lock in locks * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert locks[0]._collection.count_documents({}) == 0


def test_a_dead_process_holds_nothing(locks: tuple[MongoLock, MongoLock]) -> None:
    hold(locks[0], f"{mongo_lock.host()} {dead_process()} x y")
    locks[1].acquire()
    locks[1].release()


def test_what_could_not_be_given_back_is_taken_up_again(
    locks: tuple[MongoLock, MongoLock], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import AutoReconnect

    def gone(holder: str) -> None:
        raise AutoReconnect("gone")

    one, other = locks
    one.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(one, "_delete", gone)
        with pytest.raises(AutoReconnect):
            one.release()
    monkeypatch.setattr(mongo_lock, "WAIT_SECONDS", 5)
    other.acquire()
    other.release()


@pytest.mark.parametrize("here", [True, False])
def test_a_living_one_is_waited_for(
    locks: tuple[MongoLock, MongoLock], monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    monkeypatch.setattr(mongo_lock, "WAIT_SECONDS", 0.2)
    where, pid = (
        (mongo_lock.host(), os.getppid()) if here else ("elsewhere", dead_process())
    )
    hold(locks[0], f"{where} {pid} x y")
    with pytest.raises(LedgerUnavailableError, match="keeps writing"):
        locks[1].acquire()
    locks[1]._collection.delete_many({})
    locks[1].acquire()
    locks[1].release()


def test_whoever_was_silent_for_too_long_has_lost_it(
    locks: tuple[MongoLock, MongoLock], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = locks
    monkeypatch.setattr(mongo_lock, "LEASE_SECONDS", 0.05)
    one.acquire()
    one.renew()
    time.sleep(0.1)
    other.acquire()
    with pytest.raises(LedgerUnavailableError, match="took over"):
        one.renew()
    one.release()
    other.renew()
    other.release()


@pytest.mark.parametrize("pid", ["9" * 5000, "\u00b2", "\u0663", ""])
def test_a_process_that_can_not_be_is_waited_for_like_any(
    locks: tuple[MongoLock, MongoLock], monkeypatch: pytest.MonkeyPatch, pid: str
) -> None:
    """Somebody else wrote it; a number that isn't one ended with a ValueError."""
    monkeypatch.setattr(mongo_lock, "WAIT_SECONDS", 0.2)
    hold(locks[0], f"{mongo_lock.host()} {pid} x y")
    with pytest.raises(LedgerUnavailableError, match="keeps writing"):
        locks[1].acquire()
