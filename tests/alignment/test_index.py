import faiss
import numpy as np
import pytest

from fiftyone_reue.alignment import features, index
from fiftyone_reue.alignment.features import Features
from fiftyone_reue.alignment.index import FeatureIndex

pytestmark = pytest.mark.unit

CAT = [("cat", [0])]


def nearest(built: FeatureIndex, part: Features) -> list[tuple[str, list[int]]]:
    """The likeliest original, and which of the suspects may show it."""
    return [one[:2] for one in built.nearest([part], 1)]


def test_parts_find_their_original(lumas, tmp_path):
    built = FeatureIndex(lambda: list(lumas), lumas.get, tmp_path)
    for name, luma in lumas.items():
        part = features.find(luma[40:150, 50:200])
        assert built.nearest([part], 2)[0][:2] == (name, [0])


def test_originals_that_are_gone_are_not_found(lumas, tmp_path):
    built = FeatureIndex(lambda: ["gone", "cat"], lumas.get, tmp_path)
    flat = features.find(np.zeros((90, 90), np.float32))
    found = built.nearest([flat, features.find(lumas["cat"])], 5)
    assert [one[:2] for one in found] == [("cat", [1])]
    assert found[0].votes > 0
    assert len(built.of("gone")) == 0


def test_flat_suspects_find_nothing(lumas, tmp_path):
    built = FeatureIndex(lambda: list(lumas), lumas.get, tmp_path)
    flat = features.find(np.full((90, 90), 7, np.float32))
    assert built.nearest([flat, flat], 5) == []
    gone = FeatureIndex(lambda: ["a"], lambda _: None, tmp_path / "none")
    assert gone.nearest([flat], 5) == []


def test_what_was_found_once_is_not_looked_for_again(lumas, tmp_path):
    part = features.find(lumas["cat"][40:150, 50:200])
    asked: list[str] = []

    def luma(image_id: str) -> np.ndarray | None:
        asked.append(image_id)
        return lumas.get(image_id)

    for ids, looked in ((["cat", "gone"], 2), (["cat", "coffee"], 1), (["cat"], 0)):
        asked.clear()
        given = ids.copy
        assert nearest(FeatureIndex(given, luma, tmp_path), part) == CAT
        assert len(asked) == looked
    ahead = FeatureIndex(lambda: ["cat", "coffee", "gone", "rocket"], luma, tmp_path)
    assert not ahead.is_complete
    assert ahead.missing() == ["gone", "rocket"]
    ahead.add(ahead.look(one) for one in ahead.missing())
    assert ahead.gone == {"gone"}
    assert ahead.is_complete
    asked.clear()
    assert nearest(ahead, part) == CAT
    assert not asked
    # The store may know originals that the ledger doesn't.
    assert nearest(FeatureIndex(lambda: ["coffee"], luma, tmp_path), part) != CAT


def test_many_features_are_looked_for_in_cells(lumas, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "COMPARED", 100)
    monkeypatch.setattr(index, "CELLS", 4)
    parts = {n: features.find(one[40:150, 50:200]) for n, one in lumas.items()}
    few = ["cat", "coffee"]
    assert nearest(FeatureIndex(lambda: few, lumas.get, tmp_path), parts["cat"]) == CAT
    for name, part in parts.items():  # with what is new added to what was kept
        found = nearest(FeatureIndex(lambda: list(lumas), lumas.get, tmp_path), part)
        assert found == [(name, [0])]
    path = tmp_path / "features.faiss"
    assert faiss.read_index(str(path)).nlist == 4
    # So many more than the cells were made for, that there should be more of them.
    monkeypatch.setattr(index, "IN_A_CELL", 8)
    for name, part in parts.items():
        found = nearest(FeatureIndex(lambda: list(lumas), lumas.get, tmp_path), part)
        assert found == [(name, [0])]
    assert faiss.read_index(str(path)).nlist >= 16


@pytest.mark.parametrize(
    ("rows", "cells"),
    [(0, 1024), (30_000, 1024), (10**6, 4096), (10**7, 16384), (10**9, 16384)],
)
def test_more_features_are_in_more_cells(rows, cells):
    assert index.cells_for(rows) == cells
