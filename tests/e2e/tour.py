"""Makes the pictures of the README: ``make tour``.

No part of the tests: it waits until every scene has settled, and writes into
``docs/images``.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.filming import Film

pytestmark = pytest.mark.e2e

IMAGES = Path(__file__).parents[2] / "docs/images"
JOB_MS = 180_000
VIEWPORT = {"width": 1120, "height": 730}
"""A README shows it at three quarters of that: small print can still be read."""

FILLED = """width => [...document.querySelectorAll('[data-cy="looker"]')]
  .some(one => one.getBoundingClientRect().right > width)"""
"""Whether the grid reaches the right edge."""


def test_tour(app: Any) -> None:
    app.page.add_init_script("localStorage.setItem('mui-mode', 'dark')")
    app.page.set_viewport_size(VIEWPORT)
    app.page.set_default_timeout(120_000)
    film = Film(app.page)
    protect(app, film)
    compare(app, film)
    look(app, film)
    trace(app, film)
    film.write(IMAGES)


def protect(app: Any, film: Film) -> None:
    app.open("photos")
    hide_sidebar(app, film)
    film.shoot("A labelled dataset in FiftyOne", 2000)
    form = app.run("Protect a dataset for a recipient")
    app.choose(form, "Recipient", "bob")
    form.get_by_text("Classes are in").wait_for()
    # A trial waits until the button can be pressed, and doesn't press it.
    form.get_by_role("button", name="Protect", exact=True).click(trial=True)
    film.shoot("Protect it for bob: a copy that can't be trained on", 3500)
    film.thumbnail("protect_dataset", form)
    form.get_by_role("button", name="Preview on eight images").click()
    form = app.page.get_by_role("dialog")
    form.get_by_role("button", name="Preview", exact=True).click()
    app.page.get_by_text("What to expect").wait_for(timeout=JOB_MS)
    shown = app.page.get_by_role("dialog")
    app.drawn(shown.get_by_alt_text("At the left the original"), 8)
    again = shown.get_by_role("button", name="Protect with these settings")
    film.to_the_top(again)
    film.shoot("First a preview: originals at the left, copies at the right", 4000)
    film.thumbnail("preview_protection", shown)
    again.click()
    form = app.page.get_by_role("dialog")
    app.choose(form, "Recipient", "bob")
    form.get_by_role("button", name="Protect", exact=True).click()
    # The preview's result lies below the form.
    app.page.get_by_role("dialog").get_by_role("button", name="Done").click()
    panel = app.page.locator('[data-cy="panel-content-protection_status"]')
    panel.get_by_text("60 of 60 images are protected (100%)").wait_for(timeout=JOB_MS)
    panel.get_by_text(re.compile("^Protected 60 images for bob")).wait_for()
    app.page.locator('[data-cy="looker"]').nth(30).wait_for()
    film.shoot("Done: every copy can be restored to the last bit", 3000)


def compare(app: Any, film: Film) -> None:
    close_panel(app, "protection_status")
    # In the corner of a grid's picture is the box that selects it.
    flower = app.page.locator('[data-cy="looker"]').nth(24)
    flower.click(position={"x": 20, "y": 20})
    panel = app.panel("compare_copies", "Compare copies")
    summary = panel.get_by_text(re.compile("PSNR")).first
    summary.wait_for()
    app.drawn(panel.locator("img"), 4)
    film.to_the_top(summary)
    film.shoot("Original and copy, and the difference eight times as strong", 4000)
    film.thumbnail("compare_copies", panel)
    film.to_the_top(panel.get_by_text("This copy", exact=True))
    film.shoot("Whose copy it is, by which key, and its record", 3000)
    close_panel(app, "compare_copies")


def look(app: Any, film: Film) -> None:
    app.open("released")
    panel = app.panel_again("protection_status", "Protection status")
    heading = panel.get_by_text("54 of 60 images are protected (90%)")
    heading.wait_for()
    panel.locator(".js-plotly-plot .bars .point path").first.wait_for()
    film.to_the_top(heading)
    film.shoot("Protection status: what is covered, and what isn't yet", 3500)
    film.to_the_top(panel.get_by_text("Coverage by class", exact=True))
    film.thumbnail("protection_status", panel)
    panel.get_by_role("button", name=re.compile("^Audit ")).click()
    form = app.page.get_by_role("dialog")
    form.get_by_text("Countermeasures").first.wait_for()
    film.thumbnail("audit_release", form)
    form.get_by_role("button", name="Cancel").click()
    close_panel(app, "protection_status")


def trace(app: Any, film: Film) -> None:
    app.open("found")
    panel = app.panel_again("leak_check", "Leak check")
    panel.get_by_text("Whose copy are these images?").wait_for()
    film.shoot("Images turned up somewhere, re-compressed: whose copy?", 3000)
    panel.get_by_role("button", name="Check", exact=True).click()
    verdict = panel.get_by_text("Derived from the copy of bob", exact=True)
    verdict.wait_for(timeout=JOB_MS)
    panel.locator(".js-plotly-plot .bars .point path").first.wait_for()
    film.to_the_top(verdict)
    film.shoot("bob's: with the evidence, and a bound on naming him wrongly", 4500)
    film.thumbnail("leak_check", panel)
    film.to_the_top(panel.get_by_text("Suspect", exact=True))
    app.drawn(panel.locator("img"))
    film.shoot("Each suspect beside its original", 3500)


def hide_sidebar(app: Any, film: Film) -> None:
    """Give the grid the whole window."""
    film.settled()
    sidebar = app.page.locator('[data-cy="action-toggle-sidebar"]').first
    # The grid's tools lie over one another in a narrow window.
    sidebar.evaluate("button => button.click()")
    film.settled()
    if not app.page.evaluate(FILLED, VIEWPORT["width"] - 60):
        # It kept its width, and takes all of it once the window's changes.
        for less in (20, 0):
            app.page.set_viewport_size({**VIEWPORT, "width": VIEWPORT["width"] - less})
            film.settled()
    assert app.page.evaluate(FILLED, VIEWPORT["width"] - 60)


def close_panel(app: Any, name: str) -> None:
    """Close a panel; two tabs in half a window lie over FiftyOne's own."""
    tab = app.page.locator(f'[data-cy="panel-tab-{name}"]')
    tab.get_by_role("button", name="Close").click()
    tab.wait_for(state="detached")
