"""The panel that lays a sample's copies beside its original."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.categories import Categories

from fiftyone_reue.errors import ReueError
from fiftyone_reue.samples import compare, fields
from fiftyone_reue.samples.copy_facts import copy_facts
from fiftyone_reue.samples.shown_names import shown_names
from fiftyone_reue.stores.address import is_url

from . import layout

SHOW_MEDIA = "@reue/fiftyone-reue/show_media"
"""The operator in `javascript/page.js`, which alone reaches what a page shows."""

PLACES = {
    "top left": (0.0, 0.0),
    "top": (0.5, 0.0),
    "top right": (1.0, 0.0),
    "left": (0.0, 0.5),
    "middle": (0.5, 0.5),
    "right": (1.0, 0.5),
    "bottom left": (0.0, 1.0),
    "bottom": (0.5, 1.0),
    "bottom right": (1.0, 1.0),
}
"""Where to look when enlarged: across and down, 0 to 1."""

_PICTURES = (
    ("original", "Original"),
    ("copy", "Copy"),
    ("difference", "Difference, amplified"),
    ("flicker", "In turn: what flickers was changed"),
)


class ComparePanel(foo.Panel):
    """Original, copy, difference and both in turn, of the sample that is open."""

    @property
    def config(self) -> foo.PanelConfig:
        return foo.PanelConfig(
            name="compare_copies",
            label="Compare copies",
            icon="compare",
            category=Categories.ANALYZE,
            surfaces="grid modal",
            help_markdown=(
                "The protected, restored or revealed copy of a sample beside its "
                "original, and whose copy it is: of the open sample, or the one that "
                "is selected in the grid."
            ),
        )

    # -- events

    def on_load(self, ctx: Any) -> None:
        state = ctx.panel.state
        state.choice = state.choice or {
            "kind": "protected",
            "zoom": "1",
            "place": "middle",
            "amplify": "8",
        }
        self.refresh(ctx)

    def on_change_current_sample(self, ctx: Any) -> None:
        self.refresh(ctx)

    def on_change_selected(self, ctx: Any) -> None:
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        self.refresh(ctx)

    def follow(self, ctx: Any) -> None:
        """Look whether the sample, its copies or whose they are became others."""
        state = ctx.panel.state
        state.looks = (state.looks or 0) + 1
        if ctx.dataset is not None and state.stamp != _stamp(ctx, state.sample):
            self.refresh(ctx)

    def next_sample(self, ctx: Any) -> None:
        self._turn(ctx, 1)

    def previous_sample(self, ctx: Any) -> None:
        self._turn(ctx, -1)

    def _turn(self, ctx: Any, by: int) -> None:
        """Show another one of those that are selected."""
        files = _files(ctx)
        if files:
            ids, now = list(files), ctx.panel.state.sample
            at = ids.index(now) if now in files else -by
            ctx.panel.state.sample = ids[(at + by) % len(ids)]
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Compare anew."""
        state = ctx.panel.state
        state.shown = state.problem = state.about = None
        files = {} if ctx.dataset is None else _files(ctx)
        ids = list(files)
        last = ids[-1] if ids else None
        # Whoever selects one more wants to see that.
        if state.sample not in files or last != state.last:
            state.sample = last
        state.last = last
        if ctx.dataset is None:
            return
        state.stamp = _stamp(ctx, state.sample)
        if state.sample is None:
            return
        state.about = {
            "name": Path(files[state.sample]).name,
            "at": ids.index(state.sample) + 1,
            "of": len(ids),
        }
        try:
            self._compare(ctx, state.sample, state.choice)
        except ReueError as error:
            state.problem = str(error)

    def _compare(self, ctx: Any, sample_id: str, choice: dict[str, Any]) -> None:
        state = ctx.panel.state
        copies = compare.copies_of(ctx.dataset, sample_id)
        state.kinds = list(copies)
        if not copies:
            state.problem = "This sample has no copy yet; protect it first"
            return
        kind = choice["kind"] if choice.get("kind") in copies else state.kinds[0]
        # Else the list shows nothing, or what isn't shown below it.
        state.choice = {**choice, "kind": kind}
        across, down = PLACES[choice["place"]]
        found = compare.compare(
            ctx.dataset[sample_id].filepath,
            copies[kind],
            zoom=int(choice["zoom"]),
            across=across,
            down=down,
            amplify=int(choice["amplify"]),
        )
        pictures = asdict(found)
        # Pictures are data, which isn't sent back with every event as the state is.
        for name in (*dict(_PICTURES), "whole"):
            setattr(ctx.panel.data, name, pictures.pop(name))
        facts = []
        if kind == "protected":
            facts = copy_facts(ctx.dataset, sample_id, shown_names(ctx.secret))
        ctx.panel.data.facts = layout.cells(asdict(fact) for fact in facts)
        state.shown = {
            "kind": kind,
            "whole": found.whole is not None,
            "facts": bool(facts),
            **pictures,
        }

    def show_originals(self, ctx: Any) -> None:
        """Show originals in the grid and in the open sample."""
        self._switch(ctx, "filepath")

    def show_copies(self, ctx: Any) -> None:
        """Show copies of the chosen kind in the grid and in the open sample."""
        self._switch(ctx, compare.COPIES[ctx.panel.state.shown["kind"]])

    def _switch(self, ctx: Any, field: str) -> None:
        ctx.trigger(SHOW_MEDIA, {"field": field})

    # -- layout

    def render(self, ctx: Any) -> types.Property:
        panel = types.Object()
        state = ctx.panel.state
        if state.about:
            self._render_about(panel, state.about)
        if state.problem:
            layout.alert(panel, "problem", "info", state.problem)
        elif not state.shown:
            text = "Open a sample, or select one in the grid, to compare its copies."
            layout.note(panel, "empty", text)
        else:
            self._render_choice(panel, state)
            self._render_pictures(panel, state.shown)
        layout.timers(panel, self.follow, state.looks or 0)
        return layout.page(panel)

    def _render_about(self, panel: types.Object, about: dict[str, Any]) -> None:
        """Which sample it is, and the way to the others that are selected."""
        if about["of"] == 1:
            layout.note(panel, "about", about["name"])
            return
        text = f"{about['name']}: {about['at']:,} of {about['of']:,} that are selected"
        layout.note(panel, "about", text)
        row = layout.buttons(panel, "turn")
        before, after = "chevron_left", "chevron_right"
        layout.button(row, "previous", "Previous", self.previous_sample, before)
        layout.button(row, "next", "Next", self.next_sample, after)

    def _render_choice(self, panel: types.Object, state: Any) -> None:
        form = types.Object()
        # Of twelve columns, as many as the longest value needs in half a narrow window.
        choices = (
            ("kind", "Compare with", state.kinds, 4),
            ("zoom", "Zoom", compare.ZOOMS, 2),
            ("place", "Where", tuple(PLACES), 4),
            ("amplify", "Amplify", compare.AMPLIFICATIONS, 2),
        )
        for name, label, values, space in choices:
            spoken = layout.spoken(label)
            view = types.DropdownView(label=label, space=space, componentsProps=spoken)
            for value in values:
                view.add_choice(str(value), label=str(value))
            form.enum(name, view.values(), view=view, on_change=self.refresh)
        panel.define_property("choice", form)
        row = layout.buttons(panel, "actions")
        text = "Originals in the grid"
        layout.button(row, "originals", text, self.show_originals, "image")
        text = f"{state.shown['kind'].capitalize()} copies in the grid"
        layout.button(row, "copies", text, self.show_copies, "shield")

    def _render_pictures(self, panel: types.Object, found: dict[str, Any]) -> None:
        if found["whole"]:
            layout.note(
                panel, "sizes", "The files' sizes differ; they lie side by side."
            )
            shown = [("original", "Original"), ("whole", found["kind"].capitalize())]
        else:
            shown = list(_PICTURES)
            layout.note(panel, "changed", _changed(found))
        for name, label in shown:
            look = {"image": {"style": {"maxWidth": "100%", "objectFit": "contain"}}}
            view = types.ImageView(
                height="260px", alt=label, componentsProps=look, space=6
            )
            panel.str(name, label=label, view=view)
        if found["facts"]:
            layout.heading(panel, "facts_title", "This copy")
            layout.table(panel, "facts", _COLUMNS, styles=_VALUE_WRAPS)


