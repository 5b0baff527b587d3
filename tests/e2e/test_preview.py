"""What a person sees before a run, and of what needs a look after it."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

PROTECT = "Protect a dataset for a recipient"
JOB_MS = 180_000


def test_preview_from_the_form_and_back_with_its_settings(app: Any) -> None:
    from playwright.sync_api import expect

    app.open("previewed")
    form = app.run(PROTECT)
    app.choose(form, "Recipient", "carol")
    app.choose(form, "Method", "LSP")
    form.get_by_role("button", name="Preview on eight images").click()
    form = app.page.get_by_role("dialog")
    form.get_by_text("Eight images are protected in memory").wait_for()
    # What was chosen came along.
    form.get_by_role("combobox").filter(has_text="LSP").wait_for()
    app.picture("preview_form")
    form.get_by_role("button", name="Preview", exact=True).click()
    # The result opens by itself once the job has ended.
    app.page.get_by_text("What to expect").wait_for(timeout=JOB_MS)
    shown = app.page.get_by_role("dialog")
    pictures = shown.get_by_alt_text("At the left the original")
    app.drawn(pictures, 8)
    shown.get_by_text(re.compile("All 60 images")).first.wait_for()
    shown.get_by_text(re.compile("SSIMULACRA2")).nth(7).wait_for()
    app.picture("preview_result")
    app.show(pictures.last)
    app.picture("preview_result_end")
    shown.get_by_role("button", name="Protect with these settings").click()
    # The result is closed, and whom it was for is still chosen.
    form = app.page.get_by_role("dialog")
    form.get_by_text(PROTECT).first.wait_for()
    expect(form).to_have_count(1)
    form.get_by_role("combobox").filter(has_text="LSP").wait_for()
    form.get_by_role("combobox").filter(has_text="carol").wait_for()
    app.picture("preview_protect")
    form.get_by_role("button", name="Cancel").click()


def test_the_owner_key_is_read_and_confirmed_first(app: Any) -> None:
    from playwright.sync_api import expect

    app.server.python(
        "import fiftyone.core.odm as foo; "
        "foo.get_db_conn()['reue_confirmed_keys'].drop()"
    )
    app.open("previewed")
    panel = app.panel("protection_status", "Protection status")
    panel.get_by_text(re.compile("You haven't confirmed yet")).wait_for()
    app.picture("owner_key_panel")
    panel.get_by_role("button", name="Protect images").click()
    form = app.page.get_by_role("dialog")
    form.get_by_text("Read about your owner key first").first.wait_for()
    expect(form.get_by_role("button", name="Protect", exact=True)).to_be_disabled()
    app.picture("owner_key_first")
    form.get_by_role("button", name="Read and confirm").click()
    form = app.page.get_by_role("dialog")
    form.get_by_text("Without it", exact=True).wait_for()
    submit = form.get_by_role("button", name="Confirm", exact=True)
    expect(submit).to_be_disabled()
    form.get_by_text("I keep a copy in a safe place, apart from this machine").click()
    app.picture("owner_key_form")
    submit.click()
    # The form that was left opens again.
    form = app.page.get_by_role("dialog")
    form.get_by_text("Largest change (gray levels)").wait_for()
    form.get_by_role("button", name="Cancel").click()
    confirmed = panel.get_by_text(re.compile("You haven't confirmed yet"))
    confirmed.wait_for(state="detached")


def test_what_went_to_whom_is_a_table(app: Any) -> None:
    from playwright.sync_api import expect

    app.open("released")
    panel = app.panel("protection_status", "Protection status")
    heading = panel.get_by_text("What went to whom", exact=True)
    heading.wait_for()
    # It opens at its top, not where its first field is.
    app.page.wait_for_timeout(1500)
    expect(panel.get_by_text(re.compile("are protected"))).to_be_in_viewport()
    row = panel.locator("tbody tr").filter(has_text="handed_out/alice")
    expect(row).to_contain_text("alice_1")
    expect(row).to_contain_text(", active")
    app.show(heading)
    app.picture("holdings")


def test_what_needs_a_look_is_tagged_and_saved(app: Any) -> None:
    app.open("worn")
    panel = app.panel("protection_status", "Protection status")
    panel.get_by_role("button", name="Mark failed, stale, weak").click()
    form = app.page.get_by_role("dialog")
    form.get_by_text("Weak below an unlearnability of").wait_for()
    app.picture("mark_form")
    form.get_by_role("button", name="Mark", exact=True).click()
    panel.get_by_text(re.compile("0 failed, 1 stale, 0 weak")).wait_for(timeout=JOB_MS)
    app.picture("mark_done")
    app.page.get_by_text("Unsaved view", exact=True).click()
    app.page.get_by_text("protection: stale", exact=True).first.click()
    app.count(1)
    app.picture("mark_view")
