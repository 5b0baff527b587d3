"""docs/security.md claims nothing that no test shows."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parent.parent
NAMED = re.findall(
    r"`(tests/[\w/]+\.py)::(\w+)`", (REPO / "docs/security.md").read_text()
)


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED)))
def test_the_named_test_is_there(file: str, test: str) -> None:
    assert f"def {test}(" in (REPO / file).read_text()


def test_every_row_names_a_test_or_says_where_it_is_said() -> None:
    text = (REPO / "docs/security.md").read_text()
    table = text.split("| who |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) > 10
    for row in table:
        shown = row.rstrip(" |").rsplit("|", 1)[1]
        assert "::" in shown or "said in " in shown, row


def test_every_operator_that_asks_for_a_code_is_listed() -> None:
    from fiftyone_reue.samples.confirm import ACTIONS

    section = (REPO / "docs/security.md").read_text().split("### What asks")[1]
    listed = section.split("###")[0]
    assert [name for name in ACTIONS if f"`{name}`" not in listed] == []
