import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark import evidence
from fiftyone_reue.watermark.codes import code
from fiftyone_reue.watermark.evidence import bound, statistic, weigh
from fiftyone_reue.watermark.readings import Reading
from fiftyone_reue.watermark.weights import weighted

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


@given(
    fit=st.floats(-50, 50), energy=st.floats(0.01, 1000), tested=st.integers(1, 10**6)
)
def test_the_bound_is_a_probability_and_grows_with_what_was_tried(fit, energy, tested):
    p = bound(fit, energy, tested)
    assert 0 < p <= 1
    assert p <= bound(fit, energy, tested + 1)
    assert p <= bound(fit, energy, tested, log_ways=1.0)
    assert p <= bound(fit, energy, tested, step=2)
    if fit <= 0:
        assert p == 1


def test_every_recipient_on_the_list_makes_the_bound_weaker():
    few = weigh(readings("r0", images=3), {"r0": SEEDS["r0"]})
    many = weigh(
        readings("r0", images=3),
        {"r0": SEEDS["r0"], **{f"x{i}": i.to_bytes(16, "big") for i in range(999)}},
    )
    assert few.z == many.z
    assert many.recipients_tested == 1000
    assert many.p_value == pytest.approx(1000 * few.p_value)


def test_the_statistic_does_not_depend_on_the_order():
    suspects = readings("r1")
    turned = statistic(list(reversed(suspects)), SEEDS["r1"])
    assert turned == pytest.approx(statistic(suspects, SEEDS["r1"]))
    assert turned <= math.sqrt(10 * 32)


def poison(who: str, images: range, loud: float) -> list[Reading]:
    """What says the opposite of a recipient's code, without any noise."""
    return [Reading(f"{i}", -loud * code(SEEDS[who], f"{i}", 32)) for i in images]


@pytest.mark.parametrize("loud", [0.01, 1.0, 6.0, 1e6])
@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_a_fifth_of_poisoned_images_hides_nobody_and_accuses_nobody(loud, noise):
    suspects = [*readings("r1", 40, noise), *poison("r1", range(40, 50), loud)]
    found = weigh(suspects, SEEDS)
    assert [one.recipient_id for one in found.culprits] == ["r1"]
    assert found.p_value < 1e-20
    # With every image counting as loud as it is, five of them were enough:
    if loud == 6.0 and noise == 1.0:
        soft = [(code(SEEDS["r1"], r.image_id, 32), r.soft) for r in suspects]
        plain = sum(float(c @ t) for c, t in soft)
        assert plain < 0


def wrong_way(suspects: list[Reading]) -> list[Reading]:
    """The same with the marks the wrong way round."""
    return [Reading(one.image_id, -one.soft) for one in suspects]


@pytest.mark.parametrize("wrong", [3, 6])
def test_marks_the_wrong_way_round_name_their_recipient_too(wrong):
    suspects = readings("r3", 6)
    mixed = [*wrong_way(suspects[:wrong]), *suspects[wrong:]]
    found = weigh(mixed, SEEDS)
    (culprit,) = found.culprits
    assert culprit.recipient_id == "r3"
    assert set(culprit.turned) == set(culprit.images) & {f"{i}" for i in range(wrong)}
    assert culprit.turned
    assert culprit.all_turned == (wrong == 6)
    assert 0 < culprit.z == found.z < math.sqrt(6 * 32)
    assert not weigh(mixed, SEEDS, turned=False).decided


def test_honest_marks_pay_little_for_that():
    suspects = readings("r3", 6)
    found, before = weigh(suspects, SEEDS), weigh(suspects, SEEDS, turned=False)
    assert found.p_value == pytest.approx(before.p_value / 0.8)
    assert found.z == pytest.approx(before.z)
    assert [one.turned for one in found.culprits] == [()]


def test_weak_marks_the_wrong_way_round_are_told_together():
    """None of them points to anybody by itself."""
    suspects = wrong_way(readings("r3", 40, noise=4.0))
    (culprit,) = weigh(suspects, SEEDS).culprits
    assert culprit.recipient_id == "r3"
    assert culprit.all_turned
    assert len(culprit.turned) < 4


@pytest.mark.parametrize("noise", [0.0, 1e-3, 1.0])
def test_z_means_the_same_where_suspects_of_an_original_cancel(noise):
    """A copy, and one whose mark is the wrong way round."""
    draw = np.random.default_rng(1)
    said = 9.0 * code(SEEDS["r2"], "i", 128)
    suspects = [
        Reading("i", said + noise * draw.standard_normal(128)),
        Reading("i", -said),
    ]
    found = weigh(suspects, SEEDS)
    (culprit,) = found.culprits
    assert culprit.recipient_id == "r2"
    assert culprit.turned == ("i",)
    assert found.needed_z < found.z < math.sqrt(128)
    assert found.best_innocent_z < found.needed_z < 10
    assert found.chance(found.z) == pytest.approx(found.p_value, rel=1e-6)


def test_what_points_to_whom_is_told_apart_or_said_of_all():
    culprits = [
        evidence.Culprit("a", 9.0, 1e-9, 0.6, ("x", "y"), (0, 3)),
        evidence.Culprit("b", 8.0, 1e-9, 0.4, ("x", "z"), (1,)),
    ]
    pointed = evidence.pointed_to(culprits, ["x", "x", "x", "y", "z", "z"])
    told = [[one.recipient_id for one in whose] for whose in pointed]
    assert told == [["a"], ["b"], [], ["a"], ["b"], ["b"]]


