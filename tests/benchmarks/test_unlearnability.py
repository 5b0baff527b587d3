import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from fiftyone_reue.auditing.budgets import BUDGETS
from fiftyone_reue.auditing.results import Audit

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    import unlearnability

    monkeypatch.setattr(unlearnability, "CACHE", tmp_path / "cache")
    yield unlearnability
    for name in ("unlearnability", "cifar", "data"):
        sys.modules.pop(name, None)


def run(benchmark: ModuleType, *words: str) -> str:
    result = CliRunner().invoke(benchmark.main, words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_a_folder_is_measured_into_tables_and_not_twice(
    benchmark, tmp_path: Path, write_folder, monkeypatch
):
    # What the networks learn isn't looked at.
    monkeypatch.setitem(BUDGETS, "quick", replace(BUDGETS["quick"], least_steps=5))
    photos = write_folder(tmp_path / "photos", classes=2, each=20)
    words = [
        *("--data", str(photos), "--methods", "lsp,ops", "--victims", "mlp"),
        *("--countermeasures", "none,grayscale", "--device", "cpu"),
        *("--out", str(tmp_path / "out"), "--name", "small", "--train", "24"),
        *("--epochs", "1"),
    ]
    run(benchmark, *words)
    stored = json.loads((tmp_path / "out/small.json").read_text())
    audit = Audit.from_dict(stored)
    assert [s.name for s in audit.subjects] == [
        *("originals", "lsp", "ops", "random_noise", "shuffled_labels")
    ]
    assert len(audit.cells) == 2 * 3 + 2
    assert audit.counts["train"] == 24
    table = (tmp_path / "out/small.md").read_text()
    assert "| Grayscale |" in table
    assert "LSP" in table
    assert "Checks of the instrument" in table
    monkeypatch.setattr(benchmark.subjects, "method_subject", None)
    monkeypatch.setattr("fiftyone_reue.auditing.grid.create_network", None)
    run(benchmark, *words)


def test_a_name_that_does_not_exist_is_refused(benchmark, tmp_path, write_folder):
    photos = write_folder(tmp_path / "photos", classes=2, each=20)
    words = ("--data", str(photos), "--countermeasures", "jpg", "--out", str(tmp_path))
    result = CliRunner().invoke(benchmark.main, words)
    assert result.exit_code == 1
    assert "no countermeasure 'jpg'" in str(result.exception)
