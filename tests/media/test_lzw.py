import io

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media import lzw

pytestmark = pytest.mark.unit


def packed(data: bytes) -> bytes:
    """One strip as libtiff writes it."""
    file = io.BytesIO()
    row = np.frombuffer(data, np.uint8)[None]
    tifffile.imwrite(file, row, compression="lzw", rowsperstrip=1, metadata=None)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as read:
        start, count = read.pages[0].dataoffsets[0], read.pages[0].databytecounts[0]
    return file.getvalue()[start : start + count]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(min_size=1, max_size=300),
        st.integers(1, 60_000).map(bytes),
        st.tuples(st.integers(0, 99), st.integers(1, 60_000)).map(
            lambda drawn: np.random.default_rng(drawn[0]).bytes(drawn[1])
        ),
        st.tuples(st.integers(0, 99), st.integers(1, 60_000)).map(
            lambda drawn: bytes(
                np.random.default_rng(drawn[0]).integers(0, 3, drawn[1], np.uint8)
            )
        ),
    )
)
def test_whole_strips_are_unpacked(data):
    assert lzw.decode([packed(data)], len(data), 1, 1) == data


@pytest.mark.parametrize("seed", range(20))
def test_what_passes_the_check_leaves_libtiff_nothing_to_say(seed, capfd):
    draw = np.random.default_rng(seed)
    data = bytes(draw.integers(0, 3, 9000, np.uint8))
    strip = bytearray(packed(data))
    for _ in range(60):
        damaged = bytearray(strip)
        for at in draw.integers(0, len(strip), 2):
            damaged[at] = draw.integers(256)
        cut = damaged[: draw.integers(1, len(strip) + 1)]
        try:
            unpacked = lzw.decode([bytes(cut)], len(data), 1, 1)
        except ValueError:
            continue
        assert len(unpacked) == len(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("size", [0, 1, 2, 50])
def test_short_strips_are_noticed(size):
    strip = packed(bytes(5000))
    with pytest.raises(ValueError, match="damaged"):
        lzw.decode([strip[:size]], 5000, 1, 1)
    with pytest.raises(ValueError, match="ends early"):
        lzw.decode([strip], 5001, 1, 1)


def test_older_codes_are_refused():
    with pytest.raises(UnsupportedImageError, match="before TIFF 6"):
        lzw.check(b"\0\1" + bytes(99), 10)
