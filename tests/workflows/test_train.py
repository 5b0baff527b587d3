"""Training weights of one's own."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fiftyone_reue.cli.train import train as main
from fiftyone_reue.invertible import weights
from fiftyone_reue.workflows.train import hatched_scenes

pytestmark = pytest.mark.integration


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            small = generator.integers(0, 256, (12, 12, 3)).astype(np.uint8)
            image = Image.fromarray(small).resize((96, 80), Image.BICUBIC)
            image.save(tmp_path / "photos" / name / f"{number}.jpg")
    return tmp_path / "photos"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hiding", "adversarial"])
def test_weights_are_trained_and_fine_tuned(
    kind: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(folder))
    first, second = folder / "first.npz", folder / "second.npz"
    monkeypatch.setattr("fiftyone_reue.workflows.train.CLASSIFIER_EPOCHS", 1)
    monkeypatch.setattr("fiftyone_reue.workflows.train.CLASSIFIER_STEPS", 2)
    monkeypatch.setattr("fiftyone_reue.workflows.train.SECRETS", 20)
    run = CliRunner().invoke(main, [kind, str(photos), str(first), "--steps", "2"])
    assert run.exit_code == 0, run.output
    again = [kind, str(photos), str(second), "--steps", "2", "--begin", "first"]
    run = CliRunner().invoke(main, again)
    assert run.exit_code == 0, run.output
    assert weights.identity("first") != weights.identity("second")
    assert weights.about_weights("second")["about"]["photographs"] == 16
    assert {"first", "second"} <= set(weights.list_weights(kind))


def test_what_cant_be_trained_says_so(photos: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["hiding", str(photos), str(tmp_path / "w.bin")])
    assert run.exit_code != 0
    assert "ends with .npz" in run.output
    output = str(tmp_path / "w.npz")
    wrong = ["hiding", str(photos), output, "--steps", "1", "--begin", "raeg"]
    run = CliRunner().invoke(main, wrong)
    assert run.exit_code != 0
    assert "another kind of network" in run.output
    (photos / "dog").rename(tmp_path / "dog")
    run = CliRunner().invoke(main, ["adversarial", str(photos), output])
    assert run.exit_code != 0
    assert "a folder for each class" in run.output
    assert not (tmp_path / "w.npz").exists()


@pytest.mark.slow
def test_scenes_are_drawn_again_from_a_seed() -> None:
    one, other = hatched_scenes(3, 32, 5), hatched_scenes(3, 32, 5)
    assert one.shape == (3, 1, 32, 32)
    assert np.array_equal(one, other)
