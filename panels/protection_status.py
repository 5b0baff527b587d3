"""The panel that says how far a dataset is protected, for whom, and how well."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone import ViewField as F
from fiftyone.operators.categories import Categories

from fiftyone_reue.errors import ReueError, VaultError, WrongKeyError
from fiftyone_reue.install import fiftyone_version
from fiftyone_reue.names.display import count, printable
from fiftyone_reue.samples import jobs, list_published, views
from fiftyone_reue.samples.owner_key import owner_key_facts
from fiftyone_reue.samples.releases import shown_release
from fiftyone_reue.samples.shown_names import shown_names
from fiftyone_reue.samples.source import told_apart
from fiftyone_reue.samples.vaults import known_secrets, require_key

from . import audits, coverage, figures, holdings, layout
from .coverage import FAILED, PROTECTED, UNPROTECTED
from .jobs import JobsSection
from .releases import label_path, release_rows, runs_stamp, untold

PLUGIN = "@reue/fiftyone-reue"

MOST_CLASSES = 30
"""More classes than this are cut to those with the most left to do."""

_CHECK = "check_files"

_ICONS = {UNPROTECTED: "remove_moderator", FAILED: "report"}


class ProtectionStatus(JobsSection, foo.Panel):
    """Coverage, quality and releases of a dataset; every bar filters the grid."""

    @property
    def config(self) -> foo.PanelConfig:
        return foo.PanelConfig(
            name="protection_status",
            label="Protection status",
            icon="shield",
            category=Categories.ANALYZE,
            help_markdown=(
                "How much of this dataset has a protected copy, for whom, and how good "
                "the copies are. Click a bar to see its images."
            ),
        )

    # -- events

    def on_load(self, ctx: Any) -> None:
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        self.refresh(ctx)

    def on_change_view(self, ctx: Any) -> None:
        """Say how much of what the grid shows is protected."""
        if ctx.dataset is not None:
            ctx.panel.state.in_view = coverage.count_view(ctx.view)

    def follow(self, ctx: Any) -> None:
        """Look for news, also of runs that nobody began in this panel."""
        if ctx.dataset is None:
            return
        super().follow(ctx)
        ctx.dataset.reload()
        notice = _key_notice(ctx)
        state = ctx.panel.state
        # Names that recipients are shown by are read with the key.
        new_key = (state.key_known is None) != (notice[1] is None)
        if new_key or state.runs != runs_stamp(ctx.dataset):
            self.read_news(ctx)
        else:
            state.key_notice, state.key_known = notice

    def refresh(self, ctx: Any) -> None:
        """Count everything anew."""
        if ctx.dataset is None:
            return
        dataset = ctx.dataset
        dataset.reload()
        self.read_jobs(ctx)
        path = label_path(dataset)
        found = coverage.measure(dataset, path)
        classes = _most_to_do(found.classes)
        psnr = coverage.histogram(found.psnr)
        score = coverage.histogram(found.unlearnability, widest=1)
        shown = shown_release(dataset)
        names = shown_names(ctx.secret)
        rows = release_rows(dataset, shown, names)
        reasons = _reasons(dataset) if found.states[FAILED] else []
        ctx.panel.state.status = {
            "total": found.total,
            "slice": dataset.group_slice if dataset.media_type == "group" else None,
            "states": found.states,
            "label_path": path,
            "classes": list(classes),
            "all_classes": len(found.classes),
            "recipients": {names.of(own): own for own in found.recipients},
            "methods": list(found.methods),
            "psnr": psnr.edges,
            "unlearnability": score.edges,
            "releases": [row.release for row in rows],
            "shown": shown,
            "reasons": reasons,
        }
        ctx.panel.state.untold = untold(dataset, shown)
        ctx.panel.state.runs = runs_stamp(dataset)
        ctx.panel.state.in_view = coverage.count_view(ctx.view)
        ctx.panel.state.stale = _count_stale(dataset)
        ctx.panel.state.problem = None
        ctx.panel.state.key_notice, ctx.panel.state.key_known = _key_notice(ctx)
        colour = figures.COLOURS[PROTECTED]
        ctx.panel.data.classes = figures.coverage_bars(classes)
        handed = {names.of(own): n for own, n in found.recipients.items()}
        ctx.panel.data.recipients = figures.bars(handed, colour, "image")
        ctx.panel.data.methods = figures.bars(found.methods, colour, "image")
        ctx.panel.data.psnr = figures.histogram(psnr, colour, " dB")
        ctx.panel.data.unlearnability = figures.histogram(score, colour, "")
        held = holdings.holding_rows(dataset, names)
        ctx.panel.state.held = holdings.holdings_text(held)
        ctx.panel.data.holdings = layout.cells(row.to_dict() for row in held)
        ctx.panel.data.releases = layout.cells(row.to_dict() for row in rows)
        known = [row.release for row in rows]
        wanted = ctx.panel.state.audited
        self._open_audit(
            ctx, wanted if wanted in known else shown or next(iter(known), "")
        )

    def protect(self, ctx: Any) -> None:
        """Ask what to protect, for whom."""
        self._prompt(ctx, "protect_dataset", {})

    def preview(self, ctx: Any) -> None:
        """Ask how to preview what protecting would give."""
        self._prompt(ctx, "preview_protection", {})

    def check_files(self, ctx: Any) -> None:
        """Start a job that looks at every file: which copies are stale.

        One that is under way already is enough.
        """
        problem = None
        known = jobs.list_jobs(ctx.dataset)
        if not any(j.operator == _CHECK and j.state in jobs.OPEN for j in known):
            try:
                jobs.queue_on(ctx.dataset, f"{PLUGIN}/{_CHECK}", "Check files", {})
            except ReueError as error:
                problem = str(error)
        self.follow(ctx)
        ctx.panel.state.problem = problem

    def show_stale(self, ctx: Any) -> None:
        """Show what was stale when the files were last checked."""
        ctx.dataset.reload()
        if ctx.dataset.has_saved_view(views.STALE):
            ctx.ops.set_view(name=views.STALE)
        else:
            self.refresh(ctx)

    def mark(self, ctx: Any) -> None:
        """Ask what to tag and save as views."""
        self._prompt(ctx, "mark_samples", {})

    def show_state(self, ctx: Any) -> None:
        """Show the images of one state."""
        self._show(ctx, coverage.of_state(ctx.params["state"]))

    def show_all(self, ctx: Any) -> None:
        ctx.ops.clear_view()

    # -- bars

    def click_class(self, ctx: Any) -> None:
        status = ctx.panel.state.status
        label = figures.named(ctx.params["y"], status["classes"])
        state = ctx.params["trace"]
        of_class = coverage.of_class(status["label_path"], label)
        self._show(ctx, of_class & coverage.of_state(state))

    def click_recipient(self, ctx: Any) -> None:
        known = ctx.panel.state.status["recipients"]
        called = figures.named(ctx.params["y"], known)
        self._show(ctx, F(coverage.RECIPIENTS).contains(known[called]))

    def click_method(self, ctx: Any) -> None:
        known = ctx.panel.state.status["methods"]
        of_method = F(coverage.METHOD) == figures.named(ctx.params["y"], known)
        self._show(ctx, of_method & coverage.of_state(PROTECTED))

    def click_psnr(self, ctx: Any) -> None:
        self._show_bin(ctx, coverage.PSNR, "psnr")

    def click_unlearnability(self, ctx: Any) -> None:
        self._show_bin(ctx, coverage.UNLEARNABILITY, "unlearnability")

    def _show_bin(self, ctx: Any, path: str, edges: str) -> None:
        index = int(ctx.params["idx"])
        self._show(ctx, coverage.in_bin(path, ctx.panel.state.status[edges], index))

    def _show(self, ctx: Any, expression: Any) -> None:
        ctx.ops.set_view(ctx.dataset.match(expression))

    # -- the table

    def show_release(self, ctx: Any) -> None:
        self._prompt_release(ctx, "show_release")

    def score_release(self, ctx: Any) -> None:
        self._prompt_release(ctx, "score_unlearnability")

    def package_release(self, ctx: Any) -> None:
        self._prompt_release(ctx, "package_release")

    def license_release(self, ctx: Any) -> None:
        """Ask whom to license a row's release to, if it is published."""
        release = self._release_of_row(ctx)
        if release in list_published(ctx.dataset):
            self._prompt(ctx, "license_recipient", {"release": release})
        else:
            ctx.panel.state.problem = (
                f"Release {printable(release)} is one recipient's own, who needs no "
                "licence; publish the images to license them"
            )

    def publish(self, ctx: Any) -> None:
        """Ask what to publish."""
        self._prompt(ctx, "publish_dataset", {})

    def read_owner_key(self, ctx: Any) -> None:
        """Show what to know of the owner key, to be confirmed."""
        self._prompt(ctx, "confirm_owner_key", {})

    def recipients(self, ctx: Any) -> None:
        """Ask whom to add or revoke."""
        self._prompt(ctx, "manage_recipients", {})

    def delete_release(self, ctx: Any) -> None:
        self._prompt_release(ctx, "delete_release")

    def _prompt_release(self, ctx: Any, operator: str) -> None:
        self._prompt(ctx, operator, {"release": self._release_of_row(ctx)})

    def _release_of_row(self, ctx: Any) -> str:
        return ctx.panel.state.status["releases"][int(ctx.params["row"])]

    def _prompt(self, ctx: Any, operator: str, params: dict[str, Any]) -> None:
        ctx.prompt(
            f"{PLUGIN}/{operator}",
            params=params,
            on_success=self.refresh,
            on_error=self.failed,
        )

    def failed(self, ctx: Any) -> None:
        """Show an operator's error: the App shows none of what a panel prompts."""
        self.refresh(ctx)
        ctx.panel.state.problem = layout.first_line(ctx.params.get("error"))

    # -- the audit

    def choose_audit(self, ctx: Any) -> None:
        """Show how well another release holds."""
        self._open_audit(ctx, ctx.params["value"])

    def audit(self, ctx: Any) -> None:
        """Ask how to audit the release whose audit is shown."""
        self._prompt(ctx, "audit_release", {"release": ctx.panel.state.audited})

    def audit_release(self, ctx: Any) -> None:
        """Ask how to audit a row's release, and show its audit from now on."""
        self._open_audit(ctx, self._release_of_row(ctx))
        self.audit(ctx)

    def _open_audit(self, ctx: Any, release: str) -> None:
        found = audits.last_audit(ctx.dataset, release)
        ctx.panel.state.audited = release
        ctx.panel.state.last_audit = found[0].to_dict() if found else None
        rows = [row.to_dict() for row in found[1]] if found else []
        ctx.panel.data.audit = layout.cells(rows)

    # -- layout

    def render(self, ctx: Any) -> types.Property:
        panel = types.Object()
        status = ctx.panel.state.status
        if not status:
            layout.note(panel, "wait", "Counting ...")
            return layout.page(panel)
        if ctx.panel.state.problem:
            layout.alert(panel, "problem", "error", ctx.panel.state.problem)
        version = version_notice()
        if version:
            layout.alert(panel, "version", "warning", version)
        if ctx.panel.state.key_notice:
            first, _, rest = ctx.panel.state.key_notice.partition("\n")
            layout.alert(panel, "owner_key", "warning", first, rest)
        if ctx.panel.state.key_known is False:
            layout.alert(panel, "unconfirmed_key", "warning", _UNCONFIRMED)
            row = layout.buttons(panel, "key_actions")
            text = "Read and confirm"
            layout.button(row, "read_owner_key", text, self.read_owner_key, "vpn_key")
        self.render_jobs(panel, ctx.panel.state)
        self._render_status(panel, ctx)
        self.render_timers(panel, ctx.panel.state)
        return layout.page(panel)

    def _render_status(self, panel: types.Object, ctx: Any) -> None:
        status = ctx.panel.state.status
        if _is_untouched(status):
            self._render_empty(panel, status)
        else:
            state = ctx.panel.state
            self._render_summary(panel, status, state.stale, state.in_view)
            self._render_coverage(panel, status)
            self._render_releases(panel, status)
            layout.heading(panel, "holdings_title", "What went to whom")
            layout.note(panel, "holdings_text", ctx.panel.state.held)
            styles = _FOLDER_WRAPS
            layout.table(panel, "holdings", _HOLDING_COLUMNS, styles=styles)
            if status["releases"]:
                self._render_audit(panel, ctx.panel.state)
            self._render_quality(panel, status, ctx.panel.state.untold)

    def _render_empty(self, panel: types.Object, status: dict[str, Any]) -> None:
        layout.title(panel, "empty", "Nothing is protected yet")
        images = count(status["total"], "image")
        panel.md(_EMPTY.format(images=images), name="what")
        row = layout.buttons(panel, "actions")
        layout.button(
            row, "protect", "Protect images", self.protect, "shield", primary=True
        )
        layout.button(row, "preview", "Preview on eight", self.preview, "preview")

    def _render_summary(
        self,
        panel: types.Object,
        status: dict[str, Any],
        stale: int | None,
        in_view: dict[str, int] | None,
    ) -> None:
        layout.title(panel, "headline", _headline(status))
        if stale:
            layout.alert(panel, "stale_text", "warning", *_stale_text(stale))
        if in_view:
            layout.note(panel, "in_view", _view_text(in_view))
        row = layout.buttons(panel, "actions")
        layout.button(
            row, "protect", "Protect images", self.protect, "shield", primary=True
        )
        for state, icon in _ICONS.items():
            count = status["states"][state]
            if count:
                layout.button(
                    row,
                    f"show_{state}",
                    f"Show {count:,} {state}",
                    self.show_state,
                    icon,
                    params={"state": state},
                )
        if stale:
            text = f"Show {stale:,} stale"
            layout.button(row, "show_stale", text, self.show_stale, "history")
        layout.button(row, "all", "Show all", self.show_all, "apps")
        layout.button(row, "check", "Check files", self.check_files, "fact_check")
        layout.button(
            row, "mark", "Mark failed, stale, weak", self.mark, "bookmark_add"
        )
        layout.button(row, "refresh", "Refresh", self.refresh, "refresh")
        if status["reasons"]:
            layout.note(panel, "why", f"Failed: {'; '.join(status['reasons'])}")

    def _render_coverage(self, panel: types.Object, status: dict[str, Any]) -> None:
        classes = status["classes"]
        if classes:
            layout.heading(panel, "classes_title", "Coverage by class")
            if status["all_classes"] > len(classes):
                text = (
                    f"The {len(classes)} of {status['all_classes']} classes with the "
                    "most images left to protect"
                )
                layout.note(panel, "classes_note", text)
            layout.plot(
                panel,
                "classes",
                figures.rows_layout(len(classes), classes, legend=True),
                figures.rows_height(len(classes), legend=True),
                self.click_class,
            )
        most = max(len(status["recipients"]), len(status["methods"]))
        if not most:
            return
        halves = (
            ("recipients", "Handed out, by recipient", self.click_recipient),
            ("methods", "Copies shown, by method", self.click_method),
        )
        for name, text, _ in halves:
            layout.heading(panel, f"{name}_title", text, space=6)
        for name, _, click in halves:
            look = figures.rows_layout(most, status[name])
            height = figures.rows_height(most)
            layout.plot(panel, name, look, height, click, space=6)

    def _render_releases(self, panel: types.Object, status: dict[str, Any]) -> None:
        layout.heading(panel, "releases_title", "Releases")
        if not status["releases"]:
            layout.note(panel, "no_releases", "None: the runs were deleted")
            return
        actions = (
            ("show", "visibility", "Show this release", self.show_release),
            ("score", "science", "Measure its unlearnability", self.score_release),
            ("audit", "gavel", "Audit how well it holds", self.audit_release),
            ("package", "inventory_2", "Pack it to hand it over", self.package_release),
            ("license", "card_membership", "License it", self.license_release),
            ("delete", "delete", "Delete this release", self.delete_release),
        )
        layout.table(panel, "releases", _COLUMNS, actions, _NAMES_WRAP)
        self._render_sharing(panel)

    def _render_sharing(self, panel: types.Object) -> None:
        row = layout.buttons(panel, "sharing")
        text = "Publish for everybody"
        layout.button(row, "publish", text, self.publish, "public")
        layout.button(row, "recipients", "Recipients", self.recipients, "group")

    def _render_audit(self, panel: types.Object, state: Any) -> None:
        layout.heading(panel, "audit_title", "How well it holds")
        names, chosen, found = state.status["releases"], state.audited, state.last_audit
        if len(names) > 1:
            spoken = layout.spoken("The release whose audit is shown")
            choices = types.DropdownView(componentsProps=spoken)
            for name in names:
                choices.add_choice(name, label=printable(name))
            panel.enum(
                "audited",
                choices.values(),
                default=chosen,
                view=choices,
                on_change=self.choose_audit,
            )
        if found is None:
            layout.note(panel, "unaudited", _UNAUDITED.format(release=chosen))
        else:
            self._render_verdict(panel, found)
            styles = _level_styles(found["levels"])
            layout.table(panel, "audit", _AUDIT_COLUMNS, styles=styles)
            layout.note(panel, "audit_text", found["paragraph"])
            layout.note(panel, "audit_facts", _audit_facts(found))
        row = layout.buttons(panel, "audit_actions")
        text = "Audit again" if found else "Audit this release"
        layout.button(row, "audit", text, self.audit, "gavel")
        if found and found["link"]:
            text = "Open the report"
            layout.link_button(row, "report", text, found["link"], "open_in_new")

    def _render_verdict(self, panel: types.Object, found: dict[str, Any]) -> None:
        """The headline, and why the measurement can't be relied on, if it can't."""
        severity = "error" if found["doubts"] else found["severity"]
        text = " ".join([found["headline"], *found["doubts"]])
        layout.alert(panel, "audit_verdict", severity, text)

    def _render_quality(
        self, panel: types.Object, status: dict[str, Any], untold: str | None
    ) -> None:
        if status["psnr"]:
            layout.heading(panel, "psnr_title", "How visible the change is")
            layout.plot(
                panel,
                "psnr",
                figures.histogram_layout("PSNR in dB; higher is less visible"),
                "220px",
                self.click_psnr,
            )
        layout.heading(panel, "score_title", "How little can be learned")
        if not status["unlearnability"]:
            layout.note(panel, "unscored", _UNSCORED)
            return
        if untold:
            layout.note(panel, "untold", untold)
        layout.plot(
            panel,
            "unlearnability",
            figures.histogram_layout("unlearnability; 1 means nothing is learned"),
            "220px",
            self.click_unlearnability,
        )


