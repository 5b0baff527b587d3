"""Several byte strings in one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.media.parts import joined, parted

pytestmark = pytest.mark.unit


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_parts_come_back(parts: list[bytes]) -> None:
    assert parted(joined(*parts)) == parts


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=3))
def test_what_is_cut_short_is_refused(parts: list[bytes]) -> None:
    content = joined(*parts)
    with pytest.raises((ValueError, struct.error)):
        parted(content[:-1])


def test_lengths_are_big_endian_in_four_bytes() -> None:
    assert joined(b"ab", b"") == b"\0\0\0\2ab\0\0\0\0"
