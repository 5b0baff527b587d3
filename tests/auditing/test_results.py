import json
from dataclasses import replace

import pytest

from fiftyone_reue.auditing.results import Audit, Cell, Subject, retained, summarise

pytestmark = pytest.mark.unit


def cell(**values) -> Cell:
    usual = Cell("rue", "none", "small_resnet", 0, 0.2, 0.3, (0.3, 0.2), 1.5)
    return replace(usual, **values)


def audit(*cells: Cell) -> Audit:
    return Audit(
        name="test",
        subjects=[Subject("originals", "Originals", "reference")],
        countermeasures=["none"],
        victims=["small_resnet", "mlp"],
        seeds=[0, 1],
        cells=list(cells),
        classes=["a", "b"],
        size=32,
        counts={"train": 10, "clean": 2, "test": 4},
        chance=0.5,
        settings={"epochs": 3},
        environment={"torch": "2"},
    )


def test_an_audit_survives_json():
    made = audit(cell(), cell(seed=1))
    assert Audit.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_a_failed_cell_has_no_number_in_json():
    nan = float("nan")
    text = json.dumps(
        audit(cell(accuracy=nan, best=nan, failure="why")).to_dict(), allow_nan=False
    )
    again = Audit.from_dict(json.loads(text)).cells[0]
    assert again.failure == "why"
    assert again.accuracy != again.accuracy


def test_a_summary_takes_the_seeds_of_one_cell_and_no_failures():
    made = audit(
        cell(accuracy=0.2),
        cell(seed=1, accuracy=0.4),
        cell(seed=2, accuracy=float("nan"), failure="why"),
        cell(victim="mlp", accuracy=0.9),
        cell(countermeasure="gray", accuracy=0.9),
        cell(subject="lsp", accuracy=0.9),
    )
    found = made.summary("rue", "none")
    assert found is not None
    assert (found.mean, found.count) == (pytest.approx(0.3), 2)
    assert found.spread == pytest.approx(0.1414, abs=1e-3)
    assert made.summary("rue", "none", "mlp") == summarise([0.9])
    assert made.summary("rue", "jpeg_10") is None


def test_one_seed_has_no_spread():
    assert summarise([0.5]).spread is None
    assert summarise([]) is None


def test_retained_is_relative_to_the_originals():
    assert retained(0.5, 0.9, 0.1) == pytest.approx(0.5)
    assert retained(0.05, 0.9, 0.1) == 0
    assert retained(0.95, 0.9, 0.1) == 1
    assert retained(0.1, 0.12, 0.1) is None