_COLUMNS = (
    ("release", "Release"),
    ("recipient", "For"),
    ("method", "Method"),
    ("state", "State"),
    ("images", "Images"),
    ("psnr", "PSNR"),
    ("ssimulacra2", "Quality, of 100"),
    ("unlearnability", "Un-learn."),
    ("date", "Made"),
)
# Names may be long, and nine columns fit into a narrow panel only so.
_NAMES_WRAP: dict[str, dict[str, Any]] = {
    "& th": {"whiteSpace": "normal", "verticalAlign": "bottom"},
    "& td:nth-of-type(-n+2)": {"whiteSpace": "normal", "overflowWrap": "anywhere"},
    "& td:nth-of-type(2)": {
        "minWidth": 40,
        "maxWidth": 84,
        "overflowWrap": "break-word",
    },
    "& td:nth-of-type(4)": {"whiteSpace": "normal"},
}

_HOLDING_COLUMNS = (
    ("recipient", "Recipient"),
    ("release", "Release"),
    ("images", "Images"),
    ("begun", "Begun"),
    ("updated", "Changed"),
    ("key", "Key"),
    ("folder", "Folder"),
)
_FOLDER_WRAPS = {
    "& td:nth-of-type(-n+2)": {"whiteSpace": "normal", "overflowWrap": "anywhere"},
    "& td:nth-of-type(7)": {"whiteSpace": "normal", "overflowWrap": "anywhere"},
    "& td:nth-of-type(6)": {"whiteSpace": "normal"},
}

