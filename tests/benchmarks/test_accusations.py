import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fiftyone_reue.watermark.bounds import log_chance

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    import accusations

    yield accusations
    sys.modules.pop("accusations")


def test_its_bounds_are_the_packages_but_for_what_makes_it_stricter(benchmark):
    for energy in (0.5, 3.0, 40.0):
        fits = np.linspace(-5, 60, 300)
        quick = benchmark.log_chances(fits, energy)
        for fit, log in zip(fits, quick, strict=True):
            exact = log_chance(float(fit), energy)
            assert log <= exact + 1e-9
            assert exact - log < 0.7


def test_coins_are_fair(benchmark):
    draw = np.random.default_rng(0)
    bits = draw.standard_normal(32)
    fits = benchmark.innocent_fits(draw, bits, 40_000)
    length = float(np.linalg.norm(bits))
    assert abs(fits.mean()) < 5 * length / math.sqrt(40_000)
    assert abs(fits.std() / length - 1) < 0.03
    assert fits.max() <= np.abs(bits).sum() + 1e-3


@pytest.mark.slow
def test_every_scenario_stays_below_its_bounds(benchmark):
    found = list(benchmark.rows(60 * 400))
    assert len(found) == 60
    assert sum(row["tests"] for row in found) == 60 * 400
    for row in found:
        for level, below in row["below"].items():
            expected = float(level) * row["tests"]
            assert below <= expected + 5 * math.sqrt(expected) + 3
    free = benchmark.tail(benchmark.noise, benchmark.free_picks, (150, 32), 400, 0)
    assert free.below[-1] > 200  # what the log of looks is for
    hidden = benchmark.hidden(sets=3)
    assert hidden == {"sets": 3, "named": 3, "innocents_named": 0}
    extra = {"hidden": hidden, "speed": {"cpu_s": 1.0}}
    text = benchmark.table(found, free, extra)
    assert "0 of 24,000" in text
    assert json.dumps(found)
