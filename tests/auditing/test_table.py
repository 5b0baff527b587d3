import math

import pytest

from fiftyone_reue.auditing.results import Audit, Cell, Subject
from fiftyone_reue.auditing.table import (
    accuracy_text,
    countermeasure_table,
    victim_table,
)
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.unit


def cell(subject, accuracy, victim="small_resnet", seed=0, name="none", failure=""):
    return Cell(subject, name, victim, seed, accuracy, accuracy, (), 1.0, failure)


@pytest.fixture
def audit() -> Audit:
    return Audit(
        name="bench",
        subjects=[
            Subject("originals", "Originals", "reference"),
            Subject("rue", "RUE", "method", 33.12, 8, 4.04),
            Subject("lsp", "Patches | of\nAlice <b>", "method", math.inf, 8, 0.5),
        ],
        countermeasures=["none", "newer"],
        victims=["small_resnet", "mlp"],
        seeds=[0, 1],
        cells=[
            cell("originals", 0.1),
            cell("rue", 0.25),
            cell("lsp", 0.5),
            cell("rue", 0.2, "mlp", 0),
            cell("rue", 0.3, "mlp", 1),
            cell("lsp", 0.1, "mlp"),
            cell("lsp", math.nan, name="newer", failure="no"),
        ],
        classes=["a", "b"],
        size=32,
        counts={},
        chance=0.5,
        settings={},
        environment={},
    )


def rows(table: str) -> list[list[str]]:
    assert table.endswith("|\n")
    return [line.split(" | ") for line in table.splitlines()]


def test_cells_are_percent_and_the_lowest_attacked_one_is_bold(audit):
    head, rule, none, newer, psnr, seconds = rows(countermeasure_table(audit))
    assert head == [
        "| Countermeasure",
        "Originals",
        "RUE",
        r"Patches \| of Alice &lt;b> |",
    ]
    assert rule == ["| ---", "---:", "---:", "---: |"]
    assert none == ["| None", "10.0", "**25.0**", "50.0 |"]
    assert newer == ["| newer", "–", "–", "failed |"]
    assert psnr == ["| PSNR, dB", "–", "33.1", "∞ |"]
    assert seconds == ["| Seconds to make", "–", "4.0", "0.5 |"]


def test_subjects_and_victim_can_be_chosen(audit):
    table = rows(countermeasure_table(audit, ["rue", "originals"], "mlp"))
    assert table[0] == ["| Countermeasure", "RUE", "Originals |"]
    assert table[2] == ["| None", "25.0 ± 7.1", "– |"]  # alone, so not bold
    with pytest.raises(InputError, match="Choose subjects"):
        countermeasure_table(audit, ["nobody"])


def test_a_row_for_each_victim(audit):
    head, _, first, second = rows(victim_table(audit))
    assert head[0] == "| Network"
    assert first == ["| Small residual network", "10.0", "**25.0**", "50.0 |"]
    assert second == ["| Multilayer perceptron", "–", "25.0 ± 7.1", "**10.0** |"]


def test_those_that_show_the_same_figure_are_all_bold(audit):
    audit.cells[:] = [cell("rue", 0.2501), cell("lsp", 0.2499)]
    assert rows(countermeasure_table(audit))[2][2:] == ["**25.0**", "**25.0** |"]


def test_nothing_is_a_dash():
    assert accuracy_text(None) == "–"