_EMPTY = """
Protecting makes a copy of this dataset's {images} for one recipient:

- a model that is trained on the copy does badly on real images
- whoever has the right key gets the exact pixels back
- a leaked copy can be traced to its recipient

Your own files and labels stay as they are.
"""

_UNCONFIRMED = (
    "You haven't confirmed yet that you know where the owner key is. Whoever has it "
    "can restore every original, and without it nobody can"
)

_UNSCORED = (
    "Not measured yet. “Measure its unlearnability”, in the menu beside a release, "
    "trains small models on it and on the originals, and compares them."
)


_AUDIT_COLUMNS = (
    ("countermeasure", "Countermeasure"),
    ("level", "The release"),
    ("copies", "Trained on copies"),
    ("originals", "On originals"),
    ("needs", "A thief needs"),
)
_LEVEL_COLUMN, _NEEDS_COLUMN = 2, 5

_UNAUDITED = (
    "{release} is not audited yet. An audit tries on its copies what a thief may do, "
    "trains models on the outcome, and says what breaks the protection."
)


def _level_styles(levels: list[str]) -> dict[str, dict[str, Any]]:
    """The colour of each row's level, and lines that break in the longest columns."""
    cell = "& tbody tr:nth-of-type({row}) td:nth-of-type({column})"
    coloured = {
        cell.format(row=row, column=_LEVEL_COLUMN): {
            # A bar: no colour of text can be read on both themes' backgrounds.
            "boxShadow": f"inset 3px 0 0 {figures.LEVEL_COLOURS[level]}",
            "fontWeight": 600,
        }
        for row, level in enumerate(levels, start=1)
    }
    breaking = {
        "& td:nth-of-type(1)": {"whiteSpace": "normal"},
        f"& td:nth-of-type({_NEEDS_COLUMN})": {
            "whiteSpace": "normal",
            "minWidth": "9em",
        },
    }
    return {**breaking, **coloured}


