import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fiftyone_reue.auditing.report import write_report
from fiftyone_reue.auditing.results import Audit, Cell, Subject
from fiftyone_reue.errors import OutputError

pytestmark = pytest.mark.unit

VOID = {"meta", "br", "hr", "img", "link"}


def cell(subject: str, name: str, accuracy: float, victim="small_resnet") -> Cell:
    return Cell(subject, name, victim, 0, accuracy, accuracy, (0.3, accuracy), 1.0)


@pytest.fixture
def audit() -> Audit:
    names = ["none", "jpeg_10", "from_a_newer_version"]
    cells = [
        cell(subject, name, accuracy)
        for subject, accuracy in (("originals", 0.7), ("copy", 0.2))
        for name in names[:2]
    ]
    why = "<i>Give</i> images"
    failed = Cell("copy", names[2], "small_resnet", 0, math.nan, math.nan, (), 1, why)
    return Audit(
        name="<script>alert(1)</script>",
        subjects=[
            Subject("originals", "Originals", "reference"),
            Subject("copy", "Copy <script>alert(2)</script>", "release", math.inf, 8),
        ],
        countermeasures=names,
        victims=["small_resnet"],
        seeds=[0],
        cells=[*cells, failed],
        classes=["<script>x", "y"],
        size=32,
        counts={"train": 1234, "clean": 0, "test": 100},
        chance=0.1,
        settings={"epochs": 3, "learning_rate": 0.1},
        environment={"torch": "2"},
        notes=["Measured on <b>half</b> of it."],
    )


class Balanced(HTMLParser):
    """Fails on an element that isn't closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def elements(page: str) -> list[str]:
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return parser.seen


@pytest.mark.slow
def test_both_files_are_written_and_nothing_else(audit, tmp_path):
    folder = tmp_path / "new" / "report"
    paths = write_report(audit, folder)
    assert paths == {"json": folder / "audit.json", "html": folder / "audit.html"}
    assert {path.name for path in folder.iterdir()} == {"audit.json", "audit.html"}
    write_report(replace(audit, name="again"), folder)
    assert len(list(folder.iterdir())) == 2
    assert "Audit of again" in paths["html"].read_text("utf-8")


@pytest.mark.slow
def test_the_json_is_strict_and_gives_the_audit_back(audit, tmp_path):
    def refuse(constant: str):
        raise AssertionError(f"{constant} is no JSON")

    text = write_report(audit, tmp_path)["json"].read_text("utf-8")
    content = json.loads(text, parse_constant=refuse)
    assert sorted(content) == ["audit", "checks", "verdicts"]
    back = Audit.from_dict(content["audit"])
    assert back.cells[:4] == audit.cells[:4]
    assert back.cells[4].failure == audit.cells[4].failure
    assert back.summary("copy", "jpeg_10") == audit.summary("copy", "jpeg_10")
    assert back.subjects[0] == audit.subjects[0]
    (verdict,) = content["verdicts"]
    levels = {f["countermeasure"]: f["level"] for f in verdict["findings"]}
    assert levels["jpeg_10"] == "holds"
    assert levels["from_a_newer_version"] == "not tellable"
    assert "single seed" in " ".join(verdict["cautions"])
    assert content["checks"][0]["passed"] is True


@pytest.mark.slow
def test_names_are_text_never_markup(audit, tmp_path):
    page = write_report(audit, tmp_path)["html"].read_text("utf-8")
    seen = elements(page)
    assert "script" not in seen
    assert "i" not in seen
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Measured on &lt;b&gt;half&lt;/b&gt; of it." in page
    assert "&lt;i&gt;Give&lt;/i&gt; images" in page


@pytest.mark.slow
def test_the_page_needs_nothing_else(audit, tmp_path):
    page = write_report(audit, tmp_path)["html"].read_text("utf-8")
    seen = elements(page)
    assert seen.count("svg") == 2
    assert not {"link", "img", "iframe", "object"} & set(seen)
    assert "@import" not in page
    assert " src=" not in page


@pytest.mark.slow
def test_the_page_says_what_was_found_and_how(audit, tmp_path):
    page = write_report(audit, tmp_path)["html"].read_text("utf-8")
    for text in (
        "holds as it is",
        "from_a_newer_version",
        "single seed",
        "1,234",
        "learning rate",
        "Originals can be learned",
        "∞",
    ):
        assert text in page
    assert "did not pass" not in page


@pytest.mark.slow
def test_a_check_that_fails_is_said_at_the_top(audit, tmp_path):
    cells = [cell("originals", "none", 0.11), *audit.cells[1:]]
    page = write_report(replace(audit, cells=cells), tmp_path)["html"].read_text()
    assert page.index("did not pass 1 of") < page.index("<h2>")


@pytest.mark.slow
def test_several_subjects_and_victims_are_compared(audit, tmp_path):
    subjects = [*audit.subjects, Subject("lsp", "LSP", "method")]
    cells = [*audit.cells, cell("copy", "none", 0.5, "mlp")]
    several = replace(
        audit, subjects=subjects, cells=cells, victims=["small_resnet", "mlp"]
    )
    page = write_report(several, tmp_path)["html"].read_text("utf-8")
    assert elements(page).count("svg") == 2 * 2 + 2  # two each, a heat map a victim
    assert "Side by side" in page
    assert "By network" in page


@pytest.mark.parametrize("kept", [0, 1])
def test_an_audit_without_cells_or_subjects_is_reported(audit, tmp_path, kept):
    bare = replace(audit, cells=[], subjects=audit.subjects[: 1 + kept], counts={})
    page = write_report(bare, tmp_path)["html"].read_text("utf-8")
    elements(page)
    assert ("there is no verdict" in page) == (kept == 0)


def test_a_file_in_the_way_is_said(audit, tmp_path):
    (tmp_path / "report").write_text("x")
    with pytest.raises(OutputError, match="choose another output folder"):
        write_report(audit, tmp_path / "report")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["\x1b[31mred", "a\rb", "gpj.\u202egnp", "a\x9bb"])
def test_names_are_shown_without_what_can_not_be_seen(audit, tmp_path, name):
    subjects = [audit.subjects[0], replace(audit.subjects[1], title=name)]
    odd = replace(audit, name=name, subjects=subjects, classes=[name], notes=[name])
    page = write_report(odd, tmp_path)["html"].read_text("utf-8")
    assert not {one for one in page if not one.isprintable()} - {"\n", "\N{NBSP}"}
    assert name.encode("unicode_escape").decode() in page
    said = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert said["audit"]["name"] == name
