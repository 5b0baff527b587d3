"""Long work of the App as jobs: delegated operations of FiftyOne's, seen as a person
sees them.

A job is queued as FiftyOne's own scheduling would queue it, so that it outlives the
page and the form that asked for it, and so that any worker can execute it: the one
that the App starts (:mod:`fiftyone_reue.samples.worker`), or ``fiftyone delegated
launch``. What it is given is stored in clear: never a key, never a code.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.errors import CancelledError, InputError
from fiftyone_reue.progress import Progress
from fiftyone_reue.samples import worker
from fiftyone_reue.samples.database_errors import plain_errors

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc
    from bson import ObjectId
    from fiftyone.operators.delegated import DelegatedOperationService

WAITING = "waiting"
RUNNING = "running"
CANCELLING = "cancelling"
DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"
INTERRUPTED = "interrupted"

OPEN = (WAITING, RUNNING, CANCELLING)
"""The states of jobs that are not at their end."""

SECRET_PARAMETERS = ("confirmation", "permit")
"""What a job may have been given that nobody may be given again."""

MOST_REFUSED = 20
"""So many jobs that could not be started are kept."""

SILENT = timedelta(minutes=10)
"""Of another worker than the App's: one that said nothing for so long was killed."""

UNDOABLE = ("delete_release",)
"""Operators whose jobs wait before they begin, so that they can be undone."""

UNDO_SECONDS = 60.0
"""So long after it was asked for, what deletes begins; and so long a job that was
cleared can be brought back."""

RESUMABLE = ("protect_dataset", "publish_dataset", "restore_dataset", "show_release")
"""Operators of which what they finished is kept when they are stopped, so that another
run makes the rest. Any other begins anew."""

_CANCELLED = "Cancelled; what was finished is kept, run it again to go on"
_LEAST_SHARE, _LEAST_SECONDS = 0.03, 3.0
"""Before that, nothing can be said of how long it will take."""

_OURS: Any = {"$regex": f"^{worker.PLUGIN}/"}
"""What FiftyOne takes for the operators' names."""

_CLEARED = "metadata.reue_cleared"
"""Where an operation says when it was closed."""

_WELL, _SHOWN = "metadata.reue_well", "metadata.reue_shown"
"""Where it says whether all went well, and whether its result was opened."""

_NO_WORKER = "reue-none"
"""A target that no worker has."""

_NOT_SAID = "It failed without saying why; see its log"


@dataclass(frozen=True)
class Job:
    """A job as it is now.

    Attributes:
        id: of FiftyOne's delegated operation, as hex digits.
        operator: its name, without the plugin's.
        label: what it does, for a person.
        state: one of "waiting", "running", "cancelling" (it was cancelled, and the
            worker still is at a step of it), "done", "failed", "cancelled" and
            "interrupted" (whatever ran it is gone).
        fraction: how far it is, 0 to 1.
        step: what it does now, or when done its result in words.
        seconds_left: an estimate, or None if nothing can be told yet.
        problem: why it failed, lines for a person; or None.
        params: what it was given, without what is good only once.
        queued: when, in UTC.
        ended: when, in UTC; None if it hasn't.
        has_result: whether there is more to show than `step` says.
        well: whether nothing that it found or left undone needs a look.
        shown: whether its result was opened by itself.
        log: the file of its log; there only if the App's worker ran it.
        cleared: when somebody closed it, in UTC; None if nobody did.
        due: when one that can be undone begins, in UTC; None if it began, or is of
            another kind.
        untouched: whether it can be undone, or was, before it did anything.
    """

    id: str
    operator: str
    label: str
    state: str
    fraction: float
    step: str
    seconds_left: float | None
    problem: str | None
    params: Mapping[str, Any] = field(repr=False)
    queued: datetime | None = None
    ended: datetime | None = None
    has_result: bool = False
    well: bool = True
    shown: bool = False
    log: Path = Path()
    cleared: datetime | None = None
    due: datetime | None = None
    untouched: bool = False


