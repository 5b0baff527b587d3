"""Cases of past versions are verified for ever."""

import json
import shutil
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.proofs.verification import verify

pytestmark = pytest.mark.unit

CASES = Path(__file__).parent / "cases"
"""Each in a folder of its format: drawn textures, with looks before and a second
suspect of an original."""

FORMATS = sorted(path.name for path in CASES.iterdir())


def test_there_are_cases_of_each_format() -> None:
    assert FORMATS == ["2", "3", "4"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_case_holds(form: str) -> None:
    assert json.loads((CASES / form / "evidence.json").read_text())["format"] == int(
        form
    )
    found = verify(CASES / form)
    assert found.holds
    assert (found.named, found.images) == (["alice"], 4)
    told = {one.name: one.state for one in found.steps}
    for name in ("soft bits", "verdict", "claim", "evidence.json"):
        assert told[name] == "checked", name
    assert told["looks"] == "believed"


def test_marks_the_wrong_way_round_count_from_format_4_on(tmp_path: Path) -> None:
    content = json.loads((CASES / "4" / "evidence.json").read_text())
    assert "1 original shows a mark the wrong way round" in content["claim"]
    case = tmp_path / "case"
    shutil.copytree(CASES / "4", case)
    path = case / "evidence.json"
    path.write_text(path.read_text().replace('"format": 4', '"format": 3'))
    found = verify(case)
    told = {one.name: one for one in found.steps}
    assert told["verdict"].state == told["evidence.json"].state == "failed"
    assert verify(CASES / "4").p_value < found.p_value / 100


def test_an_original_has_one_suspect_in_format_2(tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASES / "3", case)
    path = case / "evidence.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 2'))
    with pytest.raises(InputError, match="an original is there twice"):
        verify(case)


def test_no_suspect_of_a_joined_original_can_be_left_out(tmp_path: Path) -> None:
    """The look that was noted is of both."""
    case = tmp_path / "case"
    shutil.copytree(CASES / "3", case)
    path = case / "evidence.json"
    content = json.loads(path.read_text())
    images = [row["image_id"] for row in content["readings"]]
    (twice,) = {one for one in images if images.count(one) > 1}
    del content["readings"][images.index(twice)]
    path.write_text(json.dumps(content))
    found = verify(case)
    assert not found.holds
    told = {one.name: one.state for one in found.steps}
    assert told["looks"] == told["evidence.json"] == "failed"


def test_a_suspect_counts_once(tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASES / "3", case)
    path = case / "evidence.json"
    content = json.loads(path.read_text())
    content["readings"].append(content["readings"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="a suspect of an original is there twice"):
        verify(case)
