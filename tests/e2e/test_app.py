"""What a person does in the App: protect, look at the result, trace a leak."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

pytestmark = pytest.mark.e2e

CLASSES = 10
TILES = 6
PROTECT = "Protect a dataset for a recipient"
JPEG = b"\xff\xd8\xff"
JOB_MS = 180_000
"""A job's worker may have to be started first."""


def media_of(page: Any) -> list[str]:
    """Collects the media files that the App asks for from now on."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if "/media?filepath=" in request.url:
            asked.append(unquote(request.url.split("filepath=")[1]))

    page.on("request", note)
    return asked


def test_protect_from_the_operator_browser_and_compare(app: Any) -> None:
    from playwright.sync_api import expect

    app.open("tiles")
    app.count(CLASSES * TILES)
    form = app.run(PROTECT)
    submit = form.get_by_role("button", name="Protect", exact=True)
    expect(submit).to_be_disabled()
    app.choose(form, "Recipient", "carol")
    app.choose(form, "Method", "LSP")
    app.picture("protect_form")
    submit.click()
    panel = app.page.locator('[data-cy="panel-content-protection_status"]')
    panel.get_by_text("Protect for carol").first.wait_for()
    app.page.get_by_role("dialog").wait_for(state="detached")
    app.picture("protect_job")
    done = f"Protected {CLASSES * TILES} images for carol (release carol_1)"
    panel.get_by_text(done).wait_for(timeout=JOB_MS)
    panel.get_by_text("60 of 60 images are protected (100%)").wait_for()
    app.picture("protect_done")

    app.make_room()
    app.page.click('[data-cy="action-display-options"]')
    choice = app.page.get_by_text("protected_filepath", exact=True).last
    with app.page.expect_request(re.compile("tiles-releases%2Fcarol%2F")):
        choice.click()
    app.picture("protected_media")


def test_a_mixed_dataset_keeps_each_files_kind(app: Any, tmp_path: Path) -> None:
    source = app.server.folder / "mixed"
    originals = {path.relative_to(source): path for path in source.rglob("*.*")}
    app.open("mixed")
    form = app.run(PROTECT)
    app.choose(form, "Recipient", "carol")
    app.choose(form, "Method", "LSP")
    size = sum(path.stat().st_size for path in originals.values() if is_jpeg(path))
    form.get_by_text(
        "4 of 12 are JPEG files and stay JPEG files, about 1.1 times as large: "
        f"{size / 1e3:.1f} kB become {1.1 * size / 1e3:.1f} kB."
    ).wait_for()
    app.picture("protect_form_mixed")
    form.get_by_role("button", name="Protect", exact=True).click()
    done = app.page.get_by_text(re.compile("Protected 12 images for carol")).first
    done.wait_for(timeout=JOB_MS)
    # The grid is read anew once the job has ended.
    app.page.get_by_text("12 of 12 images are protected (100%)").wait_for()
    app.make_room()
    app.page.click('[data-cy="action-display-options"]')
    choice = app.page.get_by_text("protected_filepath", exact=True).last
    with app.page.expect_response(re.compile(r"mixed-releases.*\.jpg")) as shown:
        choice.click()
    assert shown.value.body().startswith(JPEG)
    app.picture("protected_media_mixed")
    copy = Path(unquote(shown.value.url.split("filepath=")[1]).split("&")[0])
    release = copy.parents[1]
    for name, original in originals.items():
        made = one_like(release / name)
        assert kind(made) == kind(original), name
        assert made.read_bytes() != original.read_bytes()

    form = app.run("Restore a protected dataset")
    app.fill(form, "Output folder", str(tmp_path / "restored"))
    app.fill(form, "Confirmation code", app.server.code("restore_dataset"))
    form.get_by_role("button", name="Restore", exact=True).click()
    done = app.page.get_by_text(re.compile("Restored 12 originals exactly")).first
    done.wait_for(timeout=JOB_MS)
    for name, original in originals.items():
        restored = tmp_path / "restored" / name
        assert kind(restored) == kind(original), name
        if is_jpeg(original):
            assert restored.read_bytes() == original.read_bytes()


def one_like(path: Path) -> Path:
    """The file of this name but for the digits of its own that a sample's file has."""
    (found,) = path.parent.glob(f"{path.stem}-*{path.suffix}")
    return found


def kind(path: Path) -> str | None:
    """What a file is, whatever it is called."""
    with Image.open(path) as image:
        return image.format


def is_jpeg(path: Path) -> bool:
    return path.suffix == ".jpg"


def test_what_deep_hiding_hid_is_revealed(app: Any, tmp_path: Path) -> None:
    app.open("few")
    form = app.run(PROTECT)
    app.choose(form, "Recipient", "carol")
    app.choose(form, "Method", "Deep Hiding")
    app.picture("hiding_form")
    form.get_by_role("button", name="Protect", exact=True).click()
    done = f"Protected {2 * TILES} images for carol"
    app.page.get_by_text(re.compile(done)).first.wait_for(timeout=JOB_MS)

    form = app.run("Reveal what was hidden in images")
    form.get_by_label("Decoys").or_(form.locator("input[type=number]")).first.fill("5")
    folder = form.get_by_text("Folder for the pictures").locator(
        "xpath=following::input"
    )
    folder.first.fill(str(tmp_path / "pictures"))
    app.fill(form, "Confirmation code", app.server.code("reveal_hidden"))
    app.picture("reveal_form")
    form.get_by_role("button", name="Reveal", exact=True).click()
    panel = app.page.locator('[data-cy="panel-content-protection_status"]')
    panel.get_by_role("button", name="Show the result").click(timeout=JOB_MS)
    app.page.get_by_text("Images that no decoy fits as well").wait_for()
    scenes = app.page.get_by_alt_text("The scene seen in the image")
    app.drawn(scenes, 3)
    app.picture("hiding_revealed")
    app.page.get_by_role("dialog").get_by_role("button", name="Done").click()

    app.make_room()
    app.page.click('[data-cy="action-display-options"]')
    choice = app.page.get_by_text("revealed_filepath", exact=True).last
    with app.page.expect_request(re.compile(r"pictures%2F.*\.revealed\.png")):
        choice.click()
    app.picture("revealed_media")