def queue(ctx: Any, uri: str, label: str) -> str:
    """Queue an operator's execution, and see to it that there is a worker.

    Args:
        ctx: of the execution that asks for it; its parameters are stored in clear.
        uri: the operator's.
        label: what it does, for a person.

    Returns:
        The job's id.

    Raises:
        LedgerUnavailableError: MongoDB can't be reached.
        OutputError: no worker can be started.
    """
    found = _insert(ctx, uri, label)
    worker.ensure()
    return str(found)


def queue_on(
    samples: foc.SampleCollection, uri: str, label: str, params: Mapping[str, Any]
) -> str:
    """Queue an operator's execution on some samples; see :func:`queue`.

    Args:
        samples: a dataset or view.
        uri: the operator's.
        label: what it does, for a person.
        params: the operator's; stored in clear.
    """
    from fiftyone.operators.executor import ExecutionContext

    request = {
        "dataset_name": samples._root_dataset.name,
        "view": samples.view()._serialize(),
        "params": dict(params),
    }
    return queue(ExecutionContext(request), uri, label)


def note_failure(ctx: Any, uri: str, label: str, problem: str) -> str:
    """List a job that failed before it could be queued.

    Returns:
        The job's id.
    """
    from fiftyone.operators.executor import ExecutionResult

    # With a target that no worker has, so that none takes it meanwhile.
    found = _insert(ctx, uri, label, delegation_target=_NO_WORKER)
    with plain_errors():
        _service().set_failed(found, result=ExecutionResult(error=problem))
        # Whoever can send the App's server requests can make some.
        refused = _service().list_operations(delegation_target=_NO_WORKER)
        refused.sort(key=lambda operation: operation.queued_at, reverse=True)
        for operation in refused[MOST_REFUSED:]:
            _service().delete_operation(operation.id)
    return str(found)


def list_jobs(dataset: fo.Dataset) -> list[Job]:
    """A dataset's jobs, the newest first."""
    jobs = _read(dataset_id=dataset._doc.id)
    return sorted(jobs, key=lambda job: (job.queued or _LONG_AGO, job.id), reverse=True)


def get_job(job_id: str) -> Job | None:
    """A job, or None if it was cleared away."""
    found = _read(_id=_object_id(job_id))
    return found[0] if found else None


def cancel(job_id: str) -> bool:
    """Stop a job at its next step; what it finished is kept.

    Returns:
        Whether it came in time: False if the job had ended, or is gone.
    """
    from fiftyone.operators.executor import ExecutionResult, ExecutionRunState

    states = ExecutionRunState.QUEUED, ExecutionRunState.RUNNING
    with plain_errors():
        # One that waits may begin between both.
        stopped = [
            _service().set_failed(
                _object_id(job_id),
                result=ExecutionResult(error=_CANCELLED),
                required_state=state,
            )
            for state in states
        ]
    return any(one is not None for one in stopped)


def require_wanted(operation_id: Any) -> None:
    """Within a job: stop if somebody cancelled it.

    Raises:
        CancelledError: it was.
    """
    with plain_errors():
        operation = _service().get(_object_id(str(operation_id)))
    if operation is not None and operation.run_state == "failed":
        raise CancelledError(_CANCELLED)


def note_outcome(operation_id: Any, *, well: bool) -> None:
    """Within a job: note whether nothing needs a look of what it found or left."""
    _put(str(operation_id), _WELL, well)


def note_shown(job_id: str) -> None:
    """Note that a job's result was opened by itself: once is enough."""
    _put(job_id, _SHOWN, True)


def undoable_steps(operation_id: Any, what: str) -> Generator[Progress, None, None]:
    """Within a job that deletes: wait until a minute after it was asked for.

    Our worker takes none before; what FiftyOne's own starts may be early.

    Args:
        operation_id: the job's.
        what: what it does then, such as "Deletes alice_1".
    """
    with plain_errors():
        operation = _service().get(_object_id(str(operation_id)))
    until = None if operation is None else _begins(operation)
    if until is None:
        return
    while (left := (until - datetime.now(UTC)).total_seconds()) > 0:
        yield Progress(0.0, f"{what} in {math.ceil(left)} s; undo it until then")
        time.sleep(min(left, 0.5))


def clear(job_id: str) -> None:
    """List a job that is at its end no more; a minute later it and its log are gone.

    Raises:
        InputError: it isn't.
    """
    job = get_job(job_id)
    if job is None:
        return
    if job.state in OPEN:
        raise InputError(f"{job.label}: this job still runs; cancel it first")
    _put(job_id, _CLEARED, datetime.now(UTC))


