"""What agents are told: FiftyOne finds it, and it names what there is.

Their examples are run by ``tests/docs/test_pages.py``.
"""

import re
from pathlib import Path

import pytest
import yaml

from fiftyone_reue.samples.confirm import ACTIONS
from tests.docs.examples import examples

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]
MANIFEST = yaml.safe_load((REPO / "fiftyone.yml").read_text("utf-8"))
SKILLS = {path.parent.name: path for path in (REPO / "skills").glob("*/SKILL.md")}


def test_the_manifest_names_those_that_there_are() -> None:
    assert sorted(MANIFEST["skills"]) == sorted(SKILLS)
    assert sorted(SKILLS) == sorted(path.name for path in (REPO / "skills").iterdir())


@pytest.mark.parametrize("name", SKILLS)
def test_a_skill_says_what_it_is_for(name: str) -> None:
    text = SKILLS[name].read_text("utf-8")
    _, front, body = text.split("---\n", 2)
    about = yaml.safe_load(front)
    assert about.keys() == {"name", "description"}
    assert about["name"] == name
    assert 80 < len(about["description"]) < 400
    assert 'For "' in about["description"]
    assert "\n## Rules\n" in body
    assert len(body.splitlines()) < 120


@pytest.mark.parametrize("name", SKILLS)
def test_its_code_is_run_and_calls_operators_that_there_are(name: str) -> None:
    found = examples(SKILLS[name].read_text("utf-8"))
    assert {one.language for one in found} <= {"bash", "python"}
    code = "\n".join(one.code for one in found)
    called = re.findall(
        r"get_operator\(f?\"(?:@reue/fiftyone-reue|{plugin})/(\w+)", code
    )
    assert called
    assert set(called) <= set(MANIFEST["operators"])
    said = re.findall(r"reue app confirm (\w+)", SKILLS[name].read_text("utf-8"))
    assert set(said) <= {*ACTIONS, "NAME_OF_OPERATOR"}
