from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from fiftyone_reue.auditing import grid
from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.countermeasures.none import NoCountermeasure
from fiftyone_reue.auditing.grid import Attacked, HeldOut, Plan, run_grid
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.auditing.results import Cell, Subject
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

QUICK = Recipe(epochs=1, least_steps=20, batch=16)


class Inverted(Countermeasure):
    """Counts how often it prepares; inverts images, then and at test time."""

    info = CountermeasureInfo("inverted", "Inverted", "", "filter")

    def __init__(self) -> None:
        self.prepared = 0

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        self.prepared += 1
        yield 1.0
        return TrainingSet(255 - holdings.images, holdings.labels)

    def at_test(self, images: np.ndarray, seed: int) -> np.ndarray:
        return 255 - images


class Impossible(Countermeasure):
    info = CountermeasureInfo("impossible", "Impossible", "", "filter")

    def prepare(self, holdings, *, effort, context):
        raise InputError("There are no weights\nmore")
        yield


@pytest.fixture
def countermeasures(monkeypatch) -> dict[str, Countermeasure]:
    found = {c.info.name: c for c in (NoCountermeasure(), Inverted(), Impossible())}
    monkeypatch.setattr(grid, "create_countermeasure", found.__getitem__)
    return found


def bright_and_dark(count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(count)
    labels = np.arange(count) % 2
    images = (
        draw.integers(0, 60, (count, 16, 16, 3)) + 150 * labels[:, None, None, None]
    )
    return images.astype(np.uint8), labels


@pytest.fixture(scope="module")
def attacked() -> list[Attacked]:
    images, labels = bright_and_dark(32)
    clean, clean_labels = bright_and_dark(8)
    holdings = Holdings(images, labels, 2, images, clean, clean_labels)
    wrong = Holdings(images, 1 - labels, 2, images, clean, clean_labels)
    return [
        Attacked(Subject("originals", "Originals", "reference"), holdings),
        Attacked(Subject("wrong", "Wrong labels", "reference"), wrong),
    ]


def measure(attacked, store=None, **changes) -> list[Cell]:
    plan = Plan(
        **{
            "countermeasures": ["none"],
            "victims": ["mlp"],
            "seeds": [0],
            "recipe": QUICK,
            "effort": Effort(0.01),
            "device": "cpu",
            **changes,
        }
    )
    return finish(run_grid(attacked, HeldOut(*bright_and_dark(40)), plan, store))


@pytest.mark.slow
def test_accuracies_are_of_what_the_subject_teaches(attacked, countermeasures):
    right, wrong = measure(attacked)
    assert (right.subject, wrong.subject) == ("originals", "wrong")
    assert right.accuracy > 0.9
    assert wrong.accuracy < 0.1
    assert right.best >= right.accuracy
    assert right.curve[-1] == pytest.approx(right.accuracy, abs=1e-4)
    assert 4 <= len(right.curve) <= grid.CURVE_POINTS


@pytest.mark.slow
def test_the_grid_is_complete_and_in_order(attacked, countermeasures):
    cells = measure(
        attacked,
        countermeasures=["none", "inverted"],
        victims=["mlp", "small_resnet"],
        seeds=[0, 1],
    )
    assert [(c.countermeasure, c.subject, c.seed, c.victim) for c in cells] == [
        (countermeasure, subject, seed, victim)
        for countermeasure in ("none", "inverted")
        for subject in ("originals", "wrong")
        for seed in (0, 1)
        for victim in ("mlp", "small_resnet")
    ]
    assert countermeasures["inverted"].prepared == 4  # victims share it
    assert cells[8].accuracy > 0.9  # test images are inverted as well


@pytest.mark.slow
def test_progress_rises_over_the_whole_grid(attacked, countermeasures):
    plan = Plan(["none", "inverted"], ["mlp"], [0], QUICK, Effort(0.01), "cpu")
    steps = list(run_grid(attacked, HeldOut(*bright_and_dark(8)), plan))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert steps[0].label.startswith("1 of 4: Originals, None, Multilayer")
    assert steps[-1].label.startswith("4 of 4: Wrong labels, Inverted")


@pytest.mark.slow
def test_what_was_measured_is_not_measured_again(
    attacked, countermeasures, tmp_path: Path, monkeypatch
):
    store = CellStore(tmp_path / "cells.jsonl")
    first = measure(attacked, store)

    def never(*arguments, **options):
        raise AssertionError("trained again")

    monkeypatch.setattr(grid, "create_network", never)
    again = CellStore(tmp_path / "cells.jsonl")
    assert measure(attacked, again) == first
    for changes in ({"seeds": [1]}, {"recipe": Recipe(epochs=2, least_steps=1)}):
        with pytest.raises(AssertionError, match="trained again"):
            measure(attacked, again, **changes)


@pytest.mark.slow
def test_a_cell_that_can_not_be_measured_says_why_and_is_tried_again(
    attacked, countermeasures, tmp_path: Path
):
    store = CellStore(tmp_path / "cells.jsonl")
    cells = measure(attacked, store, countermeasures=["impossible", "none"])
    assert [cell.failure for cell in cells] == ["There are no weights"] * 2 + [""] * 2
    assert np.isnan(cells[0].accuracy)
    text = (tmp_path / "cells.jsonl").read_text()
    assert "impossible" not in text


def test_unknown_names_are_refused_before_anything_is_measured(attacked):
    with pytest.raises(InputError, match=r"no countermeasure 'jpg'.*none"):
        measure(attacked, countermeasures=["none", "jpg"])
    with pytest.raises(InputError, match="no network 'resnet'"):
        measure(attacked, victims=["resnet"])
