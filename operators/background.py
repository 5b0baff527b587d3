"""Forms start jobs: what takes long goes on without the page that asked for it."""

from __future__ import annotations

from typing import Any

from fiftyone_reue.errors import ReueError
from fiftyone_reue.names.display import printable

from . import confirming

STATUS_PANEL = "protection_status"
LEAK_PANEL = "leak_check"


def wanted(ctx: Any) -> bool:
    """Whether this execution is to start a job, and isn't one itself.

    It is if the App asked for it; a call from Python waits.
    """
    return asked_by_page(ctx) and not ctx.delegated


def asked_by_page(ctx: Any) -> bool:
    """Whether the App asked for this execution: it always says how its panels lie."""
    return ctx.request_params.get("spaces") is not None


def start(
    ctx: Any,
    uri: str,
    label: str,
    *,
    needs_code: bool = False,
    panel: str = STATUS_PANEL,
) -> list[Any]:
    """Start a job and open the panel that lists it.

    What keeps it from being started is listed as well, as a job that failed: there it
    stays, with what was filled in, until somebody closes it.

    Args:
        ctx: of the execution that the form asked for.
        uri: the operator's.
        label: what the job does, for a person.
        needs_code: whether the owner has to have confirmed it.
        panel: what to open.

    Returns:
        What a generator has to yield.
    """
    from fiftyone_reue.samples import jobs

    action = uri.rpartition("/")[2]
    try:
        confirming.exchange(ctx, action, needed=needs_code)
        jobs.queue(ctx, uri, label)
    except ReueError as error:
        confirming.drop(ctx)
        jobs.note_failure(ctx, uri, label, str(error))
        message, variant = str(error).splitlines()[0], "error"
    else:
        message, variant = f"{label}: started", "info"
        if action in jobs.UNDOABLE:
            message = f"{label}: begins in a minute; undo it above, among the jobs"
    return [
        ctx.ops.open_panel(panel, layout="horizontal"),
        ctx.ops.notify(printable(message), variant=variant),
    ]


def job_started(ctx: Any) -> bool:
    """Whether what is to be shown is only that a job was started: nothing, then."""
    return bool((ctx.results or {}).get(STARTED))


STARTED = "job_started"
