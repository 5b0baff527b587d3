"""Plotly figures as plain data: what the panels draw, and nothing they compute."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fiftyone_reue.auditing.verdict import BROKEN, HOLDS, NOT_TELLABLE, WEAKENED
from fiftyone_reue.names.display import count as said
from fiftyone_reue.names.display import printable

from .coverage import FAILED, PROTECTED, STATES, UNPROTECTED, Bins

COLOURS = {PROTECTED: "#3fa66b", FAILED: "#d9534f", UNPROTECTED: "#8d939b"}
LEVEL_COLOURS = {
    HOLDS: COLOURS[PROTECTED],
    WEAKENED: "#e0a030",
    BROKEN: COLOURS[FAILED],
    NOT_TELLABLE: COLOURS[UNPROTECTED],
}
ACCENT = "#ff6d04"
QUIET = "#8d939b"

INNOCENT = "best innocent"

CONFIG = {"displayModeBar": False}

_LONGEST = 26
"""So many characters of a name leave room for its bar in a narrow panel."""

_ROW = 24
_FRAME = 60


def label(name: object) -> str:
    """A name at an axis: Plotly would make links and markup of what looks like it."""
    return html.escape(printable(name), quote=False)


def _cut(name: str) -> str:
    """A name that fits beside bars: of a long one, how it begins and ends."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST // 2]}…{name[-(_LONGEST // 2 - 1) :]}"


def named(shown: str, names: Iterable[str]) -> str:
    """The name that an axis shows so; the text itself if it is none of them."""
    return next((name for name in names if label(name) == shown), shown)


def coverage_bars(classes: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """A stacked bar for each class, one trace a state."""
    return [
        {
            "type": "bar",
            "orientation": "h",
            "name": state,
            "y": [label(name) for name in classes],
            "x": [counts[state] for counts in classes.values()],
            "marker": {"color": COLOURS[state]},
            "hovertemplate": f"%{{y}}: %{{x}} {state}<extra></extra>",
        }
        for state in STATES
    ]


def bars(counts: Mapping[str, int], colour: str, what: str) -> list[dict[str, Any]]:
    """One horizontal bar for each name."""
    return [
        {
            "type": "bar",
            "orientation": "h",
            "y": [label(name) for name in counts],
            "x": list(counts.values()),
            "text": [f"{count:g}" for count in counts.values()],
            "textposition": "auto",
            "insidetextfont": {"color": "#ffffff"},
            "marker": {"color": colour},
            "customdata": [said(count, what) for count in counts.values()],
            "hovertemplate": "%{y}: %{customdata}<extra></extra>",
        }
    ]


def histogram(bins: Bins, colour: str, unit: str) -> list[dict[str, Any]]:
    """One upright bar for each bin, in its middle."""
    pairs = list(zip(bins.edges, bins.edges[1:], strict=False))
    return [
        {
            "type": "bar",
            "x": [round((low + high) / 2, 4) for low, high in pairs],
            "y": bins.counts,
            "width": [round((high - low) * 0.92, 4) for low, high in pairs],
            "marker": {"color": colour},
            "customdata": [
                f"{low:g} to {high:g}{unit}: {said(number, 'image')}"
                for (low, high), number in zip(pairs, bins.counts, strict=True)
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    ]


def evidence_bars(
    rows: Sequence[Mapping[str, Any]], named: str | None, limit: int
) -> list[dict[str, Any]]:
    """A bar of evidence for the likeliest recipients and for the best innocent."""
    shown = rows[:limit]
    names = [label(row["recipient"] or INNOCENT) for row in shown]
    accused = [
        row["recipient"] is not None
        and (row["recipient"] == named or row.get("named", False))
        for row in shown
    ]
    return [
        {
            "type": "bar",
            "orientation": "h",
            "y": names,
            "x": [round(max(row["z"], 0.0), 2) for row in shown],
            "marker": {"color": [ACCENT if yes else QUIET for yes in accused]},
            "hovertemplate": "%{y}: Z = %{x}<extra></extra>",
        }
    ]


def evidence_layout(names: Sequence[str], decision: float) -> dict[str, Any]:
    """The layout of the evidence, with a line where somebody is named.

    Args:
        names: of the bars.
        decision: from which Z on somebody is named.
    """
    look = rows_layout(len(names), names)
    look["margin"]["t"] = 24
    look["xaxis"]["title"]["text"] = "evidence Z"
    line = {"color": COLOURS[FAILED], "width": 2, "dash": "dash"}
    look["shapes"] = [
        {
            "type": "line",
            "x0": decision,
            "x1": decision,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": line,
        }
    ]
    look["annotations"] = [
        {
            "x": decision,
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "text": "named from here on",
            "showarrow": False,
            "font": {"color": COLOURS[FAILED], "size": 12},
        }
    ]
    return look


def z_of(p_value: float, tested: int) -> float:
    """The evidence that has this bound, 0 where the bound says nothing."""
    return math.sqrt(max(0.0, 2 * math.log(tested / p_value)))


def rows_layout(
    rows: int, names: Iterable[str], *, legend: bool = False
) -> dict[str, Any]:
    """The layout of horizontal bars, first one on top, with room for ``rows``.

    Args:
        rows: how many bars there is room for.
        names: of the bars; long ones are cut at the axis, and there alone.
        legend: whether there is one.
    """
    named = list(names)
    return {
        "barmode": "stack",
        "bargap": 0.3,
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "x": 0,
            "traceorder": "normal",
        },
        "margin": {"l": 10, "r": 20, "t": 30 if legend else 8, "b": 36},
        "yaxis": {
            "type": "category",
            "range": [rows - 0.5, -0.5],
            "automargin": True,
            "tickmode": "array",
            "tickvals": [label(name) for name in named],
            "ticktext": [label(_cut(name)) for name in named],
            "fixedrange": True,
            "ticksuffix": "  ",
        },
        "xaxis": {"title": {"text": "images"}, "fixedrange": True, **_WHOLE},
    }


def histogram_layout(axis: str) -> dict[str, Any]:
    """The layout of a histogram."""
    return {
        "bargap": 0.05,
        "showlegend": False,
        "margin": {"l": 44, "r": 20, "t": 8, "b": 44},
        "xaxis": {"title": {"text": axis}, "fixedrange": True},
        "yaxis": {"title": {"text": "images"}, "fixedrange": True, **_WHOLE},
    }


def rows_height(rows: int, *, legend: bool = False) -> str:
    """How high a figure of horizontal bars must be for its labels to be read."""
    return f"{_FRAME + (24 if legend else 0) + _ROW * rows}px"


_WHOLE = {"tickformat": ",d", "nticks": 5, "tickangle": 0, "rangemode": "tozero"}
