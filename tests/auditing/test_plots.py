import math
import re
import warnings
from xml.etree import ElementTree

import pytest

from fiftyone_reue.auditing.plots import accuracy_bars, accuracy_curves, heat_map
from fiftyone_reue.auditing.results import Audit, Cell, Subject
from fiftyone_reue.auditing.verdict import judge

pytestmark = pytest.mark.unit

NAMES = ["none", "plain", "$x_{<script>--", "failing", "absent"]
AWKWARD = "A $release & <b>\x01 of $"


def cell(subject: str, name: str, accuracy: float, curve=(0.3, 0.2)) -> Cell:
    return Cell(subject, name, "small_resnet", 0, accuracy, accuracy, curve, 1.0)


@pytest.fixture(scope="module")
def audit() -> Audit:
    cells = [
        cell(subject, name, accuracy)
        for subject, accuracy in (("originals", 0.7), ("a", 0.2), ("b", 0.6))
        for name in NAMES[:3]
    ]
    failed = Cell("a", "failing", "small_resnet", 0, math.nan, math.nan, (), 1, "why")
    return Audit(
        name="a",
        subjects=[
            Subject("originals", "Originals", "reference"),
            Subject("a", AWKWARD, "release"),
            Subject("b", "B", "method"),
        ],
        countermeasures=NAMES,
        victims=["small_resnet"],
        seeds=[0],
        cells=[*cells, failed],
        classes=["x", "y"],
        size=32,
        counts={"test": 100},
        chance=0.1,
        settings={},
        environment={},
    )


def parsed(svg: str) -> ElementTree.Element:
    assert svg.startswith("<svg")
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("}svg")
    assert "<script" not in svg
    return root


def identifiers(svg: str) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', svg))


@pytest.mark.slow
def test_all_plots_are_xml_whatever_the_names(audit):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for svg in (
            accuracy_bars(judge(audit, "a"), 0.1),
            accuracy_curves(audit, judge(audit, "a")),
            heat_map(audit, ["a", "b"]),
        ):
            assert parsed(svg).get("viewBox") is not None


@pytest.mark.slow
def test_figures_on_one_page_share_no_ids_and_point_to_their_own(audit):
    first = accuracy_bars(judge(audit, "a"), 0.1)
    second = accuracy_bars(judge(audit, "b"), 0.1)
    assert identifiers(first)
    assert not identifiers(first) & identifiers(second)
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', first))
    assert {a or b for a, b in used} <= identifiers(first)


@pytest.mark.slow
def test_every_measured_countermeasure_has_a_bar_with_its_figures(audit):
    svg = accuracy_bars(judge(audit, "a"), 0.1)
    # matplotlib puts every text it draws into a comment
    assert svg.count("<!-- 20.0 -->") == 3
    assert svg.count("<!-- 70.0 -->") == 3
    assert "<!-- plain -->" in svg
    assert "<!-- absent -->" not in svg
    assert "<!-- holds -->" in svg
    assert "<!-- broken -->" not in svg


def test_curves_name_the_worst_countermeasures(audit):
    svg = accuracy_curves(audit, judge(audit, "b"), most=1)
    assert "<!-- No countermeasure -->" in svg
    assert "<!-- plain -->" in svg
    assert "x_{" not in svg


def test_the_heat_map_has_a_cell_for_everything(audit):
    svg = heat_map(audit, ["a", "b"])
    assert svg.count("<!-- 70 -->") == 3
    assert svg.count("<!-- 20 -->") == 3
    assert svg.count("<!-- 60 -->") == 3
    assert svg.count("<!-- – -->") == 6
    assert "<!-- absent -->" in svg


@pytest.mark.slow
def test_many_methods_widen_the_heat_map(audit):
    few = parsed(heat_map(audit, ["a"])).get("viewBox")
    many = parsed(heat_map(audit, ["a", "b"] * 7)).get("viewBox")
    assert few is not None
    assert many is not None
    assert float(many.split()[2]) > float(few.split()[2])


@pytest.mark.slow
def test_an_audit_without_cells_can_be_drawn(audit):
    from dataclasses import replace

    empty = replace(audit, cells=[])
    parsed(accuracy_bars(judge(empty, "a"), 0.1))
    parsed(accuracy_curves(empty, judge(empty, "a")))
    parsed(heat_map(empty, ["a", "b"]))