def _audit_facts(found: dict[str, Any]) -> str:
    since = (
        " The release was protected again since; audit it again if images were added."
        if found["since"]
        else ""
    )
    gone = "" if found["link"] else ", which is not there any more"
    return (
        f"Accuracy on images that no model saw. Audited {found['date']} UTC.{since} "
        f"Report: {found['report']}{gone}"
    )


def _headline(status: dict[str, Any]) -> str:
    total, states = status["total"], status["states"]
    share = states[PROTECTED] / total if total else 0.0
    images = f"{states[PROTECTED]:,} of {count(total, 'image')}"
    verb = "is" if 1 in (total, states[PROTECTED]) else "are"
    if status.get("slice"):
        images += f" of slice {status['slice']}"
    text = f"{images} {verb} protected ({share:.0%})"
    return f"{text} in release {status['shown']}" if status["shown"] else text


def _view_text(in_view: dict[str, int]) -> str:
    total, protected = in_view["total"], in_view[PROTECTED]
    if total == 1:
        state = "is protected" if protected else "isn't protected"
        return f"The grid shows 1 image, which {state}."
    return f"The grid shows {count(total, 'image')}, {protected:,} of them protected."


def _count_stale(dataset: Any) -> int:
    """How many samples were stale when the files were last checked."""
    if not dataset.has_saved_view(views.STALE):
        return 0
    return int(dataset.load_saved_view(views.STALE).count())


