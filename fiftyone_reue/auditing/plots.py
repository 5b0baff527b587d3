"""Plots of an audit, as SVG.

Figures are made with matplotlib's objects alone: no pyplot, no global settings, so
that threads don't meet. Text is drawn as outlines and looks the same everywhere;
colours are told apart by the colour-blind, and in print.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fiftyone_reue.auditing.results import ORIGINALS, Audit, retained
from fiftyone_reue.auditing.verdict import (
    BROKEN,
    HOLDS,
    NONE,
    NOT_TELLABLE,
    WEAKENED,
    Finding,
    Verdict,
    countermeasure_info,
    is_control,
    subject_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    HOLDS: "#1f77b4",
    WEAKENED: "#e6a117",
    BROKEN: "#a3282c",
    NOT_TELLABLE: "#8a8f98",
}
ORIGINALS_COLOUR = "#d3d8de"
UNTOLD_COLOUR = "#eceef1"
INK = "#24292f"
QUIET = "#6b7280"
_LINES = (
    ("#0072b2", "-"),
    ("#d55e00", "--"),
    ("#009e73", "-."),
    ("#cc79a7", (0, (1, 1))),
)
_WIDTH = 8.0  # inches of 72 points: 768 pixels
_LONGEST = 44  # characters of a label


def accuracy_bars(verdict: Verdict, chance: float) -> str:
    """One bar a countermeasure: the subject's accuracy upon that of the originals.

    "None" is on top, then the most effective countermeasure and so on; those that
    nothing was measured of are left out.

    Args:
        verdict: of one subject.
        chance: accuracy of guessing, 0 to 1.

    Returns:
        An SVG element, 768 pixels wide, without an XML declaration.
    """
    findings = _ordered(verdict)
    height = 1.3 + 0.3 * max(1, len(findings))
    figure, axes = _blank(height, left=0.36, right=0.84, top=0.75, bottom=0.5)
    rows = range(len(findings))
    clean = [100 * f.originals.mean if f.originals else 0.0 for f in findings]
    ours = [100 * f.accuracy.mean if f.accuracy else 0.0 for f in findings]
    axes.barh(rows, clean, 0.72, color=ORIGINALS_COLOUR)
    axes.barh(rows, ours, 0.36, color=[COLOURS[f.level] for f in findings])
    axes.axvline(100 * chance, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    across = axes.get_yaxis_transform()
    for row, finding in enumerate(findings):
        for x, summary, colour in (
            (1.1, finding.accuracy, INK),
            (1.28, finding.originals, QUIET),
        ):
            text = f"{100 * summary.mean:.1f}" if summary else "–"
            axes.text(
                x, row, text, transform=across, ha="right", va="center", color=colour
            )
    for x, text in ((1.1, "this"), (1.28, "originals")):
        axes.text(x, -0.75, text, transform=across, ha="right", va="bottom", color=INK)
    axes.set_yticks(rows, [_label(f.title) for f in findings], parse_math=False)
    axes.set_ylim(len(findings) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("test accuracy, %")
    _legend_above(figure, [f.level for f in findings if f.accuracy])
    return _svg(figure, f"bars-{verdict.subject}")


def accuracy_curves(audit: Audit, verdict: Verdict, most: int = 3) -> str:
    """Accuracy over the training, without and with the worst countermeasures.

    Args:
        audit: what the verdict is on.
        verdict: of one subject.
        most: how many countermeasures, 3 at most.

    Returns:
        As :func:`accuracy_bars`.
    """
    figure, axes = _blank(4.2, left=0.09, right=0.97, top=0.25, bottom=1.25)
    base = [verdict.base] if verdict.base else []
    shown = [*base, *verdict.most_effective[: min(most, len(_LINES) - 1)]]
    handles, labels = [], []
    if base and base[0].victim:
        curve = _curve(audit, ORIGINALS, NONE, base[0].victim)
        (line,) = axes.plot(_times(curve), curve, color="#b4bac2", linewidth=4)
        handles.append(line)
        labels.append("Originals, no countermeasure")
    for finding, (colour, style) in zip(shown, _LINES, strict=False):
        curve = _curve(audit, verdict.subject, finding.countermeasure, finding.victim)
        (line,) = axes.plot(
            _times(curve), curve, color=colour, linestyle=style, marker="o", ms=3.5
        )
        handles.append(line)
        bare = finding.countermeasure == NONE
        labels.append("No countermeasure" if bare else _label(finding.title))
    axes.axhline(100 * audit.chance, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(1, 100 * audit.chance + 1, "guessing", color=INK, fontsize=9, va="bottom")
    axes.set_xlim(0, 101)
    axes.set_ylim(0, 100)
    axes.set_xlabel("share of the training, %")
    axes.set_ylabel("test accuracy, %")
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    legend = figure.legend(
        handles, labels, loc="lower center", ncols=2, frameon=False, handlelength=3.5
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return _svg(figure, f"curves-{verdict.subject}")


def heat_map(audit: Audit, subjects: Sequence[str], victim: str | None = None) -> str:
    """Accuracies of several methods under all countermeasures.

    The number is the accuracy in %; the colour is the share of what the originals
    teach that is still learned, gray where that can't be told.

    Args:
        audit: the measurements; cells may be missing.
        subjects: names of methods or releases, the columns beside the originals.
        victim: a victim's name; by default the first one.

    Returns:
        As :func:`accuracy_bars`, but wider from nine subjects on.
    """
    import numpy as np

    titles = {subject.name: subject_title(subject) for subject in audit.subjects}
    names = audit.countermeasures
    columns = [ORIGINALS, *subjects]
    shares = np.full((len(names), len(columns)), np.nan)
    texts = {}
    for row, name in enumerate(names):
        clean = audit.summary(ORIGINALS, name, victim)
        for column, subject in enumerate(columns):
            found = audit.summary(subject, name, victim)
            texts[row, column] = f"{100 * found.mean:.0f}" if found else "–"
            if found and clean and column and not is_control(name):
                share = retained(found.mean, clean.mean, audit.chance)
                shares[row, column] = np.nan if share is None else share
    heads = [_label(titles.get(name, name)) for name in columns]
    # Heads rise at 45 degrees, 0.06 inches a character, over their right neighbours.
    top = 0.3 + 0.06 * max(map(len, heads))
    over = max(0.06 * len(head) - 0.55 * at for at, head in enumerate(heads[::-1]))
    beside = max(0.2, over)
    width = max(_WIDTH, 2.9 + beside + 0.55 * len(columns))
    height = top + 0.8 + 0.27 * len(names)
    left, right = 2.9 / width, 1 - beside / width
    figure, axes = _blank(height, left, right, top, 0.8, width=width)
    axes.set_facecolor(UNTOLD_COLOUR)
    mesh = axes.pcolormesh(
        shares, cmap="OrRd", vmin=0, vmax=1, edgecolors="white", linewidth=1
    )
    for (row, column), text in texts.items():
        dark = shares[row, column] > 0.65
        axes.text(
            column + 0.5,
            row + 0.5,
            text,
            ha="center",
            va="center",
            fontsize=9,
            color="white" if dark else INK,
        )
    axes.set_xticks(
        np.arange(len(columns)) + 0.5,
        heads,
        rotation=45,
        ha="left",
        rotation_mode="anchor",
        parse_math=False,
    )
    axes.xaxis.tick_top()
    rows = [_label(countermeasure_info(name).title) for name in names]
    axes.set_yticks(np.arange(len(names)) + 0.5, rows, parse_math=False)
    axes.set_ylim(len(names), 0)
    bar_axes = figure.add_axes((left, 0.52 / height, right - left, 0.12 / height))
    bar = figure.colorbar(mesh, cax=bar_axes, orientation="horizontal")
    bar.set_label("share still learned of what the originals teach", color=INK)
    bar.set_ticks([0, 0.25, 0.6, 1], labels=["0", "0.25", "0.6", "1"])
    bar.outline.set_visible(False)
    return _svg(figure, f"heat-{victim or 'first'}")


def _ordered(verdict: Verdict) -> list[Finding]:
    base = [verdict.base] if verdict.base else []
    conclusive = list(verdict.most_effective)
    rest = [f for f in verdict.tried if f.retained is None]
    return [f for f in [*base, *conclusive, *rest] if f.accuracy or f.originals]


def _curve(audit: Audit, subject: str, countermeasure: str, victim: str) -> list[float]:
    """Accuracies in %, the mean over those seeds that have as many as the first."""
    wanted = (subject, countermeasure, victim)
    curves = [
        cell.curve
        for cell in audit.cells
        if (cell.subject, cell.countermeasure, cell.victim) == wanted
        and not cell.failure
    ]
    alike = [curve for curve in curves if len(curve) == len(curves[0])]
    return [100 * sum(at) / len(alike) for at in zip(*alike, strict=True)]


def _times(curve: Sequence[float]) -> list[float]:
    return [100 * (index + 1) / len(curve) for index in range(len(curve))]


def _blank(
    height: float,
    left: float,
    right: float,
    top: float,
    bottom: float,
    width: float = _WIDTH,
) -> tuple[Figure, Axes]:
    """Axes without a frame; top and bottom in inches, left and right as shares."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes(
        (left, bottom / height, right - left, (height - top - bottom) / height)
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c4c9d0")
    axes.tick_params(length=0, colors=INK, labelsize=10)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    return figure, axes


def _legend_above(figure: Figure, levels: Sequence[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    there = [level for level in COLOURS if level in levels]
    handles = [
        Patch(color=ORIGINALS_COLOUR),
        *(Patch(color=COLOURS[level]) for level in there),
        Line2D([], [], color=INK, linewidth=1, linestyle=(0, (4, 3))),
    ]
    labels = ["originals", *there, "guessing"]
    figure.legend(
        handles,
        labels,
        loc="upper center",
        ncols=len(labels),
        frameon=False,
        fontsize=10,
        handlelength=1.6,
        columnspacing=1.4,
    )


def _label(text: str) -> str:
    shown = (letter if letter.isprintable() else " " for letter in text)
    text = " ".join("".join(shown).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _svg(figure: Figure, prefix: str) -> str:
    """The figure as an element whose ids don't meet those of other figures."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    prefix = f"f{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
