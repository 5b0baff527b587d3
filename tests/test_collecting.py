"""Which kind a test is, and which tests are run by one process."""

import pytest

from tests import collecting
from tests.collecting import APART, FIRST, TESTS, TOGETHER, Collecting, group_of

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


MARKED_SLOW = """
import pytest

@pytest.mark.slow
def test_slow():
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
    for name in ("samples/test_protect.py", "operators/test_running.py"):
        assert group_of(TESTS / name) == "fiftyone"
    assert group_of(TESTS / "cases/test_cases.py") == "cases"


def test_other_files_are_groups_of_their_own() -> None:
    for name in ("vault/test_memo.py", "test_prf.py", "samples_of_other/test_a.py"):
        assert group_of(TESTS / name) == name


@pytest.mark.parametrize("part", [*TOGETHER, *APART])
def test_what_is_grouped_is_there(part: str) -> None:
    assert (TESTS / part).exists()


@pytest.mark.parametrize("part", FIRST)
def test_what_comes_first_is_a_group(part: str) -> None:
    assert part in {*TOGETHER.values(), *APART}


def test_what_takes_long_begins_first(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick ones last, which fill up what is left of any process's time."""
    monkeypatch.setattr(collecting, "TESTS", pytester.path)
    quick = "def test_quick(): pass\n"
    long = MARKED_SLOW + quick
    pytester.makepyfile(test_a=quick, test_b=long, **{"cases/test_c": quick})
    ran = pytester.inline_run("-p", "no:cacheprovider", plugins=[Collecting()])
    passed, *_ = ran.listoutcomes()
    names = [report.nodeid.removeprefix("cases/") for report in passed]
    assert names == [
        "test_c.py::test_quick",
        "test_b.py::test_slow",
        "test_b.py::test_quick",
        "test_a.py::test_quick",
    ]


@pytest.mark.slow
def test_a_group_is_run_by_one_process(pytester: pytest.Pytester) -> None:
    """Versions of pytest and pytest-xdist that don't match part groups in silence."""
    noting = """
import os, pathlib, pytest

pytestmark = pytest.mark.xdist_group("{group}")

@pytest.mark.parametrize("n", range(8))
def test_worker(n):
    with open(pathlib.Path(__file__).with_suffix(".log"), "a") as log:
        log.write(os.environ["PYTEST_XDIST_WORKER"] + "\\\\n")
"""
    files = {f"test_{group}": noting.format(group=group) for group in "abcd"}
    pytester.makepyfile(**files)
    ran = pytester.runpytest_subprocess(
        "-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder"
    )
    ran.assert_outcomes(passed=32)
    workers = [
        set((pytester.path / f"{name}.log").read_text().split()) for name in files
    ]
    assert [len(found) for found in workers] == [1, 1, 1, 1]
