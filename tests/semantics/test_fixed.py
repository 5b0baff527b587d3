import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.semantics.fixed import ONE, SINES, TURN, cosine, root, sine, turned

pytestmark = pytest.mark.unit


def test_the_table_holds_exactly_rounded_sines():
    # No sine of the table is so near to a half that doubles could mislead here.
    expected = [round(ONE * math.sin(2 * math.pi * i / TURN)) for i in range(TURN)]
    assert SINES.tolist() == expected


@given(st.integers(-5000, 5000))
def test_angles_wrap(angle):
    assert sine(angle) == sine(angle + TURN) == -sine(-angle)
    assert cosine(angle) == cosine(-angle)


@given(st.integers(0, 2**52))
def test_roots_are_floors(square):
    assert root(np.array([square]))[0] == math.isqrt(square)


@given(st.integers(1, 2**26))
def test_roots_next_to_squares_are_floors(side):
    squares = np.array([side * side - 1, side * side])
    assert root(squares).tolist() == [side - 1, side]


def test_who_turns_clockwise_sees_the_right_ahead():
    x, y = turned(np.array([0]), np.array([1000]), TURN // 4)
    assert (x[0], y[0]) == (1000, 0)
