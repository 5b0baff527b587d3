"""Our panels and forms in both themes and two widths, without serious findings of axe.

What is FiftyOne's own is left out: only what lies in our panels and forms is looked at.
"""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

SERIOUS = ("serious", "critical")

NOT_OURS = {
    "aria-dialog-name": "MuiDialog-paper",
    "button-name": "aria-haspopup=.menu.|MuiIconButton",
    "label": "(MuiInputBase-input|PrivateSwitchBase-input)",
    "color-contrast": "MuiTypography-body2[^>]*>Make a copy first, then tick this<",
}
"""What FiftyOne's own parts fail, and no plugin can change: the dialog that every form
is in, the arrow beside a form's button and the dots in a table's row, fields that are
labelled by a text beside them, the red that says what is wrong. By the element."""


THEMES = ("light", "dark")
PANELS = (
    ("released", "protection_status", "Protection status", "What went to whom"),
    ("found", "leak_check", "Leak check", "Whose copy are these images?"),
    ("released", "compare_copies", "Compare copies", "Open a sample"),
)


def findings(app: Any, selector: str) -> list[str]:
    """What axe finds seriously wrong within a part of the page, a line each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(app.page, context=selector).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
        if not re.search(NOT_OURS.get(one["id"], "$^"), node["html"])
    ]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("dataset", "name", "label", "text"), PANELS)
def test_a_panel_has_no_serious_finding(
    app: Any, theme: str, dataset: str, name: str, label: str, text: str
) -> None:
    app.page.add_init_script(f"localStorage.setItem('mui-mode', '{theme}')")
    app.page.set_viewport_size({"width": 1366, "height": 768})
    app.open(dataset)
    panel = app.panel(name, label)
    panel.get_by_text(re.compile(text)).first.wait_for()
    app.picture(f"axe_{name}_{theme}_1366")
    found = findings(app, f'[data-cy="panel-content-{name}"]')
    assert not found, "\n".join(found)
    # Nor is a table's row cut off: its menu would scroll the first columns away.
    cut = "all => all.map(e => e.scrollWidth - e.parentElement.clientWidth)"
    widths = panel.locator("table").evaluate_all(cut)
    assert max(widths, default=0) <= 1, widths
    app.page.set_viewport_size({"width": 1920, "height": 1080})
    app.picture(f"axe_{name}_{theme}_1920")
    # Nothing is wider than the panel that it is in.
    wide = "e => e.scrollWidth - e.clientWidth"
    assert panel.evaluate(wide, timeout=120_000) <= 1


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("operator", "text"),
    [
        ("Preview a protection", "Eight images are protected in memory"),
        ("Your owner key", "Without it"),
        ("Mark what failed, is stale or weak", "Weak below an unlearnability of"),
    ],
)
def test_a_form_has_no_serious_finding(
    app: Any, theme: str, operator: str, text: str
) -> None:
    app.page.add_init_script(f"localStorage.setItem('mui-mode', '{theme}')")
    app.page.set_viewport_size({"width": 1366, "height": 768})
    app.open("released")
    form = app.run(operator)
    form.get_by_text(text).first.wait_for()
    app.picture(f"axe_{operator.split()[0].lower()}_{theme}")
    found = findings(app, '[role="dialog"]')
    assert not found, "\n".join(found)
