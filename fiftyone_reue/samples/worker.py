"""A process that executes the plugin's jobs, one after the other, oldest first.

A job that can be undone for a while isn't due until then, and others go before it. The
App starts one when there is a job and none runs; it ends when there has been
nothing to do for a while. ``reue app work`` is one that stays. There is one at a time
for each of FiftyOne's databases: it has a lease in the database, which says what it
works on, and that it is alive.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.processes import is_gone, this_process
from fiftyone_reue.samples.vaults import key_folder

if TYPE_CHECKING:
    from pymongo.collection import Collection

PLUGIN = "@reue/fiftyone-reue"

LINK = "reue-worker:"
"""Before a worker's name in an operation's ``run_link``."""

DUE = "reue_due"
"""Where an operation's metadata say when it may begin at the earliest, in UTC."""

COLLECTION = "reue_worker"

IDLE_SECONDS = 120.0
"""A worker that the App started ends after so long without a job."""

COMMAND = "reue app work"
"""What to run in a terminal for a worker that stays."""

_BEAT_SECONDS = 5.0
_LOST_SECONDS = 60.0
_NAP_SECONDS = 0.5
_KEY = "worker"

# FiftyOne's server is told to start no services; a worker must be known to the
# database's service, which ends with its last client.
_SERVERS_VARIABLES = ("FIFTYONE_DISABLE_SERVICES", "FIFTYONE_PRIVATE_DATABASE_PORT")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """A worker that is alive.

    Attributes:
        holder: its name, a new one for each.
        process: see :func:`~fiftyone_reue.samples.processes.this_process`.
        job: the one that it executes now, or None.
    """

    holder: str
    process: str
    job: str | None = None


def state() -> State | None:
    """The worker of FiftyOne's database, or None if there is none."""
    with plain_errors():
        found = _leases().find_one({"_id": _KEY})
    if found is None or not _is_fresh(found):
        return None
    return State(found["holder"], found["process"], found.get("job"))


def ensure() -> None:
    """Start a worker if there is none.

    Raises:
        OutputError: its log can't be written.
    """
    if state() is not None:
        return
    folder = _log_folder()
    # The plugin may have been downloaded, not installed: see its __init__.py.
    package = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.append({package!r}); from {__name__} import main; "
    kept = {k: v for k, v in os.environ.items() if k not in _SERVERS_VARIABLES}
    with (folder / "worker.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-c", code + f"main({IDLE_SECONDS}, {this_process()!r})"],
            env=kept,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def log_file(job_id: str) -> Path:
    """Where a job's log is, if the App's worker ran it."""
    return key_folder() / "jobs" / f"{job_id}.log"


def work(
    idle: float | None = None, *, logs: bool = False, starter: str | None = None
) -> int:
    """Execute queued jobs until there has been none for a while.

    Args:
        idle: for how many seconds; None for ever.
        logs: whether each job's output goes to its log, all that this process writes
            meanwhile, and not to where it went so far.
        starter: the process that started this one: once it is gone and there is no job,
            this one waits for none. A server that is started anew, with an owner key in
            its environment that the last one hadn't, starts one that has it.

    Returns:
        How many were executed.

    Raises:
        InputError: there is another worker.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    done = _work_with_lease(idle, logs, starter)
    # A job may have been queued while others saw this worker's lease.
    while _waiting():
        try:
            done += _work_with_lease(idle, logs, starter)
        except InputError:
            break  # another worker is there already
    return done


def _work_with_lease(idle: float | None, logs: bool, starter: str | None) -> int:
    done = 0
    with _lease() as holder:
        since = time.monotonic()
        while True:
            if _execute_next(holder, logs):
                done += 1
                since = time.monotonic()
            elif idle is not None and (
                time.monotonic() - since >= idle or (starter and is_gone(starter))
            ):
                if not _waiting():
                    return done
                time.sleep(_NAP_SECONDS)  # for what isn't due yet
            else:
                time.sleep(_NAP_SECONDS)


def main(idle: float | None, starter: str | None = None) -> None:
    """A worker's process; see :func:`work`."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("fiftyone_reue").setLevel(logging.INFO)
    with contextlib.suppress(InputError):  # another was faster
        work(idle, logs=True, starter=starter)


