import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.media.template_matching import find

pytestmark = pytest.mark.unit


def gray(photos, name="cat"):
    return photos[name].mean(axis=2)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_part_is_found_where_it_was_cut_out(photos, data):
    whole = gray(photos)
    height = data.draw(st.integers(8, whole.shape[0]))
    width = data.draw(st.integers(8, whole.shape[1]))
    top = data.draw(st.integers(0, whole.shape[0] - height))
    left = data.draw(st.integers(0, whole.shape[1] - width))
    part = whole[top : top + height, left : left + width]
    found = find(1.1 * part + 20, whole)
    assert (found.top, found.left) == (top, left)
    assert found.correlation == pytest.approx(1)


def test_the_correlation_is_that_of_its_definition(photos):
    whole = gray(photos)
    noise = np.random.default_rng(0).normal(0, 30, (40, 50))
    found = find(whole[17:57, 31:81] + noise, whole)
    assert found[:2] == (17, 31)
    window = whole[17:57, 31:81]
    expected = np.corrcoef(window.ravel(), (window + noise).ravel())[0, 1]
    assert found.correlation == pytest.approx(expected)
    assert expected < 0.95


def test_what_is_elsewhere_or_plain_correlates_little(photos):
    whole = gray(photos)
    assert find(gray(photos, "coffee")[:64, :64], whole).correlation < 0.8
    plain = np.full((20, 20), 77.0)
    assert find(plain, whole).correlation == 0
    assert find(whole[:20, :20], np.full(whole.shape, 77.0)).correlation == 0
    half = np.full(whole.shape, 77.0)
    half[:, 60:] = whole[:, 60:]
    found = find(half[30:60, 70:100], half)
    assert found[:2] == (30, 70)