def bring_back(job_id: str) -> None:
    """List a job again that was cleared within the last minute.

    Raises:
        InputError: it is gone.
    """
    forget_cleared()
    if not _read_all(_id=_object_id(job_id)):
        raise InputError("This job was closed more than a minute ago; it is gone")
    _put(job_id, _CLEARED, None)


def list_cleared(dataset: fo.Dataset) -> list[Job]:
    """The jobs of a dataset that can still be brought back."""
    found = _read_all(dataset_id=dataset._doc.id)
    return [job for job in found if job.cleared is not None and not _is_over(job)]


def forget_cleared() -> None:
    """Delete for good, with their logs, what was cleared more than a minute ago."""
    for job in _read_all(**{_CLEARED: {"$ne": None}}):
        if _is_over(job):
            with plain_errors():
                _service().delete_operation(_object_id(job.id))
            job.log.unlink(missing_ok=True)


def _put(job_id: str, path: str, value: Any) -> None:
    import fiftyone.core.odm as foo

    with plain_errors():
        # FiftyOne's service has nothing to change what belongs to an operation.
        foo.get_db_conn()["delegated_ops"].update_one(
            {"_id": _object_id(job_id)}, {"$set": {path: value}}
        )


def _is_over(job: Job) -> bool:
    if job.cleared is None:
        return False
    return datetime.now(UTC) - job.cleared > timedelta(seconds=UNDO_SECONDS)