@pytest.mark.parametrize("turn", [1, -1])
def test_whoever_mixes_ten_copies_is_named(turn):
    """Extremes less the median turn everybody's mark round."""
    seeds = {f"m{i}": bytes([i]) * 16 for i in range(10)}
    suspects = [
        Reading(
            f"{image}",
            turn * np.mean([code(seed, f"{image}", 128) for seed in seeds.values()], 0),
        )
        for image in range(8)
    ]
    others = {f"x{i}": bytes([100 + i]) * 16 for i in range(50)}
    found = weigh(suspects, {**others, **seeds})
    named = {one.recipient_id for one in found.culprits}
    assert len(named) >= 5
    assert named <= set(seeds)
    assert found.best_innocent_p > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["noise", "one bit", "tails", "another's"])
@pytest.mark.parametrize("images", [1, 4, 30])
def test_no_more_innocents_than_the_bound_says_whatever_they_are_weighed_on(
    shape, images
):
    """Each of 20,000 on joined readings, on these turned round and on choices."""
    draw = np.random.default_rng(images)
    values = {
        "noise": draw.standard_normal((images, 32)),
        "one bit": np.eye(32)[draw.integers(0, 32, images)] + 1e-3,
        "tails": draw.standard_cauchy((images, 32)),
        "another's": np.stack([code(b"x" * 16, f"{i}", 32) for i in range(images)]),
    }[shape]
    suspects = [Reading(f"{i}", soft) for i, soft in enumerate(values)]
    suspects += [Reading("0", draw.standard_normal(32)) for _ in range(2)]
    count = 20_000
    seeds = {f"{i}": i.to_bytes(16, "big") for i in range(count)}
    found = weigh(suspects, seeds, -math.log(2 * count))  # one code's own bounds
    chances = np.array(list(found.chances.values()))
    for level in (0.1, 0.01, 0.001):
        share = float(np.mean(chances <= level))
        assert share <= level + 3 * math.sqrt(level / count)


@given(st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=64))
def test_no_image_counts_for_more_than_one(values):
    soft = np.array(values)
    made = weighted(soft)
    assert 0 <= made @ made < 1
    assert np.allclose(made * np.linalg.norm(soft), soft * np.linalg.norm(made))


def test_a_clean_image_counts_for_more_than_a_noisy_one():
    clean, noisy = np.full(32, 30.0), np.full(32, 0.1)
    assert weighted(clean) @ weighted(clean) > 0.9
    assert weighted(noisy) @ weighted(noisy) < 0.1


def test_images_that_say_nothing_cost_little():
    """Ten honest images among thirty drowned ones name as firmly as by themselves."""
    alone = readings("r1", 10)
    drowned = [Reading(f"x{i}", np.full(32, 0.01)) for i in range(30)]
    few, many = weigh(alone, SEEDS), weigh([*alone, *drowned], SEEDS)
    assert many.p_value < few.p_value**0.9


def test_all_culprits_of_a_mixed_leak_are_named_and_their_images():
    suspects = [
        *readings("r1", 8, 0.5),
        *shifted("r2", 8, 14),
        *shifted("r4", 14, 18),
    ]
    found = weigh(suspects, SEEDS)
    own = {one.recipient_id: set(one.images) for one in found.culprits}
    assert own == {
        "r1": {f"{i}" for i in range(8)},
        "r2": {f"{i}" for i in range(8, 14)},
        "r4": {f"{i}" for i in range(14, 18)},
    }
    shares = {one.recipient_id: one.share for one in found.culprits}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["r1"] > shares["r2"] > shares["r4"] > 0.1
    # None of them is passed off as the best innocent.
    assert found.best_innocent_p > 1e-3
    assert found.best_innocent_z < 4.5


def shifted(who: str, first: int, end: int) -> list[Reading]:
    draw = np.random.default_rng(first)
    said = {f"{i}": code(SEEDS[who], f"{i}", 32) for i in range(first, end)}
    return [Reading(i, c + 0.5 * draw.standard_normal(32)) for i, c in said.items()]


def test_two_who_mixed_their_copies_are_both_named():
    draw = np.random.default_rng(5)
    mixed = [
        Reading(
            f"{i}",
            0.5 * code(SEEDS["r0"], f"{i}", 32)
            + 0.5 * code(SEEDS["r3"], f"{i}", 32)
            + 0.3 * draw.standard_normal(32),
        )
        for i in range(12)
    ]
    found = weigh(mixed, SEEDS)
    assert {one.recipient_id for one in found.culprits} == {"r0", "r3"}
    for one in found.culprits:
        assert 0.35 < one.share < 0.65
        assert len(one.images) > 6


def test_ways_to_choose_make_the_bound_weaker():
    alone = weigh(readings("r1", 3), SEEDS)
    chosen = weigh(readings("r1", 3), SEEDS, log_ways=math.log(1000))
    assert chosen.p_value == pytest.approx(1000 * alone.p_value)
    assert chosen.needed_z > alone.needed_z


def test_somebody_is_named_from_the_needed_z_on():
    found = weigh(readings("r1", 5), SEEDS)
    assert found.chance(found.needed_z * 0.999) > evidence.FALSE_ACCUSATION
    assert found.chance(found.needed_z * 1.001) <= evidence.FALSE_ACCUSATION
    assert found.chance(found.z) == pytest.approx(found.p_value)


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
    enough = readings("r2", images=2 + 3 * few.more_images, noise=2.0)
    assert weigh(enough, SEEDS).decided


def test_no_forecast_is_made_from_chance():
    found = weigh(readings(None, images=4, seed=1), {"r0": SEEDS["r0"]})
    assert found.z < 2
    assert found.more_images is None
