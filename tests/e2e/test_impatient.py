"""What an impatient user does: undo, cancel, type nonsense, change things elsewhere."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

DATASET = "left"
JOB_MS = 180_000
"""A job's worker may have to be started first."""

MAKE = """
import fiftyone as fo
from fiftyone_reue import samples as reue
made = fo.Dataset("left", persistent=True)
for one in fo.load_dataset("few"):  # which others protect
    label = fo.Classification(label=one.ground_truth.label)
    made.add_sample(fo.Sample(filepath=one.filepath, ground_truth=label))
reue.add_recipient("erin", "erin.key")
reue.protect_samples(made.limit(8), "erin", method="lsp", progress=False)
"""


@pytest.fixture(scope="module")
def dataset(server: Any) -> Iterator[str]:
    """Twelve images of two classes, eight of them protected for erin."""
    server.python(MAKE)
    yield DATASET
    server.python("import fiftyone as fo; fo.delete_dataset('left')")


def test_a_deletion_is_undone_after_a_reload(app: Any, dataset: str) -> None:
    from playwright.sync_api import expect

    code = app.server.code("delete_release")
    app.open(dataset)
    form = app.run("Delete a release")
    app.choose(form, "Release", "erin_1")
    app.fill(form, "Confirmation code", code)
    form.get_by_role("button", name="Delete", exact=True).click()
    status = app.page.locator('[data-cy="panel-content-protection_status"]')
    expect(status.get_by_text(re.compile("Delete erin_1: begins in"))).to_be_visible()
    app.page.reload(wait_until="domcontentloaded")
    status = app.panel_again("protection_status", "Protection status")
    status.get_by_role("button", name="Undo").click()
    undone = status.get_by_text("Delete erin_1: undone, nothing was deleted")
    expect(undone).to_be_visible()
    expect(status.get_by_role("button", name=re.compile("Go on|again"))).to_have_count(
        0
    )
    expect(status.locator("tbody tr").filter(has_text="erin_1").first).to_be_visible()
    app.picture("impatient_undone")


def test_who_is_revoked_elsewhere_is_so_in_an_open_panel(
    app: Any, dataset: str
) -> None:
    from playwright.sync_api import expect

    app.page.set_viewport_size({"width": 1366, "height": 768})
    app.open(dataset)
    status = app.panel("protection_status", "Protection status")
    row = status.locator("tbody tr").filter(has_text="erin_1").first
    expect(row).to_be_visible()
    change = "from fiftyone_reue import samples as reue; reue.{}_recipient('erin')"
    app.server.python(change.format("revoke"))
    # The panel looks every few seconds, and a busy machine takes some to answer.
    expect(row).to_contain_text("erin (revoked)", timeout=JOB_MS)
    held = status.get_by_text(re.compile(", revoked 20"))
    expect(held).to_be_visible()
    app.show(held)
    app.picture("impatient_revoked")
    app.server.python(change.format("reinstate"))
    expect(row).not_to_contain_text("revoked", timeout=JOB_MS)
    expect(held).to_have_count(0)


def test_compare_leads_through_what_is_selected(app: Any, dataset: str) -> None:
    from playwright.sync_api import expect

    app.page.set_viewport_size({"width": 1366, "height": 768})
    app.page.add_init_script("localStorage.setItem('mui-mode', 'light')")
    # The server would open the panels again that the last page left beside the grid.
    app.open("tiles")
    app.open(dataset)
    app.count(12)
    panel = app.panel("compare_copies", "Compare copies")
    first, second = (
        panel.get_by_text(re.compile(f"{number} of 2 that are selected"))
        for number in (1, 2)
    )
    bare = panel.get_by_text("This sample has no copy yet")
    compared = panel.get_by_text(re.compile("gray levels at most"))

    def select(number: int, shown: Any) -> None:
        """Until the panel shows it: a grid that is drawn anew loses a click."""
        looker = app.page.locator('[data-cy="looker"]').nth(number)
        box = looker.locator("input[type=checkbox]")
        for _ in range(5):
            looker.hover()
            if not box.is_checked():
                box.evaluate("element => element.click()")
            with contextlib.suppress(AssertionError):
                expect(shown).to_be_visible(timeout=15_000)
                return
        expect(shown).to_be_visible()

    expect(panel.get_by_text("select one in the grid")).to_be_visible()
    select(0, compared)
    select(8, second)
    expect(bare).to_be_visible()
    app.picture("impatient_bare")
    panel.get_by_role("button", name="Previous").click()
    expect(first).to_be_visible(timeout=JOB_MS)
    expect(compared).to_be_visible(timeout=JOB_MS)
    app.picture("impatient_compared")
    app.open("tiles")