def result_of(job_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What a finished job's operator shows: FiftyOne's schema of it, and the values.

    None if the job isn't there, or shows no more than its last step says.
    """
    with plain_errors():
        operation = _get(job_id)
    return None if operation is None else _result(operation)


def read_log(job: Job, lines: int = 30) -> list[str]:
    """The last lines of a job's log; none if there is no log."""
    try:
        text = job.log.read_text("utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]


def problem_of(error: str) -> str:
    """What an error says to a person; FiftyOne keeps and gives whole tracebacks."""
    lines = error.splitlines()
    frames = [n for n, line in enumerate(lines) if line.startswith("  File ")]
    start = frames[-1] if frames else 0
    rest = [n for n in range(start, len(lines)) if lines[n][:1].strip()]
    if not rest:
        return _NOT_SAID
    message = "\n".join(lines[rest[0] :])
    if frames:
        _, colon, after = message.partition(": ")
        message = after if colon else message
    _, _, reason = message.partition("Reason: ")
    return (reason if message.startswith("Validation error") else message).strip()


_LONG_AGO = datetime.fromtimestamp(0, UTC)


def _service() -> DelegatedOperationService:
    from fiftyone.operators.delegated import DelegatedOperationService

    return DelegatedOperationService()


def _object_id(job_id: str) -> ObjectId:
    from bson import ObjectId
    from bson.errors import InvalidId

    try:
        return ObjectId(job_id)
    except InvalidId:
        raise InputError(f"There is no job {job_id!r}") from None


def _read(**query: Any) -> list[Job]:
    """Jobs that nobody closed."""
    return [job for job in _read_all(**query) if job.cleared is None]


def _read_all(**query: Any) -> list[Job]:
    """Jobs, with the workers that were alive before or after they were read.

    Else one that just ended, or just began, would look interrupted.
    """
    before = worker.state()
    with plain_errors():
        operations = _service().list_operations(operator=_OURS, **query)
    now = worker.state()
    links = {worker.LINK + one.holder for one in (before, now) if one is not None}
    busy = None if now is None else now.job
    return [_job(operation, links, busy) for operation in operations]


def _get(job_id: str) -> Any:
    """An operation of this plugin's, or None."""
    found = _service().list_operations(operator=_OURS, _id=_object_id(job_id))
    return found[0] if found else None


def _insert(
    ctx: Any, uri: str, label: str, *, delegation_target: str | None = None
) -> ObjectId:
    """As FiftyOne does for what is scheduled."""
    metadata: dict[str, Any] = {"inputs_schema": None, "outputs_schema": None}
    if _is_undoable(uri):
        metadata[worker.DUE] = datetime.now(UTC) + timedelta(seconds=UNDO_SECONDS)
    ctx.request_params["delegated"] = True
    try:
        with plain_errors():
            operation = _service().queue_operation(
                operator=uri,
                label=label,
                context=ctx.serialize(),
                delegation_target=delegation_target,
                metadata=metadata,
            )
    finally:
        del ctx.request_params["delegated"]
    return operation.id


def _is_undoable(uri: str) -> bool:
    return uri.rpartition("/")[2] in UNDOABLE


def _begins(operation: Any) -> datetime | None:
    """When a job that can be undone begins to do something; None of any other."""
    if not _is_undoable(operation.operator) or operation.queued_at is None:
        return None
    if (operation.metadata or {}).get(worker.DUE):
        return worker.due_of(operation)
    # Scheduled by FiftyOne, which knows of no due times.
    return worker.due_of(operation) + timedelta(seconds=UNDO_SECONDS)


def _is_untouched(operation: Any, state: str) -> bool:
    begins = _begins(operation)
    if begins is None:
        return False
    if state == WAITING or operation.started_at is None:
        return True
    ended = _utc(operation.failed_at) if state == CANCELLED else datetime.now(UTC)
    return ended is not None and ended < begins


def _job(operation: Any, links: set[str], busy: str | None) -> Job:
    state = _state(operation, links)
    if state == CANCELLED and busy == str(operation.id):
        state = CANCELLING
    fraction, step = _progress(operation)
    params = dict(operation.context.params) if operation.context else {}
    for name in SECRET_PARAMETERS:
        params.pop(name, None)
    error = operation.result.error if operation.result else None
    gone = state == INTERRUPTED
    noted = operation.metadata or {}
    return Job(
        id=str(operation.id),
        operator=operation.operator.rpartition("/")[2],
        label=str(operation.label or operation.operator),
        state=state,
        fraction=1.0 if state == DONE else fraction,
        step=step,
        seconds_left=_seconds_left(operation, fraction) if state == RUNNING else None,
        problem=problem_of(error) if error and not gone else None,
        params=params,
        queued=_utc(operation.queued_at),
        ended=_utc(operation.completed_at or operation.failed_at),
        has_result=state == DONE and _result(operation) is not None,
        log=worker.log_file(str(operation.id)),
        well=bool(noted.get("reue_well", True)),
        shown=bool(noted.get("reue_shown")),
        cleared=_utc(noted.get("reue_cleared")),
        due=_begins(operation) if state in (WAITING, RUNNING) else None,
        untouched=_is_untouched(operation, state),
    )


def _state(operation: Any, links: set[str]) -> str:
    error = (operation.result.error if operation.result else None) or ""
    match str(operation.run_state):
        case "completed":
            return DONE
        case "failed":
            return CANCELLED if error.startswith(_CANCELLED) else FAILED
        case "running":
            return RUNNING if _is_alive(operation, links) else INTERRUPTED
        case _:
            return WAITING


def _is_alive(operation: Any, links: set[str]) -> bool:
    """Whether whatever runs an operation is still there; links are of our workers."""
    link = str(operation.run_link or "")
    if link.startswith(worker.LINK):
        return link in links
    reported = operation.status.updated_at if operation.status else None
    times = [reported, operation.updated_at, operation.started_at]
    known = [time for time in map(_utc, times) if time is not None]
    return bool(known) and datetime.now(UTC) - max(known) < SILENT


def _result(operation: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    schema = (operation.metadata or {}).get("outputs_schema")
    values = operation.result.result if operation.result else None
    return (schema, values) if schema and values else None


def _progress(operation: Any) -> tuple[float, str]:
    status = operation.status
    if status is None:
        return 0.0, ""
    return float(status.progress or 0.0), str(status.label or "")


def _seconds_left(operation: Any, fraction: float) -> float | None:
    started = _utc(operation.started_at)
    said = _utc(operation.status.updated_at) if operation.status else None
    if started is None or said is None or fraction < _LEAST_SHARE:
        return None
    took = (said - started).total_seconds()
    if took < _LEAST_SECONDS:
        return None
    since = (datetime.now(UTC) - said).total_seconds()
    return max(0.0, took * (1 - fraction) / fraction - since)


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
