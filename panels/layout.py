"""The panels' building blocks: headings, rows of buttons, tables, plots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import fiftyone.operators.types as types

from fiftyone_reue.names.display import markdown, printable

from . import figures

IMAGE_HEIGHT = "150px"

QUIET_MS, LOST_MS = 6000, 60_000
"""How long after an answer a panel looks for news again, where nothing goes on; and how
often if there was no answer."""

_NATURAL: dict[str, dict[str, Any]] = {
    "item": {"sx": {"width": "auto"}},
    # The App leaves an icon no room beside the border.
    "button": {"sx": {"px": 1.25}},
}


def first_line(error: Any) -> str:
    """What an operator's error says to a person; FiftyOne gives a whole traceback."""
    lines = str(error).splitlines()
    frames = [n for n, line in enumerate(lines) if line.startswith("  File ")]
    unindented = [
        line for line in lines[frames[-1] if frames else 0 :] if line[:1].strip()
    ]
    if not unindented:
        return "The operator failed without saying why; see the server's log"
    if not frames:
        return unindented[0]
    _, colon, message = unindented[0].partition(": ")
    return message if colon else unindented[0]


def page(panel: types.Object) -> types.Property:
    """A whole panel, with margins; plots fill its width."""
    grid = {"gridContainer": {"sx": {"pl": 2, "pr": 2, "pb": 4}, "spacing": 2}}
    return types.Property(panel, view=types.ObjectView(componentsProps=grid))


def title(panel: types.Object, name: str, text: str) -> None:
    """The one line that a reader should take away."""
    _text(panel, name, text, font_size="1.25rem", bold=True, padding="8px 0 0 0")


def heading(panel: types.Object, name: str, text: str, space: int = 12) -> None:
    """The heading of a section."""
    _text(
        panel,
        name,
        text,
        font_size="1rem",
        bold=True,
        padding="12px 0 0 0",
        space=space,
    )


def note(panel: types.Object, name: str, text: str, space: int = 12) -> None:
    """A line of plain text in a quiet colour."""
    _text(panel, name, text, color="text.secondary", padding="0", space=space)


def alert(
    panel: types.Object, name: str, severity: str, text: str, more: str = ""
) -> None:
    """A coloured box: one line, and what there is to add; the App reads Markdown."""
    view = types.AlertView(
        severity=severity,
        label=markdown(text),
        description=markdown(more) if more else None,
    )
    panel.view(name, view)


def image(panel: types.Object, name: str, url: str, alt: str, space: int) -> None:
    """An image at its own proportions.

    Args:
        panel: where.
        name: of the property.
        url: the image's.
        alt: what it is, for whoever doesn't see it.
        space: columns of twelve.
    """
    look = {"image": {"style": {"maxWidth": "100%", "objectFit": "contain"}}}
    view = types.ImageView(
        height=IMAGE_HEIGHT, alt=alt, componentsProps=look, space=space
    )
    panel.str(name, default=url, view=view)


def buttons(panel: types.Object, name: str) -> types.Object:
    """A row of buttons that wraps where the panel is narrow."""
    return panel.grid(name, gap=1)


def button(
    row: types.Object,
    name: str,
    label: str,
    on_click: Callable[[Any], None],
    icon: str,
    *,
    primary: bool = False,
    disabled: bool = False,
    params: dict[str, Any] | None = None,
) -> None:
    """One button of a row."""
    row.btn(
        name,
        printable(label),
        icon=icon,
        variant="contained" if primary else "outlined",
        on_click=on_click,
        disabled=disabled,
        params=params,
        componentsProps=_NATURAL,
    )


def link_button(
    row: types.Object, name: str, label: str, address: str, icon: str
) -> None:
    """A button of a row that opens an address in a new page."""
    row.btn(
        name,
        label,
        icon=icon,
        variant="outlined",
        href=address,
        componentsProps={
            **_NATURAL,
            "button": {**_NATURAL["button"], "target": "_blank", "rel": "noopener"},
        },
    )


def table(
    panel: types.Object,
    name: str,
    columns: Sequence[tuple[str, str]],
    actions: Sequence[tuple[str, str, str, Callable[[Any], None]]] = (),
    styles: Mapping[str, dict[str, Any]] | None = None,
) -> types.TableView:
    """A table that fits into a narrow panel; its rows are in the panel's data.

    Args:
        panel: where.
        name: of the data.
        columns: key and label of each.
        actions: name, icon, label and callback of what a row offers; a single one is
            a button, several are a menu.
        styles: looks of single cells, by CSS selector.
    """
    cell = {"sx": {"fontSize": "0.8125rem", "px": 0.5, "whiteSpace": "nowrap"}}
    view = types.TableView(
        max_inline_actions=1,
        actions_label=" ",
        componentsProps={
            "table": {"sx": {"minWidth": 0, **(styles or {})}},
            "tableBodyCell": cell,
            "tableHeadCell": {"sx": {**cell["sx"], "color": "text.secondary"}},
        },
    )
    for key, label in columns:
        view.add_column(key, label=label)
    for action, icon, text, on_click in actions:
        said = {"label" if len(actions) > 1 else "tooltip": text}
        view.add_row_action(action, on_click, icon=icon, **said)
    panel.list(name, types.Object(), view=view)
    return view


def plot(
    panel: types.Object,
    name: str,
    layout: dict[str, Any],
    height: str,
    on_click: Callable[[Any], None] | None,
    space: int = 12,
) -> None:
    """A figure whose traces are in the panel's data."""
    panel.plot(
        name,
        layout=layout,
        height=height,
        on_click=on_click,
        config=figures.CONFIG,
        space=space,
    )


def spoken(label: str) -> dict[str, Any]:
    """A dropdown's parts with what a screen reader says; the App names none.

    And without the focus that the App gives a form's first field: a panel that has one
    far below would open there.
    """
    named = {"aria-label": printable(label)}
    return {"select": {"autoFocus": False, "SelectDisplayProps": named}}


def progress(panel: types.Object, name: str, fraction: float) -> None:
    """A bar."""
    panel.float(name, default=fraction, view=types.ProgressView())


def timers(
    panel: types.Object,
    follow: Callable[[Any], None],
    looks: int,
    wait: int = QUIET_MS,
) -> None:
    """What looks for news: again only after the answer, however long it takes.

    An interval would send questions faster than a busy server answers. One that got no
    answer at all is asked again by the slow interval. They stand last in a panel, since
    each takes a row's gap though nothing is seen of it.

    Args:
        panel: where.
        follow: looks.
        looks: how often it did.
        wait: milliseconds after its last answer.
    """
    kind = "quiet" if wait == QUIET_MS else "busy"
    view = types.TimerView(timeout=wait, on_timeout=follow)
    # Under the same name, the App would keep the timer that has gone off.
    panel.view(f"{kind}_timer_{looks % 2}", view)
    panel.view("lost_timer", types.TimerView(interval=LOST_MS, on_interval=follow))


def _text(panel: types.Object, name: str, text: str, **look: Any) -> None:
    look = {"color": "text.primary", **look}
    panel.view(name, types.TextView(title=printable(text, lines=True), **look))


def cells(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A table's rows, their texts ready to be shown."""
    return [
        {
            key: printable(value) if isinstance(value, str) else value
            for key, value in row.items()
        }
        for row in rows
    ]
