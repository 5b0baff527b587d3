"""Segments are walked in order, whatever lies between them."""

import pytest

from fiftyone_reue.errors import UnreadableImageError
from fiftyone_reue.media.jpeg_coefficients.markers import EOI, SOS, Segment, placed
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.unit


def test_segments_make_the_file_again():
    data = pillow(picture(), progressive=True)
    parts = [b"\xff\xd8"]
    for one in placed(data):
        parts += [one.segment.pack(), data[one.end : one.until]]
    assert b"".join(parts) == data


def test_only_scans_are_followed_by_coded_data():
    data = pillow(picture(), progressive=True)
    after = {one.segment.marker for one in placed(data) if one.until > one.end}
    assert after == {SOS}


def test_filling_is_stepped_over():
    data = pillow(picture())
    filled = data[:2] + b"\xff\xff" + data[2:-2] + b"\xff" + data[-2:]
    assert [one.segment for one in placed(filled)] == [
        one.segment for one in placed(data)
    ]


def test_the_end_is_the_first_picture_s():
    data = pillow(picture())
    *_, last = placed(data + data)
    assert (last.segment.marker, last.end) == (EOI, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xe0\0\1\xff\xd9",
        b"\xff\xd8\xff\xe0\0\x10abc",
        b"\xff\xd8\xff\xd8\xff\xd9",
        b"\x89PNG",
        b"\xff\xd8\xff" + b"\xfe\0\2\xff" * 30_000,
    ],
)
def test_what_isn_t_whole(data: bytes):
    with pytest.raises(UnreadableImageError, match="damaged JPEG"):
        list(placed(data))


def test_too_long_a_segment():
    with pytest.raises(ValueError, match="too long"):
        Segment(0xE1, bytes(65534)).pack()
