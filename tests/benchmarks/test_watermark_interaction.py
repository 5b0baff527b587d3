import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.grid import HeldOut, Plan
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.auditing.results import Summary
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.perturb.base import FitData

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[2] / "benchmarks"
CLASSES = ("cat", "dog")
MODULES = ("images", "noise", "ours", "published", "parts", "tables", "words")


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch) -> Iterator[SimpleNamespace]:
    monkeypatch.syspath_prepend(str(FOLDER))
    import watermark_interaction

    modules = {name: import_module(f"interaction_{name}") for name in MODULES}
    monkeypatch.setattr(modules["noise"], "CACHE", tmp_path / "cache")
    yield SimpleNamespace(main=watermark_interaction.main, **modules)
    for name in ("watermark_interaction", "data", "cifar"):
        sys.modules.pop(name, None)
    for name in MODULES:
        sys.modules.pop(f"interaction_{name}", None)


@pytest.fixture
def data() -> FitData:
    draw = np.random.default_rng(0)
    images = draw.integers(30, 220, (8, 32, 32, 3), np.uint8)
    return FitData(images, np.arange(8) % 2, CLASSES)


def loud_mark(benchmark: SimpleNamespace):
    """Eight bits as the brightness of eight columns: read by eye, and by threshold."""

    def write(image: np.ndarray, bits: np.ndarray) -> np.ndarray:
        marked = image.copy()
        marked[:, : len(bits)] = np.where(bits[None, :, None], 200, 50)
        return marked

    def find(image: np.ndarray, count: int) -> np.ndarray:
        return (image[:, :count].mean(axis=(0, 2)) > 128).astype(int)

    return benchmark.published.PublishedMark("loud", write, find)


def test_the_right_extractor_reads_more_than_the_wrong_one(benchmark, data: FitData):
    pair = benchmark.images.ImageSet.in_turn("pair", list(data.images[:2]), 2)
    noise = benchmark.noise.make_noise("rue", 6, data)
    alone, right, wrong = benchmark.ours.read_ours(pair, [noise])
    assert (alone["subtracted"], right["subtracted"]) == ("O", "O + δ")
    assert alone["edits"]["unchanged"]["bits"] == 1
    assert right["edits"]["unchanged"]["bits"] == 1
    assert wrong["edits"]["unchanged"]["margin"] < right["edits"]["unchanged"]["margin"]
    assert abs(right["edits"]["unchanged"]["decoys_z"]) < 0.5
    assert right["psnr"] < alone["psnr"]


def test_a_published_mark_is_read_under_and_over_the_noise(benchmark, data: FitData):
    pair = benchmark.images.ImageSet.in_turn("pair", list(data.images[:2]), 2)
    noise = benchmark.noise.make_noise("lsp", 8, data)
    mark = loud_mark(benchmark)
    rows = benchmark.published.read_published(pair, mark, [noise], bits=8)
    assert [row["suspect"] for row in rows] == [
        *("W'", "W' + lsp ±8", "lsp ±8, then marked")
    ]
    assert all(row["edits"]["unchanged"]["all_right"] == 1 for row in rows)
    deaf = benchmark.published.PublishedMark(
        "deaf", mark.write, lambda image, n: np.zeros(n)
    )
    (found, *_) = benchmark.published.read_published(pair, deaf, [], bits=8)
    assert found["edits"]["unchanged"] == {"bits": 0.5, "all_right": 0.0}


def test_a_mark_that_refuses_small_images_is_reported(benchmark, data: FitData):
    def refuse(image: np.ndarray, bits: np.ndarray) -> np.ndarray:
        raise RuntimeError("image too small")

    pair = benchmark.images.ImageSet.in_turn("pair", list(data.images[:2]), 2)
    mark = benchmark.published.PublishedMark(
        "proud", refuse, lambda image, n: np.zeros(n)
    )
    (row,) = benchmark.published.read_published(pair, mark, [])
    assert "too small" in row["refused"]


def test_without_the_packages_it_says_what_to_install(benchmark, monkeypatch):
    monkeypatch.setitem(sys.modules, "imwatermark", None)
    result = CliRunner().invoke(benchmark.main, ["--marks", "dwtDct"])
    assert result.exit_code == 1
    assert "pip install invisible-watermark" in str(result.exception)


def test_both_parts_become_tables_with_words(benchmark, data: FitData, tmp_path: Path):
    small = benchmark.images.ImageSet.in_turn("tiny images", list(data.images[:2]), 2)
    noise = benchmark.noise.make_noise("rue", 6, data)
    mark = loud_mark(benchmark)
    reading = benchmark.parts.reading_part([], small, [noise], [mark], None)
    labels = np.asarray(data.labels, np.int64)
    holdings = Holdings(data.images, labels, 2, data.images, data.images, labels)
    plan = Plan(["none"], ["mlp"], [0, 1], Recipe(1, 1), Effort(0.0), "cpu")
    store = CellStore(tmp_path / "cells.jsonl")
    test = HeldOut(data.images, labels)
    training = benchmark.parts.training_part(holdings, CLASSES, test, plan, store, None)
    results = {
        "reading": {**reading, "command": "reading"},
        "training": {**training, "command": "training"},
    }
    text = benchmark.tables.markdown(json.loads(json.dumps(results)))
    assert "| tiny images | W + rue ±6 | O + δ |" in text
    assert "| loud, 32 bits | 2 tiny images | W' |" in text
    assert "| our mark ±2, then rue ±6 |" in text
    assert "Our mark alone against the originals" in text
    changes = {s["name"]: s["largest_change"] for s in training["subjects"]}
    assert changes[benchmark.parts.PROTECTED] == 8
    assert changes[benchmark.parts.MARKED] == 2


def test_a_difference_is_told_from_the_spread_of_seeds(benchmark):
    before = Summary(0.50, 0.01, 4)
    assert "no effect" in benchmark.words.difference(before, Summary(0.51, 0.01, 4))
    told = benchmark.words.difference(before, Summary(0.40, 0.01, 4))
    assert "-10.0 points" in told
    assert "no effect" not in told
