"""The panel that says whose copy suspect images were made from."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.categories import Categories

from fiftyone_reue.errors import ReueError
from fiftyone_reue.progress import Progress
from fiftyone_reue.samples import extract_steps, open_vault
from fiftyone_reue.samples.extract import extract_folder_steps
from fiftyone_reue.samples.vaults import SECRETS
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION

from . import checks, figures, jobs, layout

PLUGIN = "@reue/fiftyone-reue"

GRID = "grid"
SELECTED = "selected"
FOLDER = "folder"

HERE = "here"
ELSEWHERE = "elsewhere"

PAGE = 4
"""Pairs on a page."""

BARS = 8
"""Recipients in the figure; the table has more."""


class LeakCheckPanel(foo.Panel):
    """Suspects in, verdict out: with the evidence, and the pairs behind it."""

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
        state.problem = None
        self.follow(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        self.on_load(ctx)

    def choose(self, ctx: Any) -> None:
        """Lay the form out anew, with or without the folder's field."""
        ctx.panel.state.problem = None

    def start(self, ctx: Any) -> None:
        """Say that the check runs, then run it as an event of its own."""
        state = ctx.panel.state
        state.problem = _problem(ctx, state.choice or {})
        if state.problem is None:
            state.busy = "Starting ..."
            ctx.prompt(self.method_to_uri("run"), skip_prompt=True)

    def run(self, ctx: Any) -> None:
        """Check the suspects; what goes wrong is shown, not raised."""
        state = ctx.panel.state
        key = _job(ctx)
        if jobs.begin(key, "Opening the vault"):
            try:
                jobs.run(key, _steps(ctx, state.choice or {}))
                ctx.ops.reload_dataset()
            except ReueError as error:
                state.problem = str(error)
            finally:
                jobs.end(key)
        self.follow(ctx)

    def follow(self, ctx: Any) -> None:
        """Show how far the check is, or once it is done the newest one."""
        ctx.panel.state.busy = jobs.label(_job(ctx))
        if ctx.panel.state.busy is None:
            self._open_newest(ctx)

    def schedule(self, ctx: Any) -> None:
        """Run the operator instead, with its form: for many suspects."""
        ctx.prompt(f"{PLUGIN}/extract_watermark", on_success=self.on_load)

    def open_check(self, ctx: Any) -> None:
        """Show a past check."""
        key = ctx.panel.state.past[int(ctx.params["row"])]
        known = {check.key: check for check in checks.list_checks(ctx.dataset)}
        if key in known:
            self._open(ctx, known[key])

    def _open_newest(self, ctx: Any) -> None:
        state = ctx.panel.state
        if ctx.dataset is None:
            return
        ctx.dataset.reload()
        known = checks.list_checks(ctx.dataset)
        state.past = [check.key for check in known]
        ctx.panel.data.past = layout.cells(
            {
                "date": check.date,
                "suspects": check.suspects,
                "outcome": check.outcome(),
            }
            for check in known
        )
        if known:
            self._open(ctx, known[0])
        else:
            state.check = None

    def _open(self, ctx: Any, check: checks.Check) -> None:
        found = checks.findings(ctx.dataset, check.key)
        ctx.panel.state.check = {
            **check.to_dict(),
            "images": len(found),
            "originals": _whereabouts(ctx.dataset, _original_ids(found)),
        }
        bars = _bars(check)
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
        if state.busy:
            layout.note(panel, "busy", state.busy)
            panel.view("timer", types.TimerView(interval=1000, on_interval=self.follow))
            return layout.page(panel)
        if state.problem:
            first, _, rest = state.problem.partition("\n")
            layout.alert(panel, "problem", "error", first, rest)
        if state.check:
            if state.problem:
                layout.heading(panel, "before", "The last check that worked")
            self._render_check(panel, state)
            self._render_pairs(panel, state)
            self._render_past(panel, state)
        else:
            panel.md(_EMPTY, name="empty")
        return layout.page(panel)

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
            "Checking ..." if state.busy else "Check",
            self.start,
            "policy",
            primary=True,
            disabled=bool(state.busy),
        )
        layout.button(row, "schedule", "With options", self.schedule, "tune")

    def _render_check(self, panel: types.Object, state: Any) -> None:
        check = state.check
        severity = "warning" if check["named"] or check["undecided"] else "info"
        layout.alert(panel, "verdict", severity, *_verdict(check))
        layout.note(panel, "facts", _facts(check))
        if check["used"]:
            bars = min(len(check["recipients"]) + 1, BARS)
            layout.heading(panel, "evidence_title", "Evidence")
            layout.plot(
                panel,
                "evidence",
                figures.evidence_layout(
                    bars, figures.z_of(FALSE_ACCUSATION, check["tested"])
                ),
                figures.rows_height(bars),
                None,
            )
            layout.table(panel, "recipients", _COLUMNS)
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

    def _render_pairs(self, panel: types.Object, state: Any) -> None:
        if not state.pairs:
            return
        layout.heading(panel, "suspect_title", "Suspect", space=6)
        layout.heading(panel, "original_title", "Original", space=6)
        for index, pair in enumerate(state.pairs):
            layout.image(panel, f"suspect_{index}", pair["suspect"], space=6)
            if pair["original"]:
                layout.image(panel, f"original_{index}", pair["original"], space=6)
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

    def _render_past(self, panel: types.Object, state: Any) -> None:
        if len(state.past) < 2:
            return
        layout.heading(panel, "past_title", "Checks so far")
        actions = (("open", "visibility", "Show this check", self.open_check),)
        layout.table(panel, "past", _PAST_COLUMNS, actions)


