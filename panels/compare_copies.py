"""The panel that lays a sample's copies beside its original."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.categories import Categories

from fiftyone_reue.errors import ReueError
from fiftyone_reue.samples import compare
from fiftyone_reue.samples.copy_facts import copy_facts
from fiftyone_reue.samples.shown_names import shown_names

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

    def refresh(self, ctx: Any) -> None:
        """Compare anew."""
        state = ctx.panel.state
        state.shown = state.problem = None
        sample_id = ctx.current_sample or next(iter(ctx.selected), None)
        if ctx.dataset is None or sample_id is None:
            return
        try:
            self._compare(ctx, str(sample_id), state.choice)
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
        if state.problem:
            layout.alert(panel, "problem", "info", state.problem)
        elif not state.shown:
            text = "Open a sample, or select one in the grid, to compare its copies."
            layout.note(panel, "empty", text)
        else:
            self._render_choice(panel, state)
            self._render_pictures(panel, state.shown)
        return layout.page(panel)

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


def _changed(found: dict[str, Any]) -> str:
    if not found["changed"]:
        return f"The {found['kind']} copy has exactly the original's pixels."
    return (
        f"PSNR {found['psnr']:.1f} dB · {found['changed']:.0%} of the values changed, "
        f"by {found['largest']} gray levels at most"
    )
