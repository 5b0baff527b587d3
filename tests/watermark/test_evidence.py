import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark import evidence
from fiftyone_reue.watermark.codes import code
from fiftyone_reue.watermark.evidence import Reading, bound, statistic, weigh

pytestmark = pytest.mark.unit

SEEDS = {f"r{i}": bytes([i]) * 16 for i in range(5)}


def readings(
    who: str | None, images: int = 10, noise: float = 1.0, seed: int = 0
) -> list[Reading]:
    """Soft bits of one recipient's copies, or of nobody's, under noise."""
    draw = np.random.default_rng(seed)
    made = []
    for i in range(images):
        said = code(SEEDS[who], f"{i}", 32) if who else np.zeros(32)
        made.append(Reading(f"{i}", said + noise * draw.standard_normal(32)))
    return made


def test_the_right_recipient_is_named():
    for who in SEEDS:
        found = weigh(readings(who), SEEDS)
        assert found.decided
        assert found.recipient_id == who
        assert found.p_value <= evidence.FALSE_ACCUSATION
        assert found.best_innocent_p > 1e-4
        assert found.more_images is None
        assert found.z == max(found.scores.values())


@pytest.mark.slow
def test_nobody_is_named_from_noise():
    """At 1e-6, five hundred sets of innocent images must all pass."""
    for seed in range(500):
        found = weigh(readings(None, images=3, seed=seed), SEEDS)
        assert not found.decided
        assert found.p_value > evidence.FALSE_ACCUSATION


@pytest.mark.parametrize("shape", ["noise", "few loud bits", "signs", "tails"])
def test_the_bound_holds_for_many_codes_whatever_the_file(shape):
    """The share of innocent codes at or above z never exceeds exp(-z^2/2)."""
    draw = np.random.default_rng(3)
    values = {
        "noise": draw.standard_normal((6, 32)),
        "few loud bits": np.where(draw.random((6, 32)) < 0.03, 100.0, 0.01),
        "signs": np.ones((6, 32)),
        "tails": draw.standard_cauchy((6, 32)),
    }[shape]
    suspects = [Reading(f"{i}", soft) for i, soft in enumerate(values)]
    count = 20_000
    scores = evidence.decoy_statistics(suspects, count)
    for z in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5):
        share = float(np.mean(scores >= z))
        limit = math.exp(-z * z / 2)
        assert share <= limit + 3 * math.sqrt(limit / count)


@pytest.mark.slow
def test_decoys_are_as_good_as_real_codes():
    suspects = readings(None, images=20)
    real = [statistic(suspects, i.to_bytes(16, "big")) for i in range(2000)]
    decoys = evidence.decoy_statistics(suspects, 2000)
    for scores in (np.array(real), decoys):
        assert abs(scores.mean()) < 5 / math.sqrt(2000)
        assert abs(scores.std() - 1) < 0.08
    assert np.array_equal(decoys, evidence.decoy_statistics(suspects, 2000))


@given(z=st.floats(-50, 50), tested=st.integers(1, 10**6))
def test_the_bound_is_a_probability_times_the_recipients(z, tested):
    p = bound(z, tested)
    assert 0 < p <= 1
    if z <= 0:
        assert p == 1
    elif 1e-200 < math.exp(-z * z / 2) * tested < 1:
        assert p == pytest.approx(tested * math.exp(-z * z / 2))
    assert p <= bound(z, tested + 1)


def test_every_recipient_on_the_list_makes_the_bound_weaker():
    few = weigh(readings("r0", images=1), {"r0": SEEDS["r0"]})
    many = weigh(
        readings("r0", images=1),
        {"r0": SEEDS["r0"], **{f"x{i}": i.to_bytes(16, "big") for i in range(999)}},
    )
    assert few.z == many.z
    assert many.recipients_tested == 1000
    assert many.p_value == pytest.approx(1000 * few.p_value)


def test_the_statistic_does_not_depend_on_the_scale_or_order():
    suspects = readings("r1")
    louder = [Reading(r.image_id, 7.5 * r.soft) for r in reversed(suspects)]
    assert statistic(louder, SEEDS["r1"]) == pytest.approx(
        statistic(suspects, SEEDS["r1"])
    )
    assert statistic(suspects, SEEDS["r1"]) <= math.sqrt(10 * 32)


def test_nothing_read_names_nobody():
    silent = [Reading("0", np.zeros(32))]
    assert statistic(silent, SEEDS["r0"]) == 0
    for found in (weigh([], SEEDS), weigh(readings("r0"), {}), weigh(silent, SEEDS)):
        assert not found.decided
        assert found.p_value == 1
        assert found.best_innocent_p == 1
    assert weigh([], SEEDS).recipient_id is None
    assert weigh([], SEEDS).recipients_tested == 5


def test_how_many_more_images_are_needed_is_about_right():
    few = weigh(readings("r2", images=2, noise=2.0), SEEDS)
    assert not few.decided
    assert few.more_images is not None
    assert 1 <= few.more_images <= 30
    enough = readings("r2", images=2 + 2 * few.more_images, noise=2.0)
    assert weigh(enough, SEEDS).decided


def test_no_forecast_is_made_from_chance():
    found = weigh(readings(None, images=4, seed=1), {"r0": SEEDS["r0"]})
    assert found.z < 2
    assert found.more_images is None
