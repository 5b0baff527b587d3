"""One press shows originals or copies, in the grid and in the open sample at once."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

COPY = re.compile("filepath=.*handed_out")
LOOK = """() => new Promise(done => {
    const {Operator, OperatorConfig, registerOperator} = window.__foo__;
    const {selectedMediaField} = window.__fos__;
    class Look extends Operator {
        get config() { return new OperatorConfig({name: "look", label: "Look"}); }
        async execute({state}) {
            done([await state.snapshot.getPromise(selectedMediaField(false)),
                  await state.snapshot.getPromise(selectedMediaField(true))]);
        }
    }
    registerOperator(Look, "@test/look");
    window.__foo__.executeOperator("@test/look/look", {});
})"""


def fields_of(app: Any) -> tuple[str, str]:
    """The media fields that the page shows in the grid and in an open sample."""
    grid, sample = app.page.evaluate(LOOK)
    return grid, sample


def wait_for(app: Any, field: str) -> None:
    for _ in range(50):
        if fields_of(app) == (field, field):
            return
        app.page.wait_for_timeout(200)
    assert fields_of(app) == (field, field)


def test_one_press_switches_the_grid_and_the_open_sample(app: Any) -> None:
    app.open("released")
    app.make_room()
    in_grid = app.page.locator('[data-item-id$="/switch_media"]').get_by_text("flip")
    in_grid.wait_for()
    wait_for(app, "filepath")
    with app.page.expect_request(COPY):
        in_grid.click()
    wait_for(app, "protected_filepath")
    app.picture("switch_grid")

    app.page.locator('[data-cy="looker"]').first.click()
    sample = app.page.locator('[data-cy="modal"]')
    sample.locator("canvas").first.wait_for()
    app.picture("switch_sample")
    copy = sample.locator("canvas").first.screenshot()
    sample.get_by_text("flip", exact=True).click()
    wait_for(app, "filepath")
    app.picture("switch_sample_again")
    assert sample.locator("canvas").first.screenshot() != copy
    # The server would open it again for the next page.
    app.open("tiles")


def test_the_compare_panel_switches_both(app: Any) -> None:
    app.open("released")
    app.page.locator('[data-cy="looker"]').first.hover()
    box = app.page.locator('[data-cy="looker"]').first.locator("input[type=checkbox]")
    box.evaluate("element => element.click()")
    panel = app.panel("compare_copies", "Compare copies")
    with app.page.expect_request(COPY):
        panel.get_by_role("button", name="Protected copies in the grid").click()
    wait_for(app, "protected_filepath")
    panel.get_by_role("button", name="Originals in the grid").click()
    wait_for(app, "filepath")


def test_there_is_no_button_where_nothing_has_a_copy(app: Any) -> None:
    app.open("unlabelled")
    app.make_room()
    app.page.locator('[data-item-id="tag"]').wait_for()
    app.page.wait_for_timeout(1000)
    assert not app.page.locator('[data-item-id$="/switch_media"]').count()
