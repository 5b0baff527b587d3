"""Several suspects of one original say what each can see, and no more."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark.bounds import log_chance
from fiftyone_reue.watermark.codes import code
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION, weigh
from fiftyone_reue.watermark.joining import joined
from fiftyone_reue.watermark.readings import CELLS, Reading, seen_of
from fiftyone_reue.watermark.weights import weighted

pytestmark = pytest.mark.unit

BITS = 128
SEEDS = {f"r{n}": bytes([n]) * 16 for n in range(5)}
STRENGTHS = st.floats(0.02, 40)
NUMBERS = st.integers(0, 2**32)


def place(*columns: int) -> np.ndarray:
    """A suspect that shows some columns of cells."""
    seen = np.zeros((CELLS, CELLS))
    seen[:, list(columns)] = 1
    return seen


LEFT, RIGHT = place(*range(8)), place(*range(8, 16))


def suspect(who, x, draw, image="i", seen=None, sign=1):
    """Soft bits as a reader gives them: mean x, variance x."""
    own = code(SEEDS[who], image, BITS)
    soft = sign * x * own + math.sqrt(x) * draw.standard_normal(BITS)
    return Reading(image, soft, seen)


def nats(bits: np.ndarray, who: str, image: str = "i") -> float:
    """How unlikely chance makes it, as a natural logarithm."""
    return -log_chance(float(code(SEEDS[who], image, BITS) @ bits), float(bits @ bits))


def together(*readings: Reading) -> np.ndarray:
    (one,) = joined(readings)
    return one.bits


@given(STRENGTHS, NUMBERS)
def test_one_suspect_says_what_it_does_alone(x, number):
    one = suspect("r0", x, np.random.default_rng(number))
    (found,) = joined([one])
    assert np.array_equal(found.bits, weighted(one.soft))
    assert (found.alone, found.places) == ((), (0,))
    assert found.ways == [found.bits]


@given(st.lists(STRENGTHS, min_size=1, max_size=4), st.integers(2, 20), NUMBERS)
def test_copying_suspects_changes_nothing(xs, times, number):
    """Not of the first, and not of another of the same original."""
    draw = np.random.default_rng(number)
    seen = (None, LEFT, RIGHT, None)
    some = [suspect("r0", x, draw, seen=s) for x, s in zip(xs, seen, strict=False)]
    once, often = weigh(some, SEEDS), weigh([*some, *[some[0]] * times], SEEDS)
    assert often.p_value == pytest.approx(once.p_value, rel=1e-9)
    assert often.scores == pytest.approx(once.scores, rel=1e-9)
    assert (often.images, often.energy) == (1, pytest.approx(once.energy))


@given(STRENGTHS, st.integers(2, 6), NUMBERS)
def test_copies_that_differ_a_little_say_what_one_does(x, times, number):
    """Saves of one file share their noise, and so they don't add up."""
    draw = np.random.default_rng(number)
    one = suspect("r0", x, draw)
    near = [
        Reading("i", one.soft + 0.01 * math.sqrt(x) * draw.standard_normal(BITS))
        for _ in range(times)
    ]
    alone, found = nats(weighted(one.soft), "r0"), nats(together(*near), "r0")
    assert found == pytest.approx(alone, rel=0.02, abs=0.05)


@given(st.lists(STRENGTHS, min_size=2, max_size=6), NUMBERS, st.randoms())
def test_the_order_of_suspects_changes_nothing(xs, number, order):
    draw = np.random.default_rng(number)
    some = [suspect(f"r{n % 3}", x, draw) for n, x in enumerate(xs)]
    other = list(some)
    order.shuffle(other)
    assert together(*other) == pytest.approx(together(*some), abs=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8), NUMBERS)
def test_an_original_never_counts_for_more_than_one(sizes, number):
    draw = np.random.default_rng(number)
    some = [
        Reading("i", size * draw.standard_normal(BITS), place(n % CELLS))
        for n, size in enumerate(sizes)
    ]
    (found,) = joined(some)
    for bits in found.ways:
        assert float(bits @ bits) < 1


def test_suspects_that_say_nothing_say_nothing_together():
    zeros = np.zeros(BITS)
    assert not together(Reading("i", zeros), Reading("i", zeros, LEFT)).any()
    one = Reading("i", np.ones(BITS), np.zeros((CELLS, CELLS)))
    assert together(one, Reading("i", zeros)).any()
    draw = np.random.default_rng(2)
    good = suspect("r0", 1.0, draw)
    assert together(good, Reading("i", zeros)) == pytest.approx(weighted(good.soft))


@pytest.mark.parametrize("x", [0.01, 0.03, 0.1, 0.3])
def test_of_disjoint_places_the_sum_is_said(x):
    """In the mean of many; what one original may say at most is far away."""
    draw = np.random.default_rng(7)
    alone, both = [], []
    for _ in range(400):
        some = [suspect("r0", x, draw, seen=seen) for seen in (LEFT, RIGHT)]
        own = code(SEEDS["r0"], "i", BITS)
        alone += [float(own @ one.soft) for one in some]
        both.append(together(*some))
    energy = np.mean([float(bits @ bits) for bits in both])
    fit = np.mean([float(own @ bits) for bits in both])
    one = math.sqrt(BITS * x * x / (x * (1 + x)))  # Z of one, in the mean
    assert np.mean(alone) == pytest.approx(BITS * x, rel=0.2)
    assert fit / math.sqrt(energy) == pytest.approx(math.sqrt(2) * one, rel=0.12)


