import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark.codes import code
from fiftyone_reue.watermark.evidence import weigh
from fiftyone_reue.watermark.looks import Look, images_of, log_ways, same_look
from fiftyone_reue.watermark.readings import Reading, version

pytestmark = pytest.mark.unit

VERSIONS = st.dictionaries(
    st.sampled_from([f"i{n}" for n in range(6)]),
    st.sampled_from(["a", "b"]),
    min_size=1,
)


def log(*asked: dict[str, str]) -> list[Look]:
    return [Look(number, 0.0, images) for number, images in enumerate(asked, 1)]


def test_the_first_look_costs_a_factor_of_two():
    assert log_ways([], {"i1": "a", "i2": "a"}) == pytest.approx(math.log(2))


def test_more_images_cost_little_and_a_choice_among_them_much():
    many = {f"i{n}": "a" for n in range(40)}
    earlier = log(many)
    more = log_ways(earlier, {**many, "new": "a"})
    some = log_ways(earlier, {f"i{n}": "a" for n in range(10)})
    assert more == pytest.approx(math.log(6 * 41))
    assert some == pytest.approx(math.log(6 * 41 * math.comb(40, 10)))
    fresh = log_ways(earlier, {f"x{n}": "a" for n in range(10)})
    assert fresh == more


def test_another_version_of_an_image_costs_a_factor():
    earlier = log({"i": "a"}, {"i": "b"})
    once = math.log(3 * 4 * 2)
    assert log_ways(earlier, {"i": "a"}) == pytest.approx(once + math.log(2 * 2))
    assert log_ways(earlier, {"i": "c"}) == pytest.approx(once + math.log(3 * 3))
    assert log_ways(earlier, {"i": "a+b"}) == pytest.approx(once + math.log(2))
    assert log_ways(earlier, {"i": "a+c"}) == pytest.approx(once + math.log(3 * 3))


def test_older_looks_were_at_one_version_and_cost_what_they_did():
    earlier = log({"i": "a"}, {"i": "b"})
    once = math.log(3 * 4 * 2)
    for own, among in (("a", 2), ("c", 3)):
        cost = log_ways(earlier, {"i": own}, joined=False)
        assert cost == pytest.approx(once + math.log(among))


def test_a_look_is_at_all_versions_of_an_original_in_any_order():
    draw = np.random.default_rng(3)
    some = [Reading("i", draw.standard_normal(32)) for _ in range(3)]
    some.append(Reading("j", some[0].soft))
    found = images_of(some)
    assert found == images_of([*some[::-1], some[1]])
    assert found["j"] == version(some[0])
    assert sorted(found["i"].split("+")) == sorted(map(version, some[:3]))


@pytest.mark.slow
@given(st.lists(VERSIONS, max_size=4))
def test_the_shares_of_all_that_could_be_asked_are_at_most_one(asked):
    """Of every later look: sets of the originals seen, in versions that were used."""
    earlier = log(*asked)
    seen: dict[str, set[str]] = {}
    for one in asked:
        for image, kind in one.items():
            seen.setdefault(image, set()).add(kind)
    number = len(earlier) + 1
    total = 0.0
    for count in range(len(seen) + 1):
        for chosen in combinations(sorted(seen), count):
            sets = [{}]
            for image in chosen:
                sets = [
                    {**s, image: "+".join(some)}
                    for s in sets
                    for many in range(1, len(seen[image]) + 1)
                    for some in combinations(sorted(seen[image]), many)
                ]
            total += sum(math.exp(-log_ways(earlier, s)) for s in sets)
    assert total <= 1 / (number * (number + 1)) + 1e-12


def test_a_question_is_known_again():
    earlier = log({"i": "a"}, {"i": "a", "j": "b"})
    assert same_look(earlier, {"j": "b", "i": "a"}, 7) == earlier[1]
    assert same_look(earlier, {"j": "b"}, 7) is None
    assert Look.from_dict(earlier[1].to_dict()) == earlier[1]


def test_among_more_recipients_it_is_another_question():
    images = {"i": "a"}
    among_seven = Look(1, 0.0, images, 7)
    assert same_look([among_seven], images, 7) == among_seven
    assert same_look([among_seven], images, 8) is None
    among_eight = Look(2, 0.0, images, 8)
    assert same_look([among_seven, among_eight], images, 8) == among_eight
    assert Look.from_dict(among_eight.to_dict()) == among_eight
    # Who adds recipients and asks again pays as who picks does.
    assert log_ways([among_seven], images) > log_ways([], images)


def test_versions_are_told_apart_and_rounding_is_none():
    soft = np.linspace(-3, 5, 32)
    one = version(Reading("i", soft))
    assert one == version(Reading("i", soft * (1 + 1e-12)))
    assert one != version(Reading("i", soft[::-1].copy()))
    assert version(Reading("i", np.zeros(32))) != one
    assert len(one) == 16


@pytest.mark.slow
def test_who_picks_what_fitted_best_finds_nobody():
    """Without the log, the best half of 200 innocent images names somebody for sure."""
    draw = np.random.default_rng(1)
    seeds = {"r": b"r" * 16}
    innocent = [Reading(f"{i}", 30 * draw.standard_normal(32)) for i in range(200)]
    looked: list[Look] = []
    fitting = []
    for one in innocent:
        images = {one.image_id: version(one)}
        looked.append(Look(len(looked) + 1, 0.0, images))
        if float(one.soft @ code(seeds["r"], one.image_id, 32)) > 0:
            fitting.append(one)
    images = {one.image_id: version(one) for one in fitting}
    assert weigh(fitting, seeds).decided
    honest = weigh(fitting, seeds, log_ways(looked, images))
    assert not honest.decided
    assert honest.p_value > 0.5
