"""Records and metadata in a JPEG's segments."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError, UnsupportedImageError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.jpeg_coefficients.markers import LONGEST_PAYLOAD
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_segments import (
    is_record,
    joined_record,
    metadata_segments,
    record_segments,
    with_record,
)
from fiftyone_reue.media.raster import Metadata
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.unit


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3 * LONGEST_PAYLOAD), st.integers(0, 255))
def test_records_come_back_whatever_their_length(length: int, fill: int) -> None:
    record = bytes([fill]) * length
    segments = record_segments(record)
    assert all(is_record(one) for one in segments)
    assert all(len(one.payload) <= LONGEST_PAYLOAD for one in segments)
    assert joined_record(one.payload for one in segments) == record


def test_parts_may_neither_be_missing_nor_swapped_nor_edited() -> None:
    parts = [one.payload for one in record_segments(bytes(200_000))]
    assert len(parts) == 4
    assert joined_record([]) is None
    edited = parts[0][:-10] + b"x" + parts[0][-9:]
    for wrong in (
        parts[:-1],
        parts[1:],
        [parts[1], parts[0], *parts[2:]],
        [parts[0], parts[0], *parts[2:]],
        [edited, *parts[1:]],
        [parts[0][:6]],
    ):
        with pytest.raises(DamagedRecordError, match="record"):
            joined_record(wrong)


def test_a_record_takes_the_place_of_another_one() -> None:
    data = pillow(picture(), comment=b"kept", icc_profile=b"icc" * 30)
    first = with_record(data, b"one" * 40_000)
    second = with_record(first, b"two")
    assert load(first).record == b"one" * 40_000
    assert load(second).record == b"two"
    assert with_record(second, None) == data
    assert b"kept" in second
    kept = [one for one in read(second).segments if not is_record(one)]
    assert kept == list(read(data).segments)


def test_metadata_is_cut_into_segments() -> None:
    profile = bytes(range(256)) * 600
    metadata = Metadata(icc=profile, exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    segments = metadata_segments(metadata)
    data = pillow(picture())
    packed = b"".join(one.pack() for one in segments)
    found = load(data[:2] + packed + data[2:]).raster.metadata
    assert (found.icc, found.exif) == (profile, metadata.exif)
    assert metadata_segments(Metadata()) == []


def test_what_no_jpeg_holds_is_refused() -> None:
    for metadata in (Metadata(exif=bytes(70_000)), Metadata(icc=bytes(17_000_000))):
        with pytest.raises(UnsupportedImageError, match="--carrier pixels"):
            metadata_segments(metadata)
