from pathlib import Path

import pytest

from fiftyone_reue.auditing.cell_store import CellStore, cell_key
from fiftyone_reue.auditing.results import Cell
from fiftyone_reue.errors import OutputError

pytestmark = pytest.mark.unit

CELL = Cell("rue", "none", "mlp", 0, 0.25, 0.5, (0.5, 0.25), 1.5)


def test_cells_are_there_again_when_the_file_is_opened_again(tmp_path: Path):
    path = tmp_path / "audit" / "cells.jsonl"
    store = CellStore(path)
    assert store.get("a") is None
    store.put("a", CELL)
    assert store.get("a") == CELL
    again = CellStore(path)
    assert again.get("a") == CELL
    assert again.get("b") is None


def test_a_line_that_was_cut_short_costs_that_cell_alone(tmp_path: Path):
    path = tmp_path / "cells.jsonl"
    store = CellStore(path)
    store.put("a", CELL)
    store.put("b", CELL)
    path.write_bytes(path.read_bytes()[:-20])
    again = CellStore(path)
    assert again.get("a") == CELL
    assert again.get("b") is None
    again.put("b", CELL)
    assert CellStore(path).get("b") == CELL


def test_what_is_no_store_is_named(tmp_path: Path):
    path = tmp_path / "cells.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OutputError, match="choose another folder"):
        CellStore(path)


def test_keys_differ_with_everything_that_decides_a_cell():
    parts = {"victim": "mlp", "seed": 0, "recipe": {"epochs": 3}}
    assert cell_key(**parts) == cell_key(**dict(reversed(parts.items())))
    others = [{"victim": "vgg19"}, {"seed": 1}, {"recipe": {"epochs": 4}}]
    keys = {cell_key(**parts), *(cell_key(**{**parts, **o}) for o in others)}
    assert len(keys) == 4
