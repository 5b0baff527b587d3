"""The README's examples, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

README = Path(__file__).parents[1] / "README.md"


def example(language: str) -> str:
    pattern = rf"<!-- run by tests/test_readme.py -->\n```{language}\n(.*?)```"
    found = re.findall(pattern, README.read_text(), re.DOTALL)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def photos_folder(tmp_path):
    from fiftyone_reue.demo_tiles import build

    build(tmp_path / "tiles", size=32, train=6, test=1)
    (tmp_path / "tiles" / "train").rename(tmp_path / "photos")
    return tmp_path


def test_the_shell_example(photos_folder):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", example("bash")],
        cwd=photos_folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "derived from the copy of bob" in done.stdout
    originals = sorted((photos_folder / "originals").rglob("*.png"))
    assert len(originals) == len(sorted((photos_folder / "photos").rglob("*.png")))


def test_the_python_example(photos_folder, fiftyone_folder, monkeypatch, capsys):
    monkeypatch.chdir(photos_folder)
    exec(example("python"), {"folder": photos_folder, "keys": photos_folder})
    printed = capsys.readouterr().out
    assert "derived from the copy of carol" in printed
    assert "reue:1:" in printed
