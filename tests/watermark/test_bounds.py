import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark.bounds import (
    PRIOR,
    log_chance,
    needed_growth,
    needed_z,
)

pytestmark = pytest.mark.unit


@pytest.mark.slow
@given(fit=st.floats(0.01, 60), energy=st.floats(0, 200))
def test_it_is_the_mixture_that_it_says(fit, energy):
    """The mean of exp(l S - l^2 V / 2) over half a normal distribution, by sums."""
    peak = fit / (energy + PRIOR)
    width = 12 / math.sqrt(energy + PRIOR)
    rates = np.linspace(max(0.0, peak - width), peak + width, 20_001)
    logs = rates * fit - rates**2 * (energy + PRIOR) / 2
    top = logs.max()
    mean = np.trapezoid(np.exp(logs - top), rates) * 2 * math.sqrt(PRIOR / math.tau)
    assert log_chance(fit, energy) == pytest.approx(
        min(0.0, -(top + math.log(mean))), rel=1e-4, abs=1e-4
    )


def test_it_is_never_below_the_bound_for_a_time_that_was_set_before():
    for energy in (0.5, 1, 10, 1000):
        for z in (1, 3, 6, 12):
            assert log_chance(z * math.sqrt(energy), energy) >= -z * z / 2


def test_a_code_that_fits_badly_says_nothing():
    assert log_chance(-3, 4) == log_chance(0, 4) == log_chance(0, 0) == 0


@pytest.mark.slow
def test_it_holds_for_who_looks_after_every_image_and_stops_at_the_best():
    """5,000 innocent codes over 100 images: hardly one in x ever gets below 1 / x."""
    draw = np.random.default_rng(0)
    count = 5_000
    fit, energy = np.zeros(count), 0.0
    best = np.zeros(count)
    for _ in range(100):
        soft = np.abs(draw.standard_cauchy(32))
        soft *= draw.uniform(0.2, 1) / np.linalg.norm(soft)
        fit += draw.choice([-1.0, 1.0], (count, 32)) @ soft
        energy += float(soft @ soft)
        best = np.minimum(best, [log_chance(one, energy) for one in fit])
    for level in (0.5, 0.1, 0.01, 0.001):
        share = float(np.mean(best <= math.log(level)))
        assert share <= level + 3 * math.sqrt(level / count)


@given(limit=st.floats(-40, -5), energy=st.floats(0.1, 500))
def test_the_needed_z_is_where_the_bound_is_met(limit, energy):
    z = needed_z(limit, energy)
    assert log_chance(z * math.sqrt(energy), energy) == pytest.approx(limit, rel=1e-6)


def test_how_much_more_is_needed():
    growth = needed_growth(6.0, 4.0, -20)
    assert growth is not None
    assert log_chance(6.0 * growth, 4.0 * growth) == pytest.approx(-20, rel=1e-6)
    assert needed_growth(60.0, 4.0, -20) == 1
    assert needed_growth(0.0, 4.0, -20) is None