ORIGINALS_VIEW = "reue_leaked_originals"

_COLUMNS = (
    ("recipient", "Copy of"),
    ("z", "Evidence Z"),
    ("p_value", "Chance by accident, at most"),
)

_PAST_COLUMNS = (
    ("date", "When (UTC)"),
    ("suspects", "Suspects"),
    ("outcome", "Verdict"),
)

_EMPTY = """
Load images that you found somewhere as a dataset, or name their folder, and press
*Check*. They are matched to the originals in your vault, and their marks are read:

- protected and restored copies both work, also resized, compressed, flipped or
  turned by quarters; crops aren't matched yet
- a few images are often enough, more make it surer
- nobody is named unless the chance of an accident is below one in a million
"""

_DECOY = (
    "The best innocent is the best of a thousand codes that nobody was ever given, and "
    "of everybody but the first. An accusation should stand far above it."
)


def chance(p_value: float) -> str:
    """A probability for a person."""
    return f"{p_value:.2g}" if p_value >= 0.001 else f"{p_value:.0e}"


def _job(ctx: Any) -> str:
    return "leak check " + ("" if ctx.dataset is None else str(ctx.dataset._doc.id))


def _steps(ctx: Any, choice: dict[str, Any]) -> Generator[Progress, None, Any]:
    secrets = {name: ctx.secret(name) for name in SECRETS}
    vault = open_vault(
        {name: text for name, text in secrets.items() if text}, create=False
    )
    if choice.get("suspects") == FOLDER:
        folder = choice["folder"].strip()
        return extract_folder_steps(folder, dataset=ctx.dataset, vault=vault)
    if choice.get("suspects") == SELECTED:
        return extract_steps(ctx.dataset.select(ctx.selected), vault=vault)
    return extract_steps(ctx.view, vault=vault)


def _problem(ctx: Any, choice: dict[str, Any]) -> str | None:
    suspects = choice.get("suspects")
    if suspects == SELECTED and not ctx.selected:
        return "Nothing is selected; tick some images in the grid first"
    if suspects == FOLDER and not (choice.get("folder") or "").strip():
        return "Type the folder of the suspects first"
    return None


def _original_ids(found: list[dict[str, Any]]) -> list[str]:
    return [row["original_sample"] for row in found if row.get("original_sample")]


def _whereabouts(dataset: Any, sample_ids: list[str]) -> str | None:
    """Whether the originals' samples are in the dataset that has the suspects."""
    if not sample_ids:
        return None
    return HERE if dataset.select(sample_ids).limit(1).count() else ELSEWHERE


def _bars(check: checks.Check) -> list[dict[str, Any]]:
    """The likeliest recipients, and after the first one the best innocent."""
    innocent = {
        "recipient": None,
        "p_value": check.best_innocent_p,
        "z": figures.z_of(check.best_innocent_p, check.tested),
    }
    return [*check.recipients[:1], innocent, *check.recipients[1:]]


def _who(bar: dict[str, Any], check: checks.Check) -> str:
    name = bar["recipient"]
    if name is None:
        return "the best innocent"
    return f"{name} (named)" if name == check.named else str(name)


def _verdict(check: dict[str, Any]) -> tuple[str, str]:
    if check["named"]:
        title = f"Derived from the copy of {check['named']}"
    elif check["undecided"]:
        title = "Undecided"
    elif check["matched"]:
        title = "No decision"
    else:
        title = "No match"
    return title, check["verdict"]


def _facts(check: dict[str, Any]) -> str:
    unread = f" · {check['failed']} unreadable" if check["failed"] else ""
    return (
        f"{check['suspects']}, {check['date']} UTC: {check['images']} suspects · "
        f"{check['matched']} match an original · {check['used']} used{unread}"
    )
