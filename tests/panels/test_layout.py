"""Names of others in panels and forms: the App makes Markdown and links of text."""

from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.integration

HOSTILE = ["\x1b[31mred", "<img src=x onerror=alert(1)>", "a\rb", "[link](http://x)"]


@pytest.fixture
def app() -> SimpleNamespace:
    """The parts that draw; loaded late, since they load FiftyOne."""
    import fiftyone.operators.types as types

    from operators import forms
    from panels import figures, layout

    return SimpleNamespace(types=types, forms=forms, figures=figures, layout=layout)


def views(panel: Any) -> list[dict]:
    found = panel.to_json()["properties"]
    return [one["view"] for one in found.values()]


def hostile(text: str) -> bool:
    unescaped = text.replace("\\<", "").replace("\\[", "")
    return any(one in unescaped for one in ("\x1b", "\r", "<img", "[link]"))


@pytest.mark.parametrize("name", HOSTILE)
def test_boxes_hold_no_markup(app, name):
    panel = app.types.Object()
    app.layout.alert(panel, "a", "error", name, f"It is {name}")
    app.forms.block(panel, name, name)
    for view in views(panel):
        assert not hostile(view["label"])
        assert not hostile(view["description"])


@pytest.mark.parametrize("name", HOSTILE)
def test_lines_and_cells_hold_nothing_invisible(app, name):
    panel = app.types.Object()
    app.layout.note(panel, "a", name)
    app.layout.title(panel, "b", name)
    rows = app.layout.cells([{"name": name, "count": 3}])
    for text in [view["title"] for view in views(panel)] + [rows[0]["name"]]:
        assert text.isprintable()
    assert rows[0]["count"] == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_choices_keep_their_value_and_show_what_is_seen(app, name):
    inputs = app.types.Object()
    app.forms.choice(inputs, "release", [(name, name, name)])
    (view,) = views(inputs)
    (chosen,) = view["choices"]
    assert chosen["value"] == name
    assert chosen["label"].isprintable()


@pytest.mark.parametrize("name", [*HOSTILE, "<a href='http://x'>b</a>", "a & b"])
def test_a_bar_says_a_name_and_a_click_on_it_finds_it(app, name):
    (trace,) = app.figures.bars({name: 1.0, "other": 2.0}, "red", "images")
    shown = trace["y"][0]
    assert shown.isprintable()
    assert "<" not in shown
    assert app.figures.named(shown, ["other", name]) == name
    assert app.figures.named("none of them", ["other", name]) == "none of them"
    assert app.figures.coverage_bars({name: dict.fromkeys(app.figures.STATES, 1)})[0][
        "y"
    ] == [shown]
    (trace,) = app.figures.evidence_bars([{"recipient": name, "z": 1.0}], None, 8)
    assert trace["y"] == [shown]
