"""The search for the strongest amplitude that looks well enough."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.workflows.amplitudes import strongest

pytestmark = pytest.mark.unit


def searched(qualities: list[float], quality: float) -> tuple[int, float, list[int]]:
    """What is found where amplitude n has the n-th of the qualities, and the looks."""
    looks: list[int] = []

    def look(amplitude: int) -> float:
        looks.append(amplitude)
        return qualities[amplitude - 1]

    return (*strongest(look, len(qualities), quality), looks)


@given(
    st.lists(st.floats(-50, 99), min_size=1, max_size=30),
    st.integers(1, 99),
)
def test_the_strongest_that_looks_well_enough(lost: list[float], quality: int) -> None:
    qualities = sorted(lost, reverse=True)
    found, seen, looks = searched(qualities, quality)
    right = [n for n, one in enumerate(qualities, start=1) if one >= quality]
    assert seen == qualities[found - 1]
    assert len(set(looks)) == len(looks)
    if right:
        assert found == max(right)
    else:
        assert seen == max(qualities)


def test_one_look_is_enough_where_nothing_need_be_less() -> None:
    assert searched([90, 80, 70, 60], 60)[2] == [4]


def test_two_looks_are_enough_where_nothing_helps() -> None:
    assert searched([76, 74, 70, 67, 65, 64], 85) == (1, 76, [6, 1])


def test_few_looks_find_it_on_photographs() -> None:
    """What was lost with 1 to 6 gray levels of JPEG photographs of 224 pixels."""
    photographs = (
        [28.6, 30.5, 37.1, 41.1, 44.5, 45.4],
        [23.6, 26.2, 30.0, 32.6, 34.6, 35.6],
        [22.1, 22.7, 28.2, 31.6, 33.7, 34.5],
        [21.4, 23.8, 25.4, 28.4, 28.7, 29.0],
    )
    looks = [
        len(searched([100 - one for one in lost], quality)[2])
        for lost in photographs
        for quality in (60, 70, 75, 80, 85)
    ]
    assert max(looks) <= 5
    assert sum(looks) / len(looks) <= 3


@given(st.lists(st.floats(-50, 99), min_size=1, max_size=12), st.integers(1, 99))
def test_less_may_look_worse(qualities: list[float], quality: int) -> None:
    """What is found need not be the strongest then, but looks well enough, or best."""
    found, seen, looks = searched(qualities, quality)
    assert seen == qualities[found - 1]
    best = max(qualities[one - 1] for one in looks)
    assert seen >= quality or math.isclose(seen, best)