def test_status_panel_counts_and_filters(app: Any) -> None:
    app.open("released")
    panel = app.panel("protection_status", "Protection status")
    panel.get_by_text("54 of 60 images are protected (90%)").wait_for()
    plots = panel.locator(".js-plotly-plot")
    plots.first.locator(".bars .point path").first.wait_for()
    app.picture("status")
    # Of three traces with a bar for each class, the last class of the last trace.
    app.filter_by_bar(plots.first, 3 * CLASSES - 1, TILES)
    app.picture("status_filtered")
    panel.get_by_role("button", name="Show all").click()
    app.count(CLASSES * TILES)
    app.filter_by_bar(plots.nth(1), 1, 6 * TILES)
    panel.get_by_role("button", name="Show all").click()

    panel.get_by_role("button", name="Check files").click()
    panel.get_by_text("Checked 54 files: every copy is there").wait_for()

    row = panel.locator("tbody tr").filter(has_text="alice_1")
    row.get_by_role("button").click()
    app.page.get_by_role("menuitem", name="Show this release").click()
    form = app.page.get_by_role("dialog")
    form.get_by_role("button", name="Show", exact=True).click()
    panel.get_by_text("36 of 60 images are protected (60%)").wait_for()


def test_status_panel_shows_an_audit_and_leads_to_the_next(app: Any) -> None:
    from playwright.sync_api import expect

    app.open("released")
    panel = app.panel("protection_status", "Protection status")
    section = panel.get_by_text("How well it holds", exact=True)
    section.wait_for()
    app.choose(panel, "How well it holds", "bob_1")
    headline = re.compile("Nothing can be told of release bob_1")
    panel.get_by_text(headline).wait_for()
    expect(panel.locator("tbody tr").filter(has_text="Grayscale")).to_have_count(1)
    app.show(section)
    app.picture("status_audit")
    with app.page.context.expect_page() as opened:
        panel.get_by_role("link", name="Open the report").click()
    opened.value.get_by_text(headline).first.wait_for()
    opened.value.close()

    app.choose(panel, "How well it holds", "alice_1")
    panel.get_by_text("alice_1 is not audited yet").wait_for()
    panel.get_by_role("button", name="Audit this release").click()
    form = app.page.get_by_role("dialog")
    release = form.get_by_role("combobox").first
    release.filter(has_text="alice_1").wait_for()
    app.choose(form, "Countermeasures", "Grayscale")
    # A trial waits until the button can be pressed, and doesn't press it.
    form.get_by_role("button", name="Audit", exact=True).click(trial=True)
    app.picture("audit_form")
    form.get_by_role("button", name="Cancel").click()


def test_status_panel_of_an_unprotected_dataset_leads_to_the_form(app: Any) -> None:
    app.open("unlabelled")
    panel = app.panel("protection_status", "Protection status")
    panel.get_by_text("Nothing is protected yet").wait_for()
    app.picture("status_empty")
    panel.get_by_role("button", name="Protect images").click()
    form = app.page.get_by_role("dialog")
    form.get_by_text(PROTECT).wait_for()
    # It has no labels, and the form says what to do about it.
    form.get_by_text("no class labels").first.wait_for()
    form.get_by_role("button", name="Cancel").click()


def test_leak_check_names_the_recipient(app: Any) -> None:
    from playwright.sync_api import expect

    app.open("found")
    panel = app.panel("leak_check", "Leak check")
    panel.get_by_text("Whose copy are these images?").wait_for()
    app.picture("leak_check_empty")
    asked = media_of(app.page)
    panel.get_by_role("button", name="Check", exact=True).click()
    derived = panel.get_by_text("Derived from the copy of bob", exact=True)
    derived.wait_for(timeout=JOB_MS)
    panel.get_by_text("12 suspects · 12 match an original").wait_for()
    rows = panel.locator("tbody tr")
    expect(rows.nth(0)).to_have_text(re.compile(r"^bob \(named\)"))
    expect(rows.nth(1)).to_have_text(re.compile("^the best innocent"))
    app.show(panel.get_by_text("Whose copy are these images?"))
    app.picture("leak_check")
    panel.get_by_text("Page 1 of 3").wait_for()
    heading = panel.get_by_text("Suspect", exact=True)
    app.show(heading)
    app.picture("leak_check_pairs")
    shown = [path for path in asked if "IMG_" in path or "/tiles/" in path]
    assert any("/tiles/" in path for path in shown)
    app.drawn(panel.locator("img"))

    panel.get_by_role("button", name="Next").click()
    panel.get_by_text("Page 2 of 3").wait_for()
    panel.get_by_role("button", name="Show used suspects").click()
    app.count(12)

    panel.get_by_text("A folder", exact=True).click()
    panel.get_by_placeholder("/data/suspects").fill("/nowhere")
    panel.get_by_role("button", name="Check", exact=True).click()
    panel.get_by_text("/nowhere: there is no such file or folder").wait_for()
    app.picture("leak_check_problem")
