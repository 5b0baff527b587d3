import contextlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.packing import pack, unpack

pytestmark = pytest.mark.unit


@given(raw=st.binary(max_size=200), level=st.sampled_from([1, 9, 19]))
def test_what_was_packed_comes_back(raw, level):
    assert unpack(pack(raw, level), len(raw)) == raw


@pytest.mark.slow
def test_nothing_larger_than_it_may_be_is_unpacked():
    bomb = pack(bytes(1 << 28), 19)
    assert len(bomb) < 1 << 16
    with pytest.raises(DamagedRecordError, match="larger than its image"):
        unpack(bomb, (1 << 28) - 1)
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(b"12")
    with pytest.raises(DamagedRecordError, match="larger than its image"):
        unpack(silent, 2)


@given(st.binary(max_size=50))
def test_any_bytes_unpack_or_are_refused(packed):
    with contextlib.suppress(DamagedRecordError):
        assert len(unpack(packed, 9)) <= 9


@pytest.mark.slow
@given(raw=st.binary(min_size=1, max_size=50), data=st.data())
def test_shortened_and_lengthened_bytes_are_refused(raw, data):
    packed = pack(raw, 19)
    short = packed[: data.draw(st.integers(0, len(packed) - 1))]
    for damaged in (short, packed + b"x"):
        with pytest.raises(DamagedRecordError):
            unpack(damaged, 50)
