"""The section of a panel that lists jobs: progress, estimate, cancel, log, result."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count, duration, markdown, printable
from fiftyone_reue.samples import jobs, worker
from fiftyone_reue.samples.jobs import (
    CANCELLED,
    CANCELLING,
    DONE,
    FAILED,
    INTERRUPTED,
    RUNNING,
    WAITING,
    Job,
)
from fiftyone_reue.samples.shown_names import ShownNames, shown_names

from . import layout

PLUGIN = worker.PLUGIN

BUSY_MS, QUIET_MS = 2500, layout.QUIET_MS
"""How long after an answer a panel looks for news again: while a job goes on, and
otherwise."""

_TOO_LATE = "it had come to its end; nothing was cancelled"

_NO_LOG = "This job has no log on this machine."

MOST_SHOWN = 5
LOG_LINES = 30

_PATIENCE = timedelta(seconds=30)
"""A worker starts within that; a job that waits longer has none."""

_JUST = timedelta(seconds=30)
"""A job that ended within that may have begun since a panel last looked."""

_SEVERITY = {
    FAILED: "error",
    CANCELLED: "info",
    INTERRUPTED: "warning",
    DONE: "success",
}


class JobsSection:
    """What a panel that lists jobs inherits; it refreshes itself when one has ended.

    A panel gives ``refresh``, which reads everything anew, and may name in ``listed``
    the operators whose jobs it lists.
    """

    listed: Sequence[str] | None = None

    shown_at_once: Sequence[str] = ("preview_protection",)
    """Operators whose result is what somebody waits for: it opens by itself."""

    def refresh(self, ctx: Any) -> None:
        """Read everything anew."""
        raise NotImplementedError

    # -- events

    def read_jobs(self, ctx: Any) -> None:
        """Put the jobs into the panel's state."""
        found = self._jobs(ctx)
        listed = _listed(found)
        log_of = ctx.panel.state.log_of
        names = shown_names(ctx.secret)
        rows = [_row(job, names, log=job.id == log_of) for job in listed]
        ctx.panel.state.jobs = rows
        ctx.panel.state.more_jobs = len(found) - len(listed)
        jobs.forget_cleared()
        cleared = self._wanted(jobs.list_cleared(ctx.dataset))
        ctx.panel.state.cleared = [job.id for job in cleared]

    def follow(self, ctx: Any) -> None:
        """Look for news; what a job changed is read anew once it has ended."""
        ctx.panel.state.looks = (ctx.panel.state.looks or 0) + 1
        if ctx.dataset is None:
            return
        before = {row["id"]: row["state"] for row in ctx.panel.state.jobs or []}
        self.read_jobs(ctx)
        over = [row for row in ctx.panel.state.jobs if row["state"] not in jobs.OPEN]
        new = [row for row in over if row["id"] not in before]
        ended = [row for row in over if before.get(row["id"]) in jobs.OPEN]
        if ended or new:
            self.read_news(ctx)
        self._open_results(ctx)
        # Reloading has the App ask anew, and a panel that lost its state takes all jobs
        # for new: so only for what was seen to end, or began and ended since.
        if ended or any(row["just_ended"] for row in new):
            ctx.ops.reload_dataset()
            # Else the grid keeps samples without fields that are new.
            ctx.ops.reload_samples()

    def read_news(self, ctx: Any) -> None:
        """Read everything anew, and leave standing what somebody may be reading."""
        problem = ctx.panel.state.problem
        self.refresh(ctx)
        ctx.panel.state.problem = problem

    def _open_results(self, ctx: Any) -> None:
        """Open, once, what somebody waits for; it may have ended before any look."""
        for row in ctx.panel.state.jobs:
            waited = row["just_ended"] and row["has_result"] and not row["shown"]
            if waited and row["operator"] in self.shown_at_once:
                jobs.note_shown(row["id"])
                self._show_result(ctx, row["id"])

    def cancel_job(self, ctx: Any) -> None:
        """Cancel or undo a job, and say so before anything is read anew.

        On a busy machine that takes seconds; what came of it the next look tells.
        """
        wanted, state = ctx.params["job"], ctx.panel.state
        rows = state.jobs or []
        state.problem = None
        if jobs.cancel(wanted):
            state.looks = (state.looks or 0) + 1
            now = {"state": CANCELLING, "stranded": False}
            state.jobs = [row | now if row["id"] == wanted else row for row in rows]
        else:
            told = [row["label"] for row in rows if row["id"] == wanted]
            state.problem = f"{told[0] if told else 'This job'}: {_TOO_LATE}"
            self.follow(ctx)

    def clear_job(self, ctx: Any) -> None:
        """List a job that has ended no more."""
        jobs.clear(ctx.params["job"])
        self.read_jobs(ctx)

    def clear_jobs(self, ctx: Any) -> None:
        """List all jobs that have ended no more."""
        for job in self._jobs(ctx):
            if job.state not in jobs.OPEN:
                jobs.clear(job.id)
        self.read_jobs(ctx)

    def undo_clear(self, ctx: Any) -> None:
        """List again what was closed within the last minute."""
        for job_id in ctx.panel.state.cleared or []:
            # What went meanwhile isn't listed again.
            with contextlib.suppress(InputError):
                jobs.bring_back(job_id)
        self.read_jobs(ctx)

    def repeat_job(self, ctx: Any) -> None:
        """Open a job's form again, with all that was filled in."""
        job = jobs.get_job(ctx.params["job"])
        if job is None:
            return
        ctx.prompt(f"{PLUGIN}/{job.operator}", params=dict(job.params))

    def toggle_log(self, ctx: Any) -> None:
        """Show a job's log, or hide it again."""
        wanted = ctx.params["job"]
        ctx.panel.state.log_of = None if ctx.panel.state.log_of == wanted else wanted
        self.read_jobs(ctx)

    def show_result(self, ctx: Any) -> None:
        """Show what a job's operator shows at its end."""
        self._show_result(ctx, ctx.params["job"])

    def _show_result(self, ctx: Any, job_id: str) -> None:
        found = jobs.result_of(job_id)
        if found is not None:
            schema, values = found
            ctx.trigger("show_output", {"outputs": schema, "results": values})

    def start_worker(self, ctx: Any) -> None:
        worker.ensure()
        self.read_jobs(ctx)

    def _jobs(self, ctx: Any) -> list[Job]:
        return self._wanted(jobs.list_jobs(ctx.dataset))

    def _wanted(self, found: list[Job]) -> list[Job]:
        if self.listed is None:
            return found
        return [job for job in found if job.operator in self.listed]

    # -- layout

    def render_jobs(self, panel: types.Object, state: Any) -> None:
        """The section, if there is any job."""
        rows = state.jobs or []
        if rows:
            layout.heading(panel, "jobs_title", "Jobs")
        for number, row in enumerate(rows):
            self._render_job(panel, f"job_{number}", row, state.log_of)
        self._render_rest(panel, rows, state.more_jobs)
        self._render_cleared(panel, state.cleared or [])

    def render_timers(self, panel: types.Object, state: Any) -> None:
        """What looks for news; see :func:`layout.timers`."""
        busy = any(row["state"] in jobs.OPEN for row in state.jobs or [])
        wait = BUSY_MS if busy else QUIET_MS
        layout.timers(panel, self.follow, state.looks or 0, wait)

    def _render_job(
        self, panel: types.Object, name: str, row: dict[str, Any], log_of: str | None
    ) -> None:
        if row["state"] in jobs.OPEN:
            layout.note(panel, name, _open_text(row))
            if row["state"] == RUNNING:
                layout.progress(panel, f"{name}_bar", row["fraction"])
            if row["stranded"]:
                text = "No worker runs, so this job waits"
                more = f"Start one here, or run `{worker.COMMAND}` in a terminal"
                layout.alert(panel, f"{name}_stranded", "warning", text, more)
        else:
            well = row["state"] != DONE or row["well"]
            severity = _SEVERITY[row["state"]] if well else "warning"
            layout.alert(panel, name, severity, *self._ended_text(row))
        buttons = layout.buttons(panel, f"{name}_actions")
        params = {"job": row["id"]}
        for key, label, click, icon in self._actions(row):
            layout.button(buttons, f"{name}_{key}", label, click, icon, params=params)
        if log_of == row["id"]:
            # An answer that was on its way when the log was asked for has none yet.
            waits = "Reading the log ..." if row["log"] is None else _NO_LOG
            lines = row["log"] or [waits]
            # The App's view of code needs a network that leads to jsdelivr.net.
            panel.md(markdown("\n".join(lines)), name=f"{name}_log")

    def _ended_text(self, row: dict[str, Any]) -> tuple[str, str]:
        """What became of a job: a line, and what there is to add."""
        return _ended_text(row)

    def _actions(self, row: dict[str, Any]) -> list[tuple[str, str, Any, str]]:
        if row["state"] in jobs.OPEN:
            undo = row["untouched"]
            text, icon = ("Undo", "undo") if undo else ("Cancel", "cancel")
            offered = [("cancel", text, self.cancel_job, icon)]
            if row["state"] == CANCELLING:
                offered = []
            if row["stranded"]:
                start = ("start", "Start a worker", self.start_worker, "play_arrow")
                offered.insert(0, start)
        else:
            offered = [("clear", "Close", self.clear_job, "close")]
            if row["state"] != DONE and not _is_undone(row):
                goes_on = row["state"] != FAILED and _goes_on(row)
                text = "Go on" if goes_on else "Try again"
                offered.insert(0, ("repeat", text, self.repeat_job, "replay"))
            if row["has_result"]:
                result = ("result", "Show the result", self.show_result, "visibility")
                offered.insert(0, result)
        return [*offered, ("log", "Log", self.toggle_log, "subject")]

    def _render_rest(
        self, panel: types.Object, rows: list[dict[str, Any]], more: int | None
    ) -> None:
        ended = [row for row in rows if row["state"] not in jobs.OPEN]
        if more:
            layout.note(panel, "more_jobs", f"And {more} earlier")
        if len(ended) > 1 or more:
            buttons = layout.buttons(panel, "jobs_actions")
            text = "Close all that ended"
            layout.button(buttons, "clear_jobs", text, self.clear_jobs, "clear_all")

    def _render_cleared(self, panel: types.Object, cleared: list[str]) -> None:
        """What can be listed again; for a minute."""
        if cleared:
            text = f"Closed {count(len(cleared), 'job')}; gone for good in a minute"
            layout.note(panel, "cleared", text)
            row = layout.buttons(panel, "cleared_actions")
            layout.button(row, "undo_clear", "Undo", self.undo_clear, "undo")


