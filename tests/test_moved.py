"""Modules that moved still work by their old names, and say where they are now."""

import re
import subprocess
import sys

import pytest
from packaging.version import Version

import fiftyone_reue

pytestmark = pytest.mark.unit


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("fiftyone_reue.train", "reue train"),
        ("fiftyone_reue.generate", "reue generate"),
        ("fiftyone_reue.database", "fiftyone_reue.install.database"),
    ],
)
def test_an_old_name_works_and_says_the_new_one(old: str, now: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-m", old, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
    assert f"{old} is {now} now" in done.stderr
    goes = re.search(r"goes with\s+version (\S+)", done.stderr)
    assert goes is not None
    # A development version of 0.3 has to be without it already.
    assert Version(fiftyone_reue.__version__).release < Version(goes[1]).release
