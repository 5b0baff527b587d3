"""What protecting would give, on the command line."""

import pytest

pytestmark = pytest.mark.integration


def test_a_preview_is_said_and_writes_nothing(house):
    before = sorted(house.root.rglob("*"))
    said = house.ok("preview", "@source", "--method", "lsp").stdout
    assert "All 12 images: " in said
    assert "lossless pixels" in said
    assert "nothing was written" in said
    rows = [line for line in said.splitlines() if "→" in line]
    assert len(rows) == 8
    assert all(row.count("kB") == 2 for row in rows), "no figure is broken"
    told = house.json("preview", "@source", "--method", "lsp", "--count", "3")
    assert (told["total"], len(told["images"]), told["failures"]) == (12, 3, [])
    assert told["size_after"] > 0
    assert sorted(house.root.rglob("*")) == before


def test_what_can_not_be_previewed_is_said(house):
    assert "no such folder" in house.fails("preview", "@nowhere")
    said = house.fails("preview", "@source", "--option", "strength=loud")
    assert "must be a whole number" in said
