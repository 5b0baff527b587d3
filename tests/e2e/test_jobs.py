"""Long work in the real App: it is listed, survives the page, and says what failed."""

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

PROTECT = "Protect a dataset for a recipient"
RESTORE = "Restore a protected dataset"
JOB_MS = 180_000
"""A job's worker may have to be started first."""


def status_of(app: Any) -> Any:
    return app.page.locator('[data-cy="panel-content-protection_status"]')


def test_a_job_goes_on_without_its_page_and_can_be_left_and_cancelled(app: Any) -> None:
    app.open("few")
    form = app.run(PROTECT)
    app.choose(form, "Recipient", "alice")
    app.choose(form, "Method", "RUE")
    form.get_by_text(
        re.compile("2 classes, 12 images: astronaut 6, brick 6")
    ).wait_for()
    app.picture("jobs_form")
    form.get_by_role("button", name="Protect", exact=True).click()
    listed = re.compile("Protect for alice|Protected 12 images for alice")
    status_of(app).get_by_text(listed).first.wait_for(timeout=JOB_MS)
    app.page.get_by_role("dialog").wait_for(state="detached")
    app.picture("jobs_waiting")

    app.page.reload(wait_until="domcontentloaded")
    app.page.wait_for_selector('[data-cy="looker"]')
    status = app.panel_again("protection_status", "Protection status")
    status.get_by_text(re.compile("Protect for alice|for alice")).first.wait_for()
    status.get_by_text("Protected 12 images for alice").wait_for(timeout=JOB_MS)
    status.get_by_role("button", name="Log").first.click()
    status.get_by_text("Protected 12 images for alice").nth(1).wait_for()
    app.picture("jobs_done_with_log")
    # Where other tests' jobs are listed too, what closes all of them comes last.
    status.get_by_role("button", name=re.compile("^Close( all|$)")).last.click()
    status.get_by_text("Jobs", exact=True).wait_for(state="detached")


def test_what_failed_stays_says_why_and_keeps_what_was_filled_in(
    app: Any, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    app.open("attacked")
    form = app.run(RESTORE)
    app.fill(form, "Output folder", str(tmp_path / "back"))
    app.fill(form, "Confirmation code", "ABCD-EFGH-IJKL-MNOP")
    form.get_by_role("button", name="Restore", exact=True).click()
    problem = "The confirmation code is wrong or too old"
    status = status_of(app)
    status.get_by_text(problem).first.wait_for()
    app.page.wait_for_timeout(8000)  # a message of the App's would be gone
    expect(status.get_by_text(problem).first).to_be_visible()
    app.picture("jobs_failed")
    status.get_by_role("button", name="Try again").first.click()
    form = app.page.get_by_role("dialog")
    form.get_by_text("Output folder").first.wait_for()
    folder = form.get_by_text("Output folder", exact=True).first
    field = folder.locator("xpath=following::input").first
    expect(field).to_have_value(str(tmp_path / "back"))
    values = form.locator("input").evaluate_all("all => all.map(one => one.value)")
    assert "ABCD" not in "".join(values)


def test_the_form_says_what_can_not_be_before_it_runs(app: Any) -> None:
    from playwright.sync_api import expect

    app.open("tiles")
    form = app.run(PROTECT)
    app.choose(form, "Recipient", "alice")
    submit = form.get_by_role("button", name="Protect", exact=True)
    submit.click(trial=True)
    folder = app.server.folder / "tiles"
    app.fill(form, "Output folder", str(folder))
    form.get_by_text("holds the originals; choose another folder").first.wait_for()
    expect(submit).to_be_disabled()
    app.picture("form_source_folder")
    app.fill(form, "Output folder", str(app.server.folder / "plugins"))
    form.get_by_text("the folder isn't empty").first.wait_for()
    expect(submit).to_be_disabled()
    app.picture("form_full_folder")


def test_checking_files_is_a_job_and_shows_what_is_stale(app: Any) -> None:
    app.open("worn")
    status = app.panel("protection_status", "Protection status")
    status.get_by_role("button", name="Check files").click()
    status.get_by_text(re.compile("^Check files: |^Checked 12 files")).first.wait_for()
    found = re.compile("Checked 12 files: 1 protected file is missing or damaged")
    status.get_by_text(found).first.wait_for(timeout=JOB_MS)
    status.get_by_text("1 image was stale when the files were last checked").wait_for()
    app.picture("checked_files")
    status.get_by_role("button", name="Show 1 stale").click()
    app.count(1)
    app.page.get_by_text("protection: stale", exact=True).wait_for()
    status.get_by_role("button", name=re.compile("^Close( all|$)")).last.click()
    status.get_by_text(re.compile("^Closed .* gone for good in a minute")).wait_for()
    app.picture("closed_job")
    status.get_by_role("button", name="Undo").click()
    status.get_by_text(found).first.wait_for()
