import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.media.expand import expand

pytestmark = pytest.mark.unit

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def test_expand_repeats_whole_cells():
    pattern = np.arange(6, dtype=np.int8).reshape(2, 3, 1)
    stretched = expand(pattern, 4, 6)[..., 0]
    assert stretched.tolist() == [
        [0, 0, 1, 1, 2, 2],
        [0, 0, 1, 1, 2, 2],
        [3, 3, 4, 4, 5, 5],
        [3, 3, 4, 4, 5, 5],
    ]


@pytest.mark.slow
@given(shape=SHAPES, size=st.tuples(st.integers(1, 50), st.integers(1, 50)))
def test_expand_covers_any_size_in_order(shape, size):
    pattern = np.arange(shape[0], dtype=np.int8)[:, None, None].repeat(shape[1], 1)
    stretched = expand(pattern, *size)
    assert stretched.shape == (*size, 1)
    assert (np.diff(stretched[:, 0, 0]) >= 0).all()
    if size[0] >= shape[0]:
        assert set(stretched[:, 0, 0]) == set(range(shape[0]))


@pytest.mark.slow
@given(shape=SHAPES, dtype=st.sampled_from([np.int8, np.int16]))
def test_a_pattern_of_the_images_size_stays_as_it_is(shape, dtype):
    pattern = np.arange(shape[0] * shape[1]).astype(dtype).reshape(*shape, 1)
    assert expand(pattern, *shape) is pattern
    assert expand(pattern, 20, 20).dtype == dtype
