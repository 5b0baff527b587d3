"""The panel that says how far a dataset is protected, for whom, and how well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone import ViewField as F
from fiftyone.operators.categories import Categories

from fiftyone_reue.errors import VaultError
from fiftyone_reue.names.display import printable
from fiftyone_reue.samples import find_stale
from fiftyone_reue.samples.vaults import SECRETS, key_notice

from . import audits, coverage, figures, layout
from .coverage import FAILED, PROTECTED, UNPROTECTED
from .releases import label_path, release_rows

PLUGIN = "@reue/fiftyone-reue"

MOST_CLASSES = 30
"""More classes than this are cut to those with the most left to do."""

_ICONS = {UNPROTECTED: "remove_moderator", FAILED: "report"}


class ProtectionStatus(foo.Panel):
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

    def refresh(self, ctx: Any) -> None:
        """Count everything anew."""
        if ctx.dataset is None:
            return
        dataset = ctx.dataset
        dataset.reload()
        path = label_path(dataset)
        found = coverage.measure(dataset, path)
        classes = _most_to_do(found.classes)
        psnr = coverage.histogram(found.psnr)
        score = coverage.histogram(found.unlearnability, widest=1)
        shown = _shown(dataset)
        rows = release_rows(dataset, shown)
        reasons = _reasons(dataset) if found.states[FAILED] else []
        ctx.panel.state.status = {
            "total": found.total,
            "states": found.states,
            "label_path": path,
            "classes": list(classes),
            "all_classes": len(found.classes),
            "recipients": list(found.recipients),
            "methods": list(found.methods),
            "psnr": psnr.edges,
            "unlearnability": score.edges,
            "releases": [row.release for row in rows],
            "reasons": reasons,
        }
        ctx.panel.state.stale = None
        ctx.panel.state.problem = None
        ctx.panel.state.key_notice = _key_notice(ctx)
        colour = figures.COLOURS[PROTECTED]
        ctx.panel.data.classes = figures.coverage_bars(classes)
        ctx.panel.data.recipients = figures.bars(found.recipients, colour, "images")
        ctx.panel.data.methods = figures.bars(found.methods, colour, "images")
        ctx.panel.data.psnr = figures.histogram(psnr, colour, " dB")
        ctx.panel.data.unlearnability = figures.histogram(score, colour, "")
        ctx.panel.data.releases = layout.cells(row.to_dict() for row in rows)
        names = [row.release for row in rows]
        wanted = ctx.panel.state.audited
        self._open_audit(
            ctx, wanted if wanted in names else shown or next(iter(names), "")
        )

    def protect(self, ctx: Any) -> None:
        """Ask what to protect, for whom."""
        self._prompt(ctx, "protect_dataset", {})

    def check_files(self, ctx: Any) -> None:
        """Look at every file: which copies are stale."""
        stale = find_stale(ctx.dataset)
        ctx.panel.state.stale = {
            "checked": ctx.panel.state.status["states"][PROTECTED],
            "changed": len(stale.changed),
            "missing": len(stale.missing),
        }
        if stale.ids:
            ctx.dataset.save_view(
                STALE_VIEW,
                ctx.dataset.select(stale.ids),
                description="The original or its class changed, or the copy is missing",
                overwrite=True,
            )
        elif ctx.dataset.has_saved_view(STALE_VIEW):
            ctx.dataset.delete_saved_view(STALE_VIEW)

    def show_stale(self, ctx: Any) -> None:
        ctx.ops.set_view(ctx.dataset.load_saved_view(STALE_VIEW))

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
        name = figures.named(ctx.params["y"], known)
        self._show(ctx, F(coverage.RECIPIENTS).contains(name))

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
        ctx.panel.state.audit = found[0].to_dict() if found else None
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
        if ctx.panel.state.key_notice:
            layout.alert(panel, "owner_key", "warning", ctx.panel.state.key_notice)
        if _is_untouched(status):
            self._render_empty(panel, status)
        else:
            self._render_summary(panel, status, ctx.panel.state.stale)
            self._render_coverage(panel, status)
            self._render_releases(panel, status)
            if status["releases"]:
                self._render_audit(panel, ctx.panel.state)
            self._render_quality(panel, status)
        return layout.page(panel)

    def _render_empty(self, panel: types.Object, status: dict[str, Any]) -> None:
        layout.title(panel, "empty", "Nothing is protected yet")
        panel.md(_EMPTY.format(total=status["total"]), name="what")
        row = layout.buttons(panel, "actions")
        layout.button(
            row, "protect", "Protect images", self.protect, "shield", primary=True
        )

    def _render_summary(
        self, panel: types.Object, status: dict[str, Any], stale: dict[str, Any] | None
    ) -> None:
        layout.title(panel, "headline", _headline(status))
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
                    f"Show {count} {state}",
                    self.show_state,
                    icon,
                    params={"state": state},
                )
        layout.button(row, "all", "Show all", self.show_all, "apps")
        layout.button(row, "check", "Check files", self.check_files, "fact_check")
        layout.button(row, "refresh", "Refresh", self.refresh, "refresh")
        if stale is not None:
            layout.note(panel, "stale_text", _stale_text(stale))
            if stale["changed"] or stale["missing"]:
                row = layout.buttons(panel, "stale_actions")
                layout.button(
                    row, "show_stale", "Show these", self.show_stale, "history"
                )
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
                figures.rows_layout(len(classes), legend=True),
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
            look, height = figures.rows_layout(most), figures.rows_height(most)
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
            ("delete", "delete", "Delete this release", self.delete_release),
        )
        layout.table(panel, "releases", _COLUMNS, actions)

    def _render_audit(self, panel: types.Object, state: Any) -> None:
        layout.heading(panel, "audit_title", "How well it holds")
        names, chosen, found = state.status["releases"], state.audited, state.audit
        if len(names) > 1:
            choices = types.DropdownView()
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

    def _render_quality(self, panel: types.Object, status: dict[str, Any]) -> None:
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
        layout.plot(
            panel,
            "unlearnability",
            figures.histogram_layout("unlearnability; 1 means nothing is learned"),
            "220px",
            self.click_unlearnability,
        )


STALE_VIEW = "reue_stale"

_COLUMNS = (
    ("release", "Release"),
    ("recipient", "For"),
    ("method", "Method"),
    ("state", "State"),
    ("images", "Images"),
    ("psnr", "PSNR"),
    ("unlearnability", "Unlearn."),
    ("date", "Made"),
)

_EMPTY = """
Protecting makes a copy of this dataset's {total} images for one recipient:

- a model that is trained on the copy does badly on real images
- whoever has the right key gets the exact pixels back
- a leaked copy can be traced to its recipient

Your own files and labels stay as they are.
"""

_UNSCORED = (
    "Not measured yet. The flask beside a release trains small models on it and on "
    "the originals, and compares them."
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
    """The colour of each row's level, and room for long words in the last column."""
    cell = "& tbody tr:nth-of-type({row}) td:nth-of-type({column})"
    coloured = {
        cell.format(row=row, column=_LEVEL_COLUMN): {
            "color": figures.LEVEL_COLOURS[level],
            "fontWeight": 600,
        }
        for row, level in enumerate(levels, start=1)
    }
    return {f"& td:nth-of-type({_NEEDS_COLUMN})": {"whiteSpace": "normal"}, **coloured}


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
    return f"{states[PROTECTED]} of {total} images are protected ({share:.0%})"


def _stale_text(stale: dict[str, Any]) -> str:
    checked = f"Checked {stale['checked']} files"
    if not stale["changed"] and not stale["missing"]:
        return f"{checked}: every copy is there and up to date."
    found = [
        f"{stale[kind]} {text}"
        for kind, text in (
            ("changed", "originals changed, or their class, after they were protected"),
            ("missing", "protected files are missing or damaged"),
        )
        if stale[kind]
    ]
    return f"{checked}: {', '.join(found)}. Protect them again to mend this."


def _key_notice(ctx: Any) -> str | None:
    values = {name: ctx.secret(name) for name in SECRETS}
    try:
        return key_notice({name: value for name, value in values.items() if value})
    except VaultError as error:
        return str(error)


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


def _shown(dataset: Any) -> str | None:
    if not dataset.has_field("protection.release"):
        return None
    view = dataset.match(coverage.of_state(PROTECTED)).limit(1)
    names = view.values("protection.release")
    return names[0] if names else None


def _reasons(dataset: Any, count: int = 3) -> list[str]:
    view = dataset.match(coverage.of_state(FAILED)).limit(count)
    files, reasons = view.values(["filepath", "protection.error"])
    return [
        f"{Path(file).name}: {reason}"
        for file, reason in zip(files, reasons, strict=True)
        if reason
    ]