def _execute_next(holder: str, logs: bool) -> bool:
    from fiftyone.operators.delegated import DelegatedOperationService

    operation = _oldest_due()
    if operation is None:
        return False
    log = _logged(log_file(str(operation.id))) if logs else contextlib.nullcontext()
    with log, _busy(holder, str(operation.id)):
        DelegatedOperationService().execute_operation(
            operation, log=True, run_link=LINK + holder
        )
    return True


@contextlib.contextmanager
def _busy(holder: str, job_id: str) -> Iterator[None]:
    """Say meanwhile which job is executed; one that was cancelled may go on a while."""
    _note_job(holder, job_id)
    try:
        yield
    finally:
        _note_job(holder, None)


def _note_job(holder: str, job_id: str | None) -> None:
    with plain_errors():
        _leases().update_one({"_id": _KEY, "holder": holder}, {"$set": {"job": job_id}})


def _oldest_due() -> Any:
    """The job that is due longest, or None."""
    now = datetime.now(UTC)
    free = [operation for operation in _waiting() if due_of(operation) <= now]
    return min(free, key=due_of, default=None)


def due_of(operation: Any) -> datetime:
    """When a delegated operation may begin at the earliest."""
    found = (operation.metadata or {}).get(DUE) or operation.queued_at
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _waiting() -> list[Any]:
    """The jobs that wait for a worker of no special kind, due or not."""
    from fiftyone.operators.delegated import DelegatedOperationService

    with plain_errors():
        waiting = DelegatedOperationService().list_operations(
            operator={"$regex": f"^{PLUGIN}/"}, run_state="queued"
        )
    return [operation for operation in waiting if operation.delegation_target is None]


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Have all that this process and its children write in a file.

    The file is readable by its owner alone: it names the owner's images.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = os.dup(1), os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for number in (1, 2):
            os.dup2(log, number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in zip((1, 2), before, strict=True):
            os.dup2(kept, number)
            os.close(kept)
        os.close(log)


def _log_folder() -> Path:
    folder = log_file("").parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: this folder for the logs of jobs can't be made: "
            f"{error.strerror}; run `{COMMAND}` in a terminal instead"
        ) from error
    return folder


def _leases() -> Collection[dict[str, Any]]:
    import fiftyone.core.odm as foo

    return foo.get_db_conn()[COLLECTION]


def _is_fresh(lease: dict[str, Any]) -> bool:
    silent = time.time() - lease["beat"] > _LOST_SECONDS
    return not silent and not is_gone(lease["process"])


@contextlib.contextmanager
def _lease() -> Iterator[str]:
    """Be the only worker, under a new name.

    Raises:
        InputError: there is another.
    """
    holder = secrets.token_hex(8)
    _take(holder)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(holder, stop), daemon=True)
    beat.start()
    try:
        yield holder
    finally:
        stop.set()
        beat.join()
        with plain_errors():
            _leases().delete_one({"_id": _KEY, "holder": holder})


def _take(holder: str) -> None:
    from pymongo.errors import DuplicateKeyError

    mine = {
        "_id": _KEY,
        "holder": holder,
        "process": this_process(),
        "beat": time.time(),
    }
    with plain_errors():
        found = _leases().find_one({"_id": _KEY})
        if found is not None and not _is_fresh(found):
            _leases().delete_one({"_id": _KEY, "holder": found["holder"]})
        try:
            _leases().insert_one(mine)
        except DuplicateKeyError:
            raise InputError(
                "There is a worker already; it executes one job after the other"
            ) from None


def _beat(holder: str, stop: threading.Event) -> None:
    while not stop.wait(_BEAT_SECONDS):
        with contextlib.suppress(Exception):  # the next one may reach the database
            _leases().update_one(
                {"_id": _KEY, "holder": holder}, {"$set": {"beat": time.time()}}
            )