_COLUMNS = (("name", "What"), ("value", "Value"))
_VALUE_WRAPS = {
    "& td:nth-of-type(2)": {"whiteSpace": "normal", "wordBreak": "break-word"}
}


def _files(ctx: Any) -> dict[str, str]:
    """The files of the samples to compare, by their ids: of the open one, or of those
    that are selected, in that order.

    After another dataset was opened, or samples were deleted, the App may still name
    some that aren't there.
    """
    wanted = [ctx.current_sample] if ctx.current_sample else list(ctx.selected or [])
    if not wanted:
        return {}
    found = fields.all_samples(ctx.dataset).select(wanted, ordered=True)
    return dict(zip(*found.values(["id", "filepath"]), strict=True))


def _stamp(ctx: Any, sample_id: str | None) -> str | None:
    """Text that is another one whenever there is something else to show of a sample."""
    if sample_id is None:
        return None
    ctx.dataset.reload()
    copies = compare.copies_of(ctx.dataset, sample_id)
    shown = fields.all_samples(ctx.dataset).select(sample_id)
    known = ctx.dataset.has_field(fields.PROTECTION)
    said = repr(shown.values(fields.PROTECTION)) if known else ""
    files = [*shown.values("filepath"), *copies.values()]
    made = [_made(path) for path in files if not is_url(path)]
    labels = sorted(shown_names(ctx.secret).labels.items())
    told = repr([sorted(copies.items()), said, made, labels])
    return hashlib.sha256(told.encode()).hexdigest()


def _made(path: str) -> tuple[int, int] | None:
    """When a file was written, and its size; None if it is gone."""
    try:
        known = Path(path).stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size


def _changed(found: dict[str, Any]) -> str:
    if not found["changed"]:
        return f"The {found['kind']} copy has exactly the original's pixels."
    return (
        f"PSNR {found['psnr']:.1f} dB · {found['changed']:.0%} of the values changed, "
        f"by {found['largest']} gray levels at most"
    )
