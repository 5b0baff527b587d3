import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.auditing.split import split
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.unit


@pytest.mark.slow
@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=6).filter(
        lambda counts: sum(counts) >= 20
    ),
    seed=st.integers(0, 5),
)
def test_parts_are_disjoint_and_hold_the_classes_evenly(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    parts = split(labels, train=10**6, clean=10**6, test=10**6, seed=seed)
    together = np.concatenate([parts.train, parts.clean, parts.test])
    assert sorted(together) == list(range(len(labels)))
    for label, count in enumerate(counts):
        share = (labels[parts.test] == label).sum()
        assert abs(share - count * len(parts.test) / len(labels)) <= 2


def test_parts_keep_their_largest_sizes_and_stay_even():
    labels = np.tile(np.arange(4), 100)
    parts = split(labels, train=40, clean=8, test=20, seed=0)
    assert [len(parts.train), len(parts.clean), len(parts.test)] == [40, 8, 20]
    assert set(np.bincount(labels[parts.train])) <= {9, 10, 11}


def test_a_seed_gives_the_same_parts_again():
    labels = np.tile(np.arange(4), 25)
    options = {"train": 50, "clean": 10, "test": 20}
    first = split(labels, seed=1, **options)
    assert np.array_equal(first.train, split(labels, seed=1, **options).train)
    assert not np.array_equal(first.train, split(labels, seed=2, **options).train)


@pytest.mark.parametrize("labels", [np.zeros(100, int), np.arange(19) % 2])
def test_too_little_is_refused(labels):
    with pytest.raises(InputError, match="at least 20 images of 2 classes"):
        split(labels, train=10, clean=10, test=10, seed=0)