def _listed(found: Sequence[Job]) -> list[Job]:
    """All that aren't at their end, since they can be cancelled or undone; then the
    newest of the others."""
    going = [job for job in found if job.state in jobs.OPEN]
    ended = [job for job in found if job.state not in jobs.OPEN]
    return going + ended[: max(0, MOST_SHOWN - len(going))]


def _row(job: Job, names: ShownNames, *, log: bool) -> dict[str, Any]:
    """A job as a panel's state holds it; nothing of what it was given."""
    lines = jobs.read_log(job, LOG_LINES) if log else []
    now = datetime.now(UTC)
    waited = job.queued and now - job.queued > _PATIENCE
    return {
        "id": job.id,
        "operator": job.operator,
        "label": printable(names.told(job.label)),
        "state": job.state,
        "fraction": job.fraction,
        "step": printable(names.told(job.step), lines=True),
        "left": None if job.seconds_left is None else duration(job.seconds_left),
        "has_result": job.has_result,
        "well": job.well,
        "shown": job.shown,
        "just_ended": job.ended is not None and now - job.ended < _JUST,
        "due": job.due and job.due.timestamp(),
        "untouched": job.untouched,
        "problem": job.problem and printable(names.told(job.problem), lines=True),
        "stranded": bool(job.state == WAITING and waited and worker.state() is None),
        "log": [printable(line) for line in lines] if log else None,
    }