@pytest.mark.parametrize("xs", [(0.3, 0.3), (5.0, 0.3), (0.05, 2.0), (30.0, 30.0)])
def test_two_places_say_at_least_what_the_better_does(xs):
    draw = np.random.default_rng(8)
    gained = []
    for _ in range(300):
        places = zip(xs, (LEFT, RIGHT), strict=True)
        some = [suspect("r0", x, draw, seen=seen) for x, seen in places]
        better = max(nats(weighted(one.soft), "r0") for one in some)
        gained.append(nats(together(*some), "r0") - better)
    assert np.mean(gained) > 0
    assert min(gained) > -7  # noise of the weaker one may be against it
    assert np.quantile(gained, 0.1) > -1.5


def test_many_weak_suspects_name_whom_none_of_them_does():
    draw = np.random.default_rng(4)
    some = [suspect("r2", 0.15, draw, seen=place(2 * n, 2 * n + 1)) for n in range(8)]
    assert not any(weigh([one], SEEDS).decided for one in some)
    found = weigh(some, SEEDS)
    assert (found.decided, found.recipient_id, found.images) == (True, "r2", 1)
    (culprit,) = found.culprits
    assert culprit.images == ("i",)


@pytest.mark.parametrize("loud", [0.02, 0.3, 1.0, 4.0, 1000.0])
@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize("images", [1, 4])
def test_a_poisoned_suspect_takes_a_stated_amount(loud, count, images):
    """Beside each honest suspect lie some with its mark turned round. The price of a
    choice is all that they take: 10 for choosing, and 1 more for each suspect that is
    there."""
    draw = np.random.default_rng(9)
    honest = [suspect("r0", 3.0, draw, f"{n}") for n in range(images)]
    poison = [
        Reading(one.image_id, -loud * one.soft + 1e-3 * draw.standard_normal(BITS))
        for one in honest
        for _ in range(count)
    ]
    found = weigh([*honest, *poison], SEEDS)
    alone = weigh(honest, SEEDS)
    price = math.log(10) + images * math.log(2 * (count + 2))
    lost = math.log(found.chances["r0"]) - math.log(alone.chances["r0"])
    assert lost <= 1.02 * price + 0.5
    assert [one.recipient_id for one in found.culprits] == ["r0"]
    assert found.chances["r1"] > FALSE_ACCUSATION


def test_of_a_mixed_leak_of_the_same_originals_both_are_named():
    draw = np.random.default_rng(5)
    some = [suspect(who, 3.0, draw, f"{n}") for n in range(6) for who in ("r1", "r3")]
    found = weigh(some, SEEDS)
    assert {one.recipient_id for one in found.culprits} == {"r1", "r3"}
    told = {one.recipient_id: one.readings for one in found.culprits}
    assert told == {"r1": (0, 2, 4, 6, 8, 10), "r3": (1, 3, 5, 7, 9, 11)}
    assert {one.images for one in found.culprits} == {tuple("012345")}


def test_what_was_seen_is_told_by_cells():
    assert seen_of(None) is None
    whole = seen_of(np.ones((37, 5), np.float32))
    assert whole == pytest.approx(np.ones((CELLS, CELLS)))
    shown = np.zeros((160, 320), np.float32)
    shown[:80, 20:40] = 0.5
    seen = seen_of(shown)
    assert seen is not None
    assert seen[:8, 1] == pytest.approx(np.full(8, 0.5))
    assert float(seen.sum()) == pytest.approx(4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["noise", "others", "copies", "poison", "parts"])
def test_innocents_stay_below_the_bound(kind):
    """What is below a bound by chance is no more than it says, whatever is joined."""
    draw = np.random.default_rng(11)
    innocent = {f"x{n}": draw.bytes(16) for n in range(400)}
    trials = 60
    levels = (0.3, 0.1, 0.03, 0.01, 0.001)
    below = np.zeros(len(levels))
    for trial in range(trials):
        some = []
        for n in range(3):
            image = f"{kind}-{trial}-{n}"
            for which in range(4):
                x = float(draw.choice([0.1, 2.0, 30.0]))
                one = suspect(f"r{which if kind == 'others' else 0}", x, draw, image)
                if kind == "noise":
                    one = Reading(image, x * draw.standard_normal(BITS))
                if kind == "poison" and which % 2:
                    one = Reading(image, -0.3 * one.soft)
                if kind == "copies" and which:
                    one = Reading(image, some[-1].soft + draw.standard_normal(BITS))
                if kind == "parts":
                    one = Reading(image, one.soft, place(which * 4, which * 3))
                some.append(one)
        # As for one code that nobody tried to fit: what multiplies the bound is off.
        found = weigh(some, innocent, -math.log(2 * len(innocent)))
        chances = np.array(list(found.chances.values()))
        below += [(chances <= level).sum() for level in levels]
    tests = trials * len(innocent)
    for level, count in zip(levels, below, strict=True):
        spare = 4 * math.sqrt(tests * level) / tests
        assert count / tests <= level + spare, (level, count)
