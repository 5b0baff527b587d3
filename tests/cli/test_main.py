"""The program as a whole: help, version, and what starting it costs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fiftyone_reue import __version__, cli

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_help_is_quick():
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


def test_help_and_version(empty):
    assert __version__ in empty.ok("--version").stdout
    commands = empty.ok("--help").stdout
    words = "init recipient protect restore extract reveal score info"
    for word in words.split():
        assert f"  {word} " in commands
        assert "Usage" in empty.ok(word, "-h").stdout


@pytest.mark.slow
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


REPO = Path(cli.__file__).parents[2]
READ_BY_USERS = [
    path
    for pattern in (
        "*.md",
        "docs/*.md",
        *(f"{folder}/**/*.py" for folder in ("fiftyone_reue", "operators", "panels")),
    )
    for path in sorted(REPO.glob(pattern))
]


@pytest.mark.parametrize("path", READ_BY_USERS, ids=lambda p: str(p.relative_to(REPO)))
def test_every_command_that_is_named_exists(path):
    """In code marks and shell examples, with each of its options."""
    text = re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
    for line in re.findall(r"(?:`+|^ *)(reue [a-z][^`\n#]*)", text, re.MULTILINE):
        words = line.split()[1:]
        command: click.Command = cli.main
        while words and isinstance(command, click.Group):
            assert words[0].split("|")[0] in command.commands, line
            command = command.commands[words.pop(0).split("|")[0]]
        known = {o for p in command.params for o in p.opts} | {"--help"}
        for option in re.findall(r"(?<=[\s\[])--[a-z-]+", " ".join(words)):
            assert option in known, line
