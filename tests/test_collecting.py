"""Which kind a test is, and which tests are run by one process."""

import pytest

from tests.collecting import TESTS, TOGETHER, Collecting, group_of

pytest_plugins = ["pytester"]

MARKED = """
import pytest

{whole_file}

def test_plain():
    pass

@pytest.mark.slow
def test_slow():
    pass

@pytest.mark.slow
@pytest.mark.unit
def test_both():
    pass

@pytest.mark.integration
def test_with_services():
    pass

@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each(n):
    pass
"""


@pytest.mark.parametrize(
    ("whole_file", "units"),
    [
        ("", ["test_plain", "test_each[1]"]),
        ("pytestmark = pytest.mark.unit", ["test_plain", "test_each[1]"]),
        ("pytestmark = [pytest.mark.unit]", ["test_plain", "test_each[1]"]),
        ("pytestmark = pytest.mark.integration", []),
        ("pytestmark = [pytest.mark.unit, pytest.mark.slow]", []),
    ],
)
def test_units_are_neither_slow_nor_in_need_of_services(
    pytester: pytest.Pytester, whole_file: str, units: list[str]
) -> None:
    pytester.makepyfile(MARKED.format(whole_file=whole_file))
    ran = pytester.inline_run(
        "-m", "unit", "-p", "no:xdist", "-p", "no:cacheprovider", plugins=[Collecting()]
    )
    passed, *others = ran.listoutcomes()
    assert [report.nodeid.partition("::")[2] for report in passed] == units
    assert others == [[], []]


def test_what_shares_a_database_is_one_group() -> None:
    assert group_of(TESTS / "samples/test_protect.py") == "fiftyone"
    assert group_of(TESTS / "operators/test_running.py") == "fiftyone"
    assert group_of(TESTS / "cases/test_cases.py") == "cases"


def test_other_files_are_groups_of_their_own() -> None:
    for name in ("vault/test_memo.py", "test_prf.py", "samples_of_other/test_a.py"):
        assert group_of(TESTS / name) == name


@pytest.mark.parametrize("part", TOGETHER)
def test_what_is_grouped_is_there(part: str) -> None:
    assert (TESTS / part).exists()
