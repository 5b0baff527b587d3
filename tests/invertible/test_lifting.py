"""Scaling whole numbers by pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.invertible import lifting

pytestmark = pytest.mark.unit

numbers = st.integers(-2000, 2000)


def _of(*values: float, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    return [torch.tensor([value], dtype=dtype) for value in values]


@pytest.mark.slow
@given(numbers, numbers, st.floats(-1, 1))
def test_unscaling_is_exact(first: int, second: int, logarithm: float) -> None:
    one, other, power = _of(first, second, logarithm)
    scaled = lifting.scale_pairs(one, other, power)
    assert lifting.unscale_pairs(*scaled, power) == (one, other)


@pytest.mark.slow
@given(numbers, numbers, st.floats(-0.5, 0.5))
def test_scaling_scales(first: int, second: int, logarithm: float) -> None:
    one, other, power = _of(first, second, logarithm)
    up, down = lifting.scale_pairs(one, other, power)
    factor = np.exp(logarithm)
    tolerance = 4 + 0.002 * (abs(first) + abs(second))
    assert abs(float(up) - first * factor) < tolerance
    assert abs(float(down) - second / factor) < tolerance


@pytest.mark.slow
@given(numbers, numbers)
def test_nothing_changes_at_one(first: int, second: int) -> None:
    one, other, power = _of(first, second, 0.0)
    assert lifting.scale_pairs(one, other, power) == (one, other)


def test_the_table_is_whole_and_right() -> None:
    table = np.array(lifting.shear_table())
    steps = np.arange(len(table)) - len(table) // 2
    factors = np.exp(steps / lifting.STEPS)
    wanted = np.stack(
        [np.ones_like(factors), factors - 1, -1 / factors, factors - factors**2], axis=1
    )
    assert table.dtype == np.int64
    assert np.abs(table / 2**14 - wanted).max() <= 0.5001 / 2**14
