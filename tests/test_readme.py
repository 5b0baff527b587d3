"""The README's examples, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ray_cluster import cluster

pytestmark = pytest.mark.integration

README = Path(__file__).parents[1] / "README.md"


def example(language: str, which: str = "") -> str:
    pattern = rf"<!-- run by tests/test_readme.py{which} -->\n```{language}\n(.*?)```"
    found = re.findall(pattern, README.read_text(), re.DOTALL)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def photos_folder(tmp_path):
    from fiftyone_reue.demo.tiles import build

    build(tmp_path / "tiles", size=32, train=6, test=1)
    (tmp_path / "tiles" / "train").rename(tmp_path / "photos")
    return tmp_path


def shell(script: str, folder: Path, **variables: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_shell_example(photos_folder):
    said = shell(example("bash"), photos_folder)
    assert "derived from the copy of bob" in said
    originals = sorted((photos_folder / "originals").rglob("*.png"))
    assert len(originals) == len(sorted((photos_folder / "photos").rglob("*.png")))


@pytest.mark.slow
def test_the_shell_example_on_a_cluster(photos_folder):
    pytest.importorskip("ray", reason="ray isn't installed (make venv installs it)")
    with cluster(2) as nodes:
        said = shell(
            example("bash", ", scale"), photos_folder, RAY_ADDRESS=nodes.address
        )
    assert "derived from the copy of alice" in said
    count = len(sorted((photos_folder / "photos").rglob("*.png")))
    assert f"Restored {count} licensed copies exactly" in said


def test_the_python_example_on_folders(photos_folder, monkeypatch, capsys):
    monkeypatch.chdir(photos_folder)
    exec(example("python", ", folders"), {})
    assert "derived from the copy of alice" in capsys.readouterr().out
    for path in (photos_folder / "photos").rglob("*.png"):
        again = photos_folder / "originals" / path.relative_to(photos_folder / "photos")
        assert again.read_bytes() == path.read_bytes()


def test_the_python_example_on_datasets(
    photos_folder, fiftyone_folder, monkeypatch, capsys
):
    monkeypatch.chdir(photos_folder)
    exec(example("python", ", datasets"), {})
    printed = capsys.readouterr().out
    assert "derived from the copy of carol" in printed
    assert "reue:1:" in printed
    assert (photos_folder / "carol.key").is_file()


def test_the_layout_is_what_is_there():
    tree = documented("README.md").split("## Layout")[1].split("```")[1]
    package = tree.split("fiftyone_reue/\n")[1]
    named = {name.rstrip("/") for name in re.findall(r"[\w.]+/|\w+\.py", package)}
    there = {
        path.name
        for path in (README.parent / "fiftyone_reue").iterdir()
        if not path.name.startswith("_") and path.suffix != ".typed"
    }
    leads = {"train.py", "generate.py", "database.py"}  # old names
    assert named == there - leads


def documented(name: str) -> str:
    return (README.parent / name).read_text("utf-8")


def test_countermeasures_are_counted_right():
    from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures
    from fiftyone_reue.auditing.verdict import count_attacks

    names = [info.name for info in list_countermeasures()]
    counted = {
        "README.md": r"reue list countermeasures\s+# (\d+) of them",
        "docs/audit.md": r"There are (\d+), and two to compare them with",
        "CHANGELOG.md": r"originals under (\d+) countermeasures",
    }
    for file, pattern in counted.items():
        assert re.findall(pattern, documented(file)) == [str(count_attacks(names))]
    assert len(names) == count_attacks(names) + 2
    section = documented("docs/audit.md").split("### Countermeasures")[1]
    table = section.split("### Victims")[0]
    assert set(names) <= set(re.findall(r"`(\w+)`", table))


def test_methods_are_named_where_they_are_described():
    from fiftyone_reue.perturb.registry import list_methods

    section = documented("README.md").split("## Methods")[1].split("\n## ")[0]
    make, _, measured = section.partition("for the\naudit alone")
    assert measured
    for info in list_methods():
        assert f"`{info.name}`" in (make if info.bounded else measured)
