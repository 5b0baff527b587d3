"""The program as a whole: help, version, and what starting it costs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fiftyone_reue import __version__, cli
from fiftyone_reue.cli import options
from fiftyone_reue.cli import reveal as revealing
from fiftyone_reue.media.raster import DEFAULT_MAX_PIXELS
from fiftyone_reue.reveal import DECOYS, MOST_DECOYS

pytestmark = pytest.mark.unit


def test_help_is_quick_and_says_the_librarys_limit():
    """Nothing heavy is imported before a command needs it."""
    program = (
        "import sys, fiftyone_reue.cli; "
        "print([m for m in ('numpy', 'torch', 'PIL', 'fiftyone') if m in sys.modules])"
    )
    root = Path(cli.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert options.MAX_PIXELS == DEFAULT_MAX_PIXELS
    assert (revealing.DECOYS, revealing.MOST_DECOYS) == (DECOYS, MOST_DECOYS)


def test_help_and_version(empty):
    assert __version__ in empty.ok("--version").stdout
    commands = empty.ok("--help").stdout
    words = "init recipient protect restore extract reveal score info"
    for word in words.split():
        assert f"  {word} " in commands
        assert "Usage" in empty.ok(word, "-h").stdout


def test_the_installed_program_has_the_same_statuses(house, tmp_path):
    """Once through a real process, away from any checkout."""
    program = "import sys; from fiftyone_reue.cli import main; sys.exit(main())"
    root = Path(cli.__file__).parents[2]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("extract", house.path("pa"), "--vault", house.path("vault"), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["recipient"] == "alice"
    failed = run("info", "nowhere.png")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("Error: nowhere.png")
    assert run("info").returncode == 2
