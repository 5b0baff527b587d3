import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from PIL import Image

from fiftyone_reue.auditing.budgets import budget_named
from fiftyone_reue.perturb.rue.config import RueConfig

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a benchmark, with a budget of seconds."""
    monkeypatch.syspath_prepend(str(FOLDER))
    tiny = replace(
        budget_named("quick"), train=24, epochs=1, least_steps=2, victims=("mlp",)
    )

    def module(name: str) -> ModuleType:
        found = importlib.import_module(name)
        if hasattr(found, "budget_named"):
            monkeypatch.setattr(found, "budget_named", lambda _: tiny)
        return found

    yield module
    for name in ("rue_ablation", "epsilon", "rue_pictures", "data", "folder"):
        sys.modules.pop(name, None)


def run(module: ModuleType, *words: object) -> str:
    result = CliRunner().invoke(module.main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_an_ablation_has_a_row_for_each_configuration(
    load, tmp_path: Path, write_folder, monkeypatch
):
    ablation = load("rue_ablation")
    quick = RueConfig(rounds=1, surrogate_steps=1, table_steps=1, width=8)
    monkeypatch.setitem(ablation.ROWS, "refined", ("Refined", quick))
    photos = write_folder(tmp_path / "photos", classes=2, each=20)
    run(
        ablation,
        *("--data", photos, "--rows", "gratings,refined", "--device", "cpu"),
        *("--countermeasures", "none,grayscale", "--out", tmp_path / "out"),
    )
    stored = json.loads((tmp_path / "out/rue_ablation.json").read_text())
    assert len(stored["cells"]) == 3 * 2
    assert stored["rows"]["refined"]["rounds"] == 1
    table = (tmp_path / "out/rue_ablation.md").read_text().splitlines()
    rows = [line for line in table if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[1:]] == [
        *("| Originals", "| Gratings, any phase (the default)", "| Refined")
    ]


def test_every_row_of_the_ablation_can_be_made(load):
    for title, config in load("rue_ablation").ROWS.values():
        assert title
        assert config.start in ("gratings", "random")
        assert not config.rounds or config.table_steps


def test_more_amplitude_is_a_column_each(load, tmp_path: Path, write_folder):
    photos = write_folder(tmp_path / "photos", classes=2, each=20)
    run(
        load("epsilon"),
        *("--data", photos, "--epsilons", "4,16", "--countermeasures", "none"),
        *("--device", "cpu", "--out", tmp_path / "out"),
    )
    stored = json.loads((tmp_path / "out/epsilon_rue.json").read_text())
    assert len(stored["accuracy"]["none"]) == 3
    assert stored["psnr"][0] > stored["psnr"][1]
    assert "| ±4 | ±16 |" in (tmp_path / "out/epsilon_rue.md").read_text()
    assert (tmp_path / "out/epsilon_rue.svg").read_text().startswith("<?xml")


def test_pictures_are_drawn(load, tmp_path: Path):
    run(load("rue_pictures"), "--output", tmp_path / "made.png")
    with Image.open(tmp_path / "made.png") as drawn:
        assert min(drawn.size) > 300
