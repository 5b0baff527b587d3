import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.perturb.weaker import weaker
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

NOTHING = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, np.int64), ("a", "b"))


def fitted(name: str, amplitude: int) -> State:
    options = FitOptions(amplitude, 3, bytes(range(32)))
    return finish(create_method(name).fit(NOTHING, options))


@pytest.mark.parametrize("amplitude", [1, 3, 5, 6])
def test_rue_is_as_if_it_had_been_fitted_with_less(amplitude):
    made, less = weaker(fitted("rue", 6), amplitude, 6), fitted("rue", amplitude)
    assert made.classes == less.classes
    assert made.arrays.keys() == less.arrays.keys()
    for name in ("bands", "amplitude"):
        assert np.array_equal(made.arrays[name], less.arrays[name])
    apart = made.tables.astype(int) - less.tables
    assert np.abs(apart).max() <= 1
    assert np.abs(made.tables).max() <= amplitude
    assert made.tables.dtype == np.int8


def test_what_is_made_of_other_things_is_refused():
    state = State("raeg", ("a", "b"), {"code": np.zeros(3)})
    with pytest.raises(InputError, match="can't be made weaker image by image"):
        weaker(state, 2, 6)
