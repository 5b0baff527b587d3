"""The panel that says whose copy suspect images were made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.categories import Categories

from fiftyone_reue.errors import ReueError
from fiftyone_reue.names.display import count
from fiftyone_reue.samples import checks as case_file
from fiftyone_reue.samples import jobs, worker
from fiftyone_reue.samples.extract import KEPT_IMAGES
from fiftyone_reue.samples.shown_names import ShownNames, shown_names
from fiftyone_reue.samples.vaults import known_secrets, require_key

from . import checks, figures, layout
from .jobs import JobsSection
from .releases import runs_stamp

_EXTRACT = f"{worker.PLUGIN}/extract_watermark"
_LABEL = "Trace leaked images"

GRID = "grid"
SELECTED = "selected"
FOLDER = "folder"

HERE = "here"
ELSEWHERE = "elsewhere"

SHOWN = "shown"
ROW = "row"
"""Where a check was deleted, which is where it can be brought back."""

PAGE = 4
"""Pairs on a page."""

MOST_COMPARED = 20
"""Suspects that differ between two checks, of which so many are listed."""

BARS = 8
"""Recipients in the figure; the table has more."""


class LeakCheckPanel(JobsSection, foo.Panel):
    """Suspects in, verdict out: with the evidence, and the pairs behind it."""

    listed = ("extract_watermark",)

    @property
    def config(self) -> foo.PanelConfig:
        return foo.PanelConfig(
            name="leak_check",
            label="Leak check",
            icon="policy",
            category=Categories.ANALYZE,
            help_markdown=(
                "Says from whose copy suspect images were made: protected or restored "
                "ones, also after resizing, compression, flips or quarter turns."
            ),
        )

    # -- events

    def on_load(self, ctx: Any) -> None:
        state = ctx.panel.state
        state.choice = state.choice or {"suspects": GRID, "folder": ""}
        state.problem = state.compared = None
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        self.on_load(ctx)

    def choose(self, ctx: Any) -> None:
        """Lay the form out anew, with or without the folder's field."""
        ctx.panel.state.problem = None

    def start(self, ctx: Any) -> None:
        """Start a job that checks the suspects."""
        state = ctx.panel.state
        choice = state.choice or {}
        state.problem = _problem(ctx, choice)
        if state.problem is not None:
            return
        try:
            require_key(known_secrets(ctx.secret))
            jobs.queue_on(_suspects(ctx, choice), _EXTRACT, _LABEL, _params(choice))
        except ReueError as error:
            state.problem = str(error)
        self.follow(ctx)

    def refresh(self, ctx: Any) -> None:
        """Show the newest check."""
        if ctx.dataset is None:
            return
        self.read_jobs(ctx)
        self._open_newest(ctx)

    def follow(self, ctx: Any) -> None:
        """Look for news, also of checks that nobody began in this panel and of what
        recipients are called, and whether it is too late to undo a deletion."""
        super().follow(ctx)
        if ctx.dataset is None:
            return
        ctx.dataset.reload()
        if ctx.panel.state.runs != runs_stamp(ctx.dataset):
            self._look_again(ctx)
        elif ctx.panel.state.deleted:
            self._list_deleted(ctx)

    def _look_again(self, ctx: Any) -> None:
        """Show what is new; without a newer check, the one that was shown, as it is
        now."""
        state = ctx.panel.state
        before, shown = state.past_keys or [], state.check and state.check["key"]
        known = self._list(ctx)
        if shown in state.past_keys and known[0].key in before:
            self._open_key(ctx, shown)
        elif known:
            self._open(ctx, known[0])
        else:
            state.check = None

    def schedule(self, ctx: Any) -> None:
        """Run the operator instead, with its form and what was typed so far."""
        params = _params(ctx.panel.state.choice or {})
        ctx.prompt(_EXTRACT, params=params, on_success=self.follow)

    def open_check(self, ctx: Any) -> None:
        """Show a past check."""
        self._open_key(ctx, self._key_of_row(ctx))

    # -- the case file

    def save_about(self, ctx: Any) -> None:
        """Keep the name and the notes of the check that is shown."""
        state = ctx.panel.state
        about = state.about or {}
        key = state.check["key"]
        texts = {name: about.get(name) or "" for name in ("name", "notes")}
        self._do(ctx, lambda: case_file.annotate_check(ctx.dataset, key, **texts))
        if state.problem is None:
            self._list(ctx)
            self._open_key(ctx, key)
            ctx.ops.notify("Saved the name and the notes", variant="success")

    def delete_shown(self, ctx: Any) -> None:
        """Delete the check that is shown."""
        self._delete(ctx, ctx.panel.state.check["key"], SHOWN)

    def delete_row(self, ctx: Any) -> None:
        """Delete a row's check."""
        self._delete(ctx, self._key_of_row(ctx), ROW)

    def undo_delete(self, ctx: Any) -> None:
        """Bring back what was deleted last."""
        key = ctx.params["check"]
        self._do(ctx, lambda: case_file.undelete_check(ctx.dataset, key))
        self._list(ctx)
        self._open_key(ctx, key)

    def compare_row(self, ctx: Any) -> None:
        """Say what changed between a row's check and the one that is shown."""
        state = ctx.panel.state
        key, other = sorted(
            (self._key_of_row(ctx), state.check["key"]),
            key=state.past_keys.index,
            reverse=True,
        )
        if key == other:
            state.compared = {"text": _COMPARE_ITSELF, "same": True}
            ctx.panel.data.changed_scores = ctx.panel.data.changed_suspects = []
            return
        found = case_file.compare_checks(ctx.dataset, key, other)
        names = shown_names(ctx.secret)
        listed = checks.list_checks(ctx.dataset, names)
        known = {check.key: check for check in listed}
        state.compared = {
            "title": f"From {known[key].called()} to {known[other].called()}",
            "text": found.text(),
            "same": found.same_verdict,
            "before": f"{known[key].called()}: {names.told(found.before)}",
            "after": f"{known[other].called()}: {names.told(found.after)}",
            "suspects": len(found.changed) + len(found.added) + len(found.removed),
        }
        ctx.panel.data.changed_scores = layout.cells(
            _score_row(one, names) for one in found.scores
        )
        rows = self._suspect_rows(ctx, found)
        ctx.panel.data.changed_suspects = layout.cells(rows[:MOST_COMPARED])

    def close_comparison(self, ctx: Any) -> None:
        ctx.panel.state.compared = None

    def write_report(self, ctx: Any) -> None:
        """Ask where to write the case of the check that is shown: it is made anew."""
        check = ctx.panel.state.check
        params: dict[str, Any] = {"case_dir": ""}
        if checks.are_samples(check):
            images = [
                row["image"] for row in checks.findings(ctx.dataset, check["key"])
            ]
            if len(images) < KEPT_IMAGES:
                view = ctx.dataset.select(images)
            else:  # the run doesn't list all of them
                view = ctx.dataset.load_run_view(check["key"])
            ctx.ops.set_view(view)
            params["view_target"] = "CURRENT_VIEW"
        else:
            params["folder"] = checks.folder_of(check)
        ctx.prompt(_EXTRACT, params=params, on_success=self.follow)

    def _suspect_rows(
        self, ctx: Any, found: case_file.ChecksCompared
    ) -> list[dict[str, str]]:
        """The suspects that differ, by their files' names where they are samples."""
        changed = [(one.image, one.before, one.after) for one in found.changed]
        changed += [(image, "–", "new") for image in found.added]
        changed += [(image, "not there any more", "–") for image in found.removed]
        names = checks.names_of(ctx.dataset, [row[0] for row in changed])
        return [
            {"suspect": names.get(image, image), "before": before, "after": after}
            for image, before, after in changed
        ]

    def _delete(self, ctx: Any, key: str, place: str) -> None:
        state = ctx.panel.state
        state.deleted_at = place
        self._do(ctx, lambda: case_file.delete_check(ctx.dataset, key))
        state.compared = None
        shown = state.check["key"] if state.check else None
        self._list(ctx)
        if shown is not None and shown in state.past_keys:
            self._open_key(ctx, shown)
        else:
            self._open_newest(ctx)

    def _do(self, ctx: Any, change: Callable[[], None]) -> None:
        """Change something; what is wrong is shown."""
        ctx.panel.state.problem = None
        try:
            change()
        except ReueError as error:
            ctx.panel.state.problem = str(error)

    def _key_of_row(self, ctx: Any) -> str:
        return str(ctx.panel.state.past_keys[int(ctx.params["row"])])

    def _open_key(self, ctx: Any, key: str) -> None:
        listed = checks.list_checks(ctx.dataset, shown_names(ctx.secret))
        known = {check.key: check for check in listed}
        if key in known:
            self._open(ctx, known[key])

    def _open_newest(self, ctx: Any) -> None:
        known = self._list(ctx)
        if known:
            self._open(ctx, known[0])
        else:
            ctx.panel.state.check = None

    def _list(self, ctx: Any) -> list[checks.Check]:
        """List the checks that there are, newest first."""
        state = ctx.panel.state
        ctx.dataset.reload()
        state.runs = runs_stamp(ctx.dataset)
        self._list_deleted(ctx)
        known = checks.list_checks(ctx.dataset, shown_names(ctx.secret))
        state.past_keys = [check.key for check in known]
        ctx.panel.data.past = layout.cells(
            {
                "date": check.date,
                "name": check.called(),
                "suspects": check.suspects,
                "outcome": check.outcome(),
            }
            for check in known
        )
        return known

    def _list_deleted(self, ctx: Any) -> None:
        case_file.forget_deleted(ctx.dataset)
        ctx.panel.state.deleted = case_file.deleted_checks(ctx.dataset)

    def _open(self, ctx: Any, check: checks.Check) -> None:
        shown = ctx.panel.state.check
        if not shown or shown["key"] != check.key:
            # Else what somebody is typing would be lost.
            ctx.panel.state.about = {"name": check.name, "notes": check.notes}
        found = checks.findings(ctx.dataset, check.key)
        bars = _bars(check)
        ctx.panel.state.check = {
            **check.to_dict(),
            "bars": [bar["recipient"] or figures.INNOCENT for bar in bars[:BARS]],
            "images": len(found),
            "originals": _whereabouts(ctx.dataset, _original_ids(found)),
            "reports": checks.reports(check.case),
        }
        ctx.panel.data.evidence = figures.evidence_bars(bars, check.named, BARS)
        ctx.panel.data.recipients = layout.cells(
            {
                "recipient": _who(bar, check),
                "z": f"{bar['z']:.1f}",
                "p_value": chance(bar["p_value"]),
            }
            for bar in bars
        )
        self._turn_to(ctx, found, 0)

    # -- pairs

    def next_page(self, ctx: Any) -> None:
        self._turn(ctx, 1)

    def previous_page(self, ctx: Any) -> None:
        self._turn(ctx, -1)

    def _turn(self, ctx: Any, by: int) -> None:
        state = ctx.panel.state
        found = checks.findings(ctx.dataset, state.check["key"])
        self._turn_to(ctx, found, state.page + by)

    def _turn_to(self, ctx: Any, found: list[dict[str, Any]], page: int) -> None:
        state = ctx.panel.state
        matched = checks.matches(found)
        pages = max(1, -(-len(matched) // PAGE))
        page = min(max(page, 0), pages - 1)
        state.page, state.pages = page, pages
        rows = matched[page * PAGE : (page + 1) * PAGE]
        suspects = state.check["suspects"]
        shown = checks.pairs(ctx.dataset, suspects, rows)
        state.pairs = [asdict(pair) for pair in shown]

    # -- the grid

    def show_used(self, ctx: Any) -> None:
        """Show the suspects that went into the evidence."""
        found = checks.findings(ctx.dataset, ctx.panel.state.check["key"])
        used = [row["image"] for row in found if row.get("used")]
        ctx.ops.set_view(ctx.dataset.select(used))

    def show_originals(self, ctx: Any) -> None:
        """Show the originals' samples, which are in this dataset."""
        found = checks.findings(ctx.dataset, ctx.panel.state.check["key"])
        ctx.ops.set_view(ctx.dataset.select(_original_ids(found)))

    def go_to_originals(self, ctx: Any) -> None:
        """Go to the dataset that has the originals, which isn't this one."""
        found = checks.findings(ctx.dataset, ctx.panel.state.check["key"])
        ids = _original_ids(found)
        home = checks.home_of(ids)
        if home is None:
            text = "The originals' samples are in no dataset any more"
            ctx.ops.notify(text, variant="warning")
            return
        home.save_view(
            ORIGINALS_VIEW,
            home.select(ids),
            description="Originals that suspects of a leak check matched",
            overwrite=True,
        )
        ctx.ops.open_dataset(home.name)
        # The App can't be sent to a view of a dataset that it is only about to open.
        text = f"They are this dataset's saved view {ORIGINALS_VIEW}"
        ctx.ops.notify(text, variant="info")

    # -- layout

    def render(self, ctx: Any) -> types.Property:
        panel = types.Object()
        state = ctx.panel.state
        layout.title(panel, "title", "Whose copy are these images?")
        self._render_choice(panel, state)
        self.render_jobs(panel, state)
        if state.problem:
            first, _, rest = state.problem.partition("\n")
            layout.alert(panel, "problem", "error", first, rest)
        if state.check:
            if state.problem:
                layout.heading(panel, "before", "The last check that worked")
            self._render_check(panel, state)
            if state.deleted_at != ROW:
                self._render_deleted(panel, state)
            self._render_pairs(panel, state)
            self._render_about(panel, state)
            self._render_compared(panel, state)
            self._render_past(panel, state)
        else:
            panel.md(_EMPTY, name="empty")
            self._render_deleted(panel, state)
        self.render_timers(panel, state)
        return layout.page(panel)

    def _ended_text(self, row: dict[str, Any]) -> tuple[str, str]:
        """A check's verdict stands below, and once is enough."""
        if row["state"] == jobs.DONE:
            return _LISTED, ""
        return super()._ended_text(row)

    def _render_choice(self, panel: types.Object, state: Any) -> None:
        choice = state.choice or {"suspects": GRID}
        form = types.Object()
        options = types.RadioGroup(orientation="horizontal")
        options.add_choice(GRID, label="Images in the grid")
        options.add_choice(SELECTED, label="Selected images")
        options.add_choice(FOLDER, label="A folder")
        form.enum(
            "suspects",
            options.values(),
            default=GRID,
            view=options,
            on_change=self.choose,
        )
        if choice.get("suspects") == FOLDER:
            form.str(
                "folder",
                view=types.TextFieldView(
                    placeholder="Folder or file on the App's machine: /data/suspects"
                ),
            )
        panel.define_property("choice", form)
        row = layout.buttons(panel, "actions")
        layout.button(
            row,
            "check",
            "Check",
            self.start,
            "policy",
            primary=True,
        )
        layout.button(row, "schedule", "With options", self.schedule, "tune")

    def _render_check(self, panel: types.Object, state: Any) -> None:
        check = state.check
        severity = "warning" if check["named"] or check["undecided"] else "info"
        layout.alert(panel, "verdict", severity, *_verdict(check))
        layout.note(panel, "facts", _facts(check))
        if check["used"]:
            bars = check["bars"]
            layout.heading(panel, "evidence_title", "Evidence")
            layout.plot(
                panel,
                "evidence",
                figures.evidence_layout(bars, check["needed_z"]),
                figures.rows_height(len(bars)),
                None,
            )
            layout.table(panel, "recipients", _COLUMNS, styles=_WRAPS)
            layout.note(panel, "decoy", _DECOY)
        row = layout.buttons(panel, "show")
        if check["used"] and checks.are_samples(check):
            layout.button(
                row, "used", "Show used suspects", self.show_used, "image_search"
            )
        if check["originals"] == HERE:
            text, show = "Show the originals", self.show_originals
        else:
            text, show = "Go to the originals", self.go_to_originals
        if check["originals"]:
            layout.button(row, "originals", text, show, "image")
        for number, (label, address) in enumerate(check["reports"].items()):
            layout.link_button(row, f"report_{number}", label, address, "open_in_new")
        if check["matched"]:
            text = "Write the report anew" if check["reports"] else "Write a report"
            layout.button(row, "write_report", text, self.write_report, "description")
        layout.button(row, "delete", "Delete this check", self.delete_shown, "delete")

    def _render_pairs(self, panel: types.Object, state: Any) -> None:
        if not state.pairs:
            return
        layout.heading(panel, "suspect_title", "Suspect", space=6)
        layout.heading(panel, "original_title", "Original", space=6)
        for index, pair in enumerate(state.pairs):
            which = f"{index + 1} of {len(state.pairs)}"
            layout.image(
                panel, f"suspect_{index}", pair["suspect"], f"Suspect {which}", space=6
            )
            if pair["original"]:
                alt = f"Original of suspect {which}"
                layout.image(panel, f"original_{index}", pair["original"], alt, space=6)
            else:
                text = "The original's file isn't where it was"
                layout.note(panel, f"original_{index}", text, space=6)
            layout.note(panel, f"caption_{index}", pair["caption"])
        if state.pages > 1:
            row = layout.buttons(panel, "pages")
            layout.button(
                row,
                "previous",
                "Previous",
                self.previous_page,
                "chevron_left",
                disabled=state.page == 0,
            )
            layout.button(
                row,
                "next",
                "Next",
                self.next_page,
                "chevron_right",
                disabled=state.page + 1 >= state.pages,
            )
            text = f"Page {state.page + 1} of {state.pages}"
            layout.note(panel, "page", text)

    def _render_deleted(self, panel: types.Object, state: Any) -> None:
        """What can be brought back; for a minute."""
        for number, key in enumerate(state.deleted or []):
            text = f"Deleted check {key.rpartition('_')[2]}; gone for good in a minute"
            layout.note(panel, f"deleted_{number}", text)
            row = layout.buttons(panel, f"deleted_actions_{number}")
            params = {"check": key}
            layout.button(row, "undo", "Undo", self.undo_delete, "undo", params=params)

    def _render_about(self, panel: types.Object, state: Any) -> None:
        layout.heading(panel, "about_title", "Name and notes of this check")
        form = types.Object()
        name = types.TextFieldView(placeholder="A name, such as: forum, May")
        form.str("name", view=name, label="Name")
        notes = types.TextFieldView(
            placeholder="Where it was found, who told, what was done",
            multiline=True,
            rows=3,
        )
        form.str("notes", view=notes, label="Notes")
        panel.define_property("about", form)
        row = layout.buttons(panel, "about_actions")
        layout.button(row, "save_about", "Save", self.save_about, "save")

    def _render_compared(self, panel: types.Object, state: Any) -> None:
        found = state.compared
        if not found:
            return
        layout.heading(panel, "compared_title", "What changed")
        severity = "info" if found["same"] else "warning"
        if "before" not in found:
            layout.alert(panel, "compared", severity, found["text"])
        else:
            layout.alert(panel, "compared", severity, found["title"], found["text"])
            layout.note(panel, "compared_before", found["before"])
            layout.note(panel, "compared_after", found["after"])
            layout.table(panel, "changed_scores", _SCORE_COLUMNS, styles=_WRAPS)
            if found["suspects"]:
                table = "changed_suspects"
                layout.table(panel, table, _SUSPECT_COLUMNS, styles=_ALL_WRAP)
            if found["suspects"] > MOST_COMPARED:
                text = f"And {count(found['suspects'] - MOST_COMPARED, 'more suspect')}"
                layout.note(panel, "compared_more", text)
        row = layout.buttons(panel, "compared_actions")
        text = "Close the comparison"
        layout.button(row, "close_comparison", text, self.close_comparison, "close")

    def _render_past(self, panel: types.Object, state: Any) -> None:
        here = bool(state.deleted) and state.deleted_at == ROW
        if len(state.past_keys) < 2 and not here:
            return
        layout.heading(panel, "past_title", "Checks so far")
        if here:
            self._render_deleted(panel, state)
        actions = (
            ("open", "visibility", "Show this check", self.open_check),
            ("compare", "compare_arrows", "Compare with the shown", self.compare_row),
            ("delete", "delete", "Delete this check", self.delete_row),
        )
        layout.table(panel, "past", _PAST_COLUMNS, actions, _PAST_WRAPS)


ORIGINALS_VIEW = "reue_leaked_originals"

_COLUMNS = (
    ("recipient", "Copy of"),
    ("z", "Evidence Z"),
    ("p_value", "Chance by accident, at most"),
)

_PAST_COLUMNS = (
    ("date", "When (UTC)"),
    ("name", "Name"),
    ("suspects", "Suspects"),
    ("outcome", "Verdict"),
)

_SCORE_COLUMNS = (
    ("recipient", "Copy of"),
    ("z_before", "Z before"),
    ("z_after", "Z after"),
    ("p_before", "Chance before"),
    ("p_after", "Chance after"),
)

_BREAKS = {"whiteSpace": "normal", "overflowWrap": "anywhere"}
# Names, and what somebody calls a check, may be long.
_WRAPS = {"& td:nth-of-type(1)": _BREAKS}
_ALL_WRAP = {"& td": _BREAKS}
_PAST_WRAPS = {"& td:nth-of-type(n+2)": _BREAKS}

_SUSPECT_COLUMNS = (
    ("suspect", "Suspect"),
    ("before", "Before"),
    ("after", "After"),
)

_LISTED = "Trace leaked images: done, and listed with the checks below"

_COMPARE_ITSELF = "This check is the one that is shown; compare it with another"

_EMPTY = """
Load images that you found somewhere as a dataset, or name their folder, and press
*Check*. They are matched to the originals in your vault, and their marks are read:

- protected and restored copies both work, also resized, compressed, cropped, turned
  or mirrored
- a few images are often enough, more make it surer
- nobody is named unless the chance of an accident is below one in a million
"""

_DECOY = (
    "The best innocent is the best of a thousand codes that nobody was ever given, and "
    "of everybody who isn't named. An accusation should stand far above it."
)


def chance(p_value: float) -> str:
    """A probability for a person."""
    return f"{p_value:.2g}"


def _score_row(one: case_file.ChangedScore, names: ShownNames) -> dict[str, str]:
    return {
        "recipient": names.of(one.recipient),
        "z_before": "–" if one.z_before is None else f"{one.z_before:.1f}",
        "z_after": "–" if one.z_after is None else f"{one.z_after:.1f}",
        "p_before": "–" if one.p_before is None else chance(one.p_before),
        "p_after": "–" if one.p_after is None else chance(one.p_after),
    }


def _params(choice: dict[str, Any]) -> dict[str, Any]:
    """Of the operator that checks."""
    if choice.get("suspects") != FOLDER:
        return {}
    return {"folder": (choice.get("folder") or "").strip()}


def _suspects(ctx: Any, choice: dict[str, Any]) -> Any:
    """The samples to check; with a folder, the dataset that keeps the verdict."""
    match choice.get("suspects"):
        case state if state == FOLDER:
            return ctx.dataset
        case state if state == SELECTED:
            return ctx.dataset.select(ctx.selected)
        case _:
            return ctx.view


def _problem(ctx: Any, choice: dict[str, Any]) -> str | None:
    suspects = choice.get("suspects")
    if suspects == SELECTED and not ctx.selected:
        return "Nothing is selected; tick some images in the grid first"
    if suspects == FOLDER and not (choice.get("folder") or "").strip():
        return "Type the folder of the suspects first"
    if suspects == FOLDER and not Path(choice["folder"].strip()).expanduser().exists():
        folder = choice["folder"].strip()
        return f"{folder}: there is no such file or folder; check the path"
    return None


def _original_ids(found: list[dict[str, Any]]) -> list[str]:
    return [row["original_sample"] for row in found if row.get("original_sample")]


def _whereabouts(dataset: Any, sample_ids: list[str]) -> str | None:
    """Whether the originals' samples are in the dataset that has the suspects."""
    if not sample_ids:
        return None
    return HERE if dataset.select(sample_ids).limit(1).count() else ELSEWHERE


def _bars(check: checks.Check) -> list[dict[str, Any]]:
    """Who is named, or the likeliest one, then the best innocent, then the others."""
    innocent = {
        "recipient": None,
        "p_value": check.best_innocent_p,
        "z": check.best_innocent_z,
    }
    accused = sum(bool(bar.get("named")) for bar in check.recipients) or 1
    return [*check.recipients[:accused], innocent, *check.recipients[accused:]]


def _who(bar: dict[str, Any], check: checks.Check) -> str:
    name = bar["recipient"]
    if name is None:
        return "the best innocent"
    named = bar.get("named", name == check.named)
    return f"{name} (named)" if named else str(name)


def _verdict(check: dict[str, Any]) -> tuple[str, str]:
    if check["published"]:
        title = "Derived from what was published for everybody"
    elif check["named"]:
        whose = checks.copies_of(check["named"], check.get("recipients") or [])
        title = f"Derived from the {whose}"
    elif check["undecided"]:
        title = "Undecided"
    elif check["matched"]:
        title = "No decision"
    else:
        title = "No match"
    return title, check["verdict"]


def _facts(check: dict[str, Any]) -> str:
    match = "matches" if check["matched"] == 1 else "match"
    unread = f" · {check['failed']} unreadable" if check["failed"] else ""
    joined = ""
    if check.get("joined"):
        joined = f", {check['joined']} of them joined from several suspects"
    unaided = ""
    if check.get("unaided"):
        unaided = f" · {check['unaided']} read without the original, which is gone"
    if check.get("unread"):
        looks = "looks" if check["unread"] == 1 else "look"
        unaided += f" · {check['unread']} {looks} like one that is gone, no mark read"
    return (
        f"{check['suspects']}, {check['date']} UTC: "
        f"{count(check['images'], 'suspect')} · "
        f"{check['matched']} {match} an original · "
        f"{count(check['used'], 'original')} weighed{joined}{unaided}{unread}"
    )