def _is_undone(row: dict[str, Any]) -> bool:
    """Whether it was to delete, and was cancelled before it began."""
    return bool(row["state"] == CANCELLED and row["untouched"])


def _goes_on(row: dict[str, Any]) -> bool:
    """Whether what a stopped job finished is kept, so that it needs the rest alone."""
    return row["operator"] in (*jobs.RESUMABLE, *jobs.UNDOABLE)


def _stopped_text(row: dict[str, Any]) -> str:
    """What is left of a job that did not come to its end."""
    if row["operator"] in jobs.UNDOABLE:
        return "Part of it was deleted; go on to delete the rest."
    if _goes_on(row):
        return "What was finished is kept; go on to make the rest."
    return "It has no result; try again to begin anew."


def _open_text(row: dict[str, Any]) -> str:
    if row["state"] == CANCELLING:
        undone = "undone" if row["untouched"] else "cancelled"
        return f"{row['label']}: being {undone} ..."
    left = math.ceil((row["due"] or 0) - time.time())
    if left > 0:
        return f"{row['label']}: begins in {left} s; undo it until then"
    if row["state"] == WAITING:
        return f"{row['label']}: waits for its turn"
    parts = [f"{row['fraction']:.0%}", row["step"]]
    if row["left"]:
        parts.append(f"{row['left']} left")
    return f"{row['label']}: " + " · ".join(part for part in parts if part)


def _ended_text(row: dict[str, Any]) -> tuple[str, str]:
    match row["state"]:
        case state if state == DONE:
            first, rest = _parted(row["step"])
            return first or f"{row['label']}: done", rest
        case state if state == CANCELLED and _is_undone(row):
            return f"{row['label']}: undone, nothing was deleted", ""
        case state if state == CANCELLED:
            return f"{row['label']}: cancelled", _stopped_text(row)
        case state if state == INTERRUPTED:
            text = f"Its process ended. {_stopped_text(row)}"
            return f"{row['label']}: interrupted", text
        case _:
            first, rest = _parted(row["problem"] or "It failed; see its log")
            return f"{row['label']}: {first}", rest


def _parted(text: str) -> tuple[str, str]:
    """The first line, and the others, which need no indent in a box of their own."""
    first, *rest = text.splitlines() or [""]
    return first, "\n".join(line.strip() for line in rest)
