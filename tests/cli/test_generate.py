"""Drawing images to hide, from the command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fiftyone_reue.cli import progress
from fiftyone_reue.cli.generate import class_names, summary
from fiftyone_reue.cli.generate import generate as main
from fiftyone_reue.semantics import diffusion
from fiftyone_reue.semantics.generator import Generated

SMALL = ["--images", "2", "--side", "64", "--steps", "1"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What a model that stands for a real one was asked for."""
    calls: list[tuple] = []

    def load(*names: str) -> SimpleNamespace:
        calls.append(names)
        return SimpleNamespace(safety_checker=None)

    def paint(
        pipeline: SimpleNamespace, painting: diffusion.Painting, seed: int
    ) -> Image.Image:
        calls.append((painting.prompt, painting.steps))
        return Image.new("RGB", (64, 64), (seed % 255 + 1, 0, 0))

    monkeypatch.setattr(diffusion, "load_pipeline", load)
    monkeypatch.setattr(diffusion, "painted", paint)
    return calls


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


@pytest.mark.slow
@pytest.mark.unit
def test_classes_are_named_or_a_datasets(
    asked: list[tuple], write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    run = _run("--classes", "cat, dog", tmp_path / "named", *SMALL, "--model", "sd")
    assert run.exit_code == 0, run.output
    assert asked[0][0] == "sd"
    assert asked[1] == ("a photo of cat", 1)
    assert len(list((tmp_path / "named").glob("*/*.png"))) == 4
    photos = write_folder(tmp_path / "photos", classes=2, each=1)
    run = _run(photos, tmp_path / "taken", *SMALL)
    assert run.exit_code == 0, run.output
    folders = {path.parent.name for path in (tmp_path / "taken").glob("*/001.png")}
    assert folders == set(class_names(photos)) == {"astronaut", "brick"}


@pytest.mark.slow
@pytest.mark.unit
def test_what_was_done_is_said(
    asked: list[tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    run = _run("--classes", "cat", tmp_path / "out", *SMALL)
    assert "50 %  cat/000.png" in run.output
    assert "2 images drawn; there already: 0" in run.output
    assert "no safety checker, so look at them" in run.output
    assert (
        "there already: 2" in _run("--classes", "cat", tmp_path / "out", *SMALL).output
    )
    said = summary(Generated(made=3, kept=0, retried=2, checked=True))
    assert "2 images came out black" in said
    assert "safety" not in said


@pytest.mark.unit
@pytest.mark.parametrize("arguments", [["a"], ["a", "b", "--classes", "c"], []])
def test_wrong_usage_says_what_to_give(arguments: list[str], tmp_path: Path) -> None:
    run = _run(*arguments)
    assert run.exit_code == 2
    assert "SCENES" in run.output


@pytest.mark.unit
def test_errors_are_one_line(
    asked: list[tuple], write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = write_folder(tmp_path / "photos", classes=2, each=1)
    for arguments, why in (
        ([tmp_path / "nowhere", tmp_path / "out"], "there is no such folder"),
        ([photos, photos / "out"], "choose an output folder outside the source"),
        (["--classes", "cat,,dog", tmp_path / "out"], "can't be a folder's name"),
    ):
        run = _run(*arguments, *SMALL)
        assert run.exit_code == 1
        assert why in run.output
        assert len(run.output.splitlines()) == 1
    assert not asked


@pytest.mark.integration
def test_without_diffusers_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['diffusers'] = None\n"
        "from fiftyone_reue.cli import main; main()"
    )
    words = ["generate", "--classes", "cat", str(tmp_path)]
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'fiftyone-reue[generate]'" in done.stderr
    assert "Traceback" not in done.stderr
