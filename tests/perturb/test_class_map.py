"""Which class a field is of."""

import numpy as np
import pytest

from fiftyone_reue.perturb.class_map import ClassMap

pytestmark = pytest.mark.unit


def test_a_field_is_of_the_class_with_the_most_of_it() -> None:
    places = np.zeros((16, 24), np.uint8)
    places[:8, :8] = 1  # all of it
    places[:8, 8:11] = 1  # 24 of 64
    places[:8, 11:16] = 2  # 40 of 64
    places[:2, 16:23] = 2  # 14 of 64: less than a quarter
    places[8:10, :8] = 1  # 16 of 64: a quarter
    places[8:12, 8:16] = 1
    places[12:16, 8:16] = 2  # as many: the first
    regions = ClassMap(("cat", "dog"), places)
    assert regions.fields(8).tolist() == [[1, 2, 0], [1, 1, 0]]
    assert regions.share() == pytest.approx((64 + 24 + 40 + 14 + 16 + 64) / (16 * 24))


def test_fields_at_the_border_may_be_smaller() -> None:
    places = np.zeros((9, 10), np.uint8)
    places[8, 8:] = 1  # all of the 1 x 2 pixels in the last field
    assert ClassMap(("cat",), places).fields(8).tolist() == [[0, 0], [0, 1]]


def test_an_image_may_have_no_class_at_all() -> None:
    empty = ClassMap((), np.zeros((20, 20), np.uint8))
    assert not empty.fields(8).any()
    assert empty.share() == 0
