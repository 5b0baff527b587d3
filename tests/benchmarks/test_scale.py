"""The benchmark of threads and clusters: its images, and its table."""

import pytest
from PIL import Image

from benchmarks import scale

pytestmark = pytest.mark.unit


def test_images_are_the_same_each_time(tmp_path):
    for folder in ("a", "b"):
        scale.make_images(tmp_path / folder, 11)
    first = sorted((tmp_path / "a").glob("*/*.jpg"))
    assert len(first) == 11
    assert len({path.parent for path in first}) == 10
    for path in first:
        again = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert again.read_bytes() == path.read_bytes()
        with Image.open(path) as image:
            assert image.size == (scale.SIDE, scale.SIDE)


def test_what_was_lost_or_doubled_is_in_the_table():
    figures = (2, 20.0, 1.0, 3.0, 0.5, 5.0, 98, 1, 10, 10)
    told = scale.table([scale.Measured("Ray", *figures)], 100)
    row = [cell.strip() for cell in told.splitlines()[-1].strip("|").split("|")]
    assert row == ["Ray", "2", "20", "5.0", "10.0", "30.0", "0.5", "98 of 100", "1"]
