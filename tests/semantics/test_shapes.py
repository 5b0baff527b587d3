import itertools

import numpy as np
import pytest

from fiftyone_reue.semantics.fixed import UNIT
from fiftyone_reue.semantics.shapes import SHAPES, UPRIGHT

pytestmark = pytest.mark.unit

_LINE = np.arange(-6000, 6001, 50)
_X, _Y = np.meshgrid(_LINE, _LINE)
_DISC = _X * _X + _Y * _Y <= UNIT * UNIT


@pytest.mark.parametrize("name", SHAPES)
def test_a_silhouette_fills_much_of_its_disc_and_nothing_else(name):
    inside = SHAPES[name](_X, _Y)
    assert inside.dtype == bool
    assert not (inside & ~_DISC).any()
    assert inside[_DISC].mean() > 0.2


def test_no_two_silhouettes_look_alike():
    drawn = {name: test(_X, _Y)[_DISC] for name, test in SHAPES.items()}
    for (one, a), (other, b) in itertools.combinations(drawn.items(), 2):
        assert (a ^ b).mean() > 0.05, (one, other)


def test_what_is_upright_is_a_silhouette():
    assert UPRIGHT.issubset(SHAPES)
    assert len(SHAPES) >= 14