def _stale_text(stale: int) -> tuple[str, str]:
    was, them = ("was", "it") if stale == 1 else ("were", "them")
    return (
        f"{count(stale, 'image')} {was} stale when the files were last checked",
        f"Protect {them} again to mend this, then check again.",
    )


def version_notice() -> str | None:
    """What is to be said of FiftyOne's version, if it wasn't tested."""
    import fiftyone

    return fiftyone_version.problem(fiftyone.__version__)


def _key_notice(ctx: Any) -> tuple[str | None, bool | None]:
    """What is to be said of the owner key, and whether it was confirmed; None of one
    that isn't there, or is another vault's."""
    secrets = known_secrets(ctx.secret)
    try:
        require_key(secrets)
        facts = owner_key_facts(secrets)
    except (VaultError, WrongKeyError) as error:
        return str(error), None
    return facts.warning, facts.confirmed is not None


def _is_untouched(status: dict[str, Any]) -> bool:
    started = sum(status["states"][state] for state in (PROTECTED, FAILED))
    return not started and not status["releases"]


def _most_to_do(classes: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    if len(classes) <= MOST_CLASSES:
        return classes
    left = sorted(
        classes,
        key=lambda label: classes[label][UNPROTECTED] + classes[label][FAILED],
        reverse=True,
    )
    return {label: classes[label] for label in sorted(left[:MOST_CLASSES])}


def _reasons(dataset: Any, count: int = 3) -> list[str]:
    view = dataset.match(coverage.of_state(FAILED))
    files, reasons = view.limit(count).values(["filepath", "protection.error"])
    names = told_apart(files)
    told = [f"{n}: {why}" for n, why in zip(names, reasons, strict=True) if why]
    more = view.count() - len(files)
    return [*told, *([f"and {more:,} more"] if told and more > 0 else [])]
