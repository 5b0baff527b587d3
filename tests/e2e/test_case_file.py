"""Checks as a case file: named, noted, compared, deleted and brought back."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

JOB_MS = 180_000


def checked(app: Any, panel: Any, images: int) -> None:
    panel.get_by_role("button", name="Check", exact=True).click()
    said = panel.get_by_text(re.compile(f"{images} suspects · {images} match"))
    said.first.wait_for(timeout=JOB_MS)


def test_a_check_is_named_compared_deleted_and_brought_back(app: Any) -> None:
    from playwright.sync_api import expect

    app.open("unlabelled")
    panel = app.panel("leak_check", "Leak check")
    panel.get_by_text("Whose copy are these images?").wait_for()
    # The App's server keeps a panel's state between pages: look at the whole grid.
    panel.get_by_text("Images in the grid", exact=True).click()
    checked(app, panel, 12)
    panel.get_by_text("Derived from the copy of bob", exact=True).wait_for()

    name = panel.get_by_placeholder("A name, such as: forum, May")
    name.fill("forum, May")
    panel.get_by_placeholder("Where it was found, who told, what was done").fill(
        "Told by Ann, by mail"
    )
    panel.get_by_role("button", name="Save", exact=True).click()
    app.page.get_by_text("Saved the name and the notes").wait_for()
    app.show(name)
    app.picture("case_file_notes")

    # What is typed outlives a reload of the page.
    app.open("unlabelled")
    panel = app.panel_again("leak_check", "Leak check")
    name = panel.get_by_placeholder("A name, such as: forum, May")
    expect(name).to_have_value("forum, May")

    panel.get_by_role("button", name="Check", exact=True).click()
    rows = panel.locator("tbody tr").filter(has_text="dataset unlabelled")
    rows.nth(1).wait_for(timeout=JOB_MS)
    expect(rows.nth(1)).to_contain_text("forum, May")
    rows.nth(1).get_by_role("button").click()
    app.page.get_by_role("menuitem", name="Compare with the shown").click()
    panel.get_by_text("Both say the same. The suspects are the same").first.wait_for()
    app.show(panel.get_by_text("What changed", exact=True))
    app.picture("case_file_compared")
    panel.get_by_role("button", name="Close the comparison").click()

    rows.nth(1).get_by_role("button").click()
    app.page.get_by_role("menuitem", name="Delete this check").click()
    undo = panel.get_by_role("button", name="Undo", exact=True)
    undo.wait_for()
    app.show(undo)
    app.picture("case_file_deleted")
    undo.click()
    undo.wait_for(state="detached")
    expect(name).to_have_value("forum, May")

    panel.get_by_role("button", name="Write a report").click()
    form = app.page.get_by_role("dialog")
    folder = app.server.folder / "case"
    app.fill(form, "Folder for a case", str(folder))
    app.fill(form, "Confirmation code", app.server.code("extract_watermark"))
    form.get_by_role("button", name="Trace", exact=True).click()
    panel.get_by_role("link", name="Report", exact=True).wait_for(timeout=JOB_MS)
    with app.page.context.expect_page() as opened:
        panel.get_by_role("link", name="Report", exact=True).click()
    opened.value.get_by_text(re.compile("bob")).first.wait_for()
    opened.value.close()
    app.picture("case_file_report")
