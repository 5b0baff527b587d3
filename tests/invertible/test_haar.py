"""The integer Haar transform."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fiftyone_reue.invertible.haar import haar, inverse_haar

pytestmark = pytest.mark.unit

images = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda s: arrays(
        np.int64, (1, s[0], 2 * s[1], 2 * s[2]), elements=st.integers(-1000, 1000)
    )
)


@pytest.mark.slow
@given(images, st.sampled_from([torch.float32, torch.float64]))
def test_inverse_is_exact(values: np.ndarray, dtype: torch.dtype) -> None:
    image = torch.from_numpy(values).to(dtype)
    assert torch.equal(inverse_haar(haar(image)), image)


@pytest.mark.slow
@given(images)
def test_the_other_way_is_exact_too(values: np.ndarray) -> None:
    bands = torch.from_numpy(values).double().repeat(1, 4, 1, 1)
    assert torch.equal(haar(inverse_haar(bands)), bands)


@pytest.mark.slow
@given(images, st.integers(-50, 50))
def test_a_change_of_means_moves_every_pixel(values: np.ndarray, change: int) -> None:
    image = torch.from_numpy(values).double()
    bands = haar(image)
    bands[:, : image.shape[1]] += change
    assert torch.equal(inverse_haar(bands), image + change)


def test_bands_are_what_they_are_called() -> None:
    image = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    image[..., 0::2] = 10
    means, horizontal, vertical, diagonal = haar(image)[0]
    assert (means == 5).all()
    assert (horizontal == 10).all()
    assert (vertical == 0).all()
    assert (diagonal == 0).all()
