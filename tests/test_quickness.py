"""Long unit tests are noticed."""

import pytest

from tests.collecting import Collecting
from tests.quickness import Quickness

pytest_plugins = ["pytester"]

TESTS = """
import sys
import pytest

def compute():
    assert sum(range(3_000_000)) > 0

def test_long():
    compute()

def test_short():
    pass

@pytest.mark.slow
def test_slow():
    compute()

def test_that_loads_a_library(monkeypatch):
    for number in range(100):
        monkeypatch.setitem(sys.modules, f"library.part{number}", sys)
    compute()
"""


def test_long_unit_tests_fail_unless_marked_as_slow(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUE_BFLOAT16", "off")
    pytester.makepyfile(TESTS)
    ran = pytester.inline_run(
        *("-p", "no:xdist", "-p", "no:cacheprovider"),
        plugins=[Collecting(), Quickness(most=0.02)],
    )
    _, _, failed = ran.listoutcomes()
    assert [one.nodeid.partition("::")[2] for one in failed] == ["test_long"]
    assert "mark it slow" in str(failed[0].longrepr)
