"""Whatever the bytes, only this package's errors come out."""

import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media.codec import encode, load, release_format
from fiftyone_reue.media.raster import Loaded

pytestmark = pytest.mark.unit

EXPECTED = (UnreadableImageError, UnsupportedImageError, DamagedRecordError)
MAGICS = [
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
    b"\xff\xd8\xff\xe0",
    b"RIFF\x40\0\0\0WEBPVP8L",
    b"II*\0\x08\0\0\0",
    b"MM\0+\0\x08\0\0",
    b"BM",
    b"GIF89a",
    b"P6 ",
    b"",
]
fuzzed = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check(data: bytes) -> None:
    try:
        loaded = load(data, name="fuzz", max_pixels=100_000)
    except EXPECTED as error:
        message = str(error)
    else:
        message = "fuzz: none"
        check_release(loaded)
    assert message.startswith("fuzz: ")


def check_release(loaded: Loaded) -> None:
    samples = loaded.raster.samples
    assert samples.ndim == 3
    format = release_format(loaded.raster)
    again = load(encode(loaded.raster, format, loaded.record))
    assert np.array_equal(again.raster.samples, samples)
    assert again.record == loaded.record


@pytest.mark.slow
@fuzzed
@given(magic=st.sampled_from(MAGICS), rest=st.binary(max_size=300))
def test_any_bytes(magic, rest):
    check(magic + rest)


@pytest.mark.slow
@pytest.mark.parametrize("near_the_start", [False, True])
@fuzzed
@given(data=st.data())
def test_edited_files(own_files, foreign_files, near_the_start, data):
    files = own_files | foreign_files
    name = data.draw(st.sampled_from(sorted(files)))
    edited = bytearray(files[name])
    end = min(len(edited), 100) if near_the_start else len(edited)
    places = st.tuples(st.integers(0, end - 1), st.integers(0, 255))
    for at, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        edited[at] = value
    cut = data.draw(st.none() | st.integers(0, len(edited)))
    check(bytes(edited[:cut]))


@pytest.mark.slow
@fuzzed
@given(data=st.data())
def test_edited_pngs_with_right_checksums(own_files, foreign_files, data):
    names = sorted(name for name in foreign_files if name.startswith("png"))
    source = data.draw(
        st.sampled_from([own_files["PNG"], *map(foreign_files.get, names)])
    )
    edited = bytearray(source)
    at = 8
    while at < len(edited):
        length = int.from_bytes(edited[at : at + 4], "big")
        place = data.draw(st.none() | st.integers(4, 7 + length))
        if place is not None:
            edited[at + place] = data.draw(st.integers(0, 255))
        end = at + 8 + length
        edited[end : end + 4] = zlib.crc32(edited[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    check(bytes(edited))
