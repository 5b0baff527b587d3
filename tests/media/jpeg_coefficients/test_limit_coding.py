import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media import packing
from fiftyone_reue.media.jpeg_coefficients import library, limit_coding

LEVEL = 12


def drawn(count: int, *shares: float) -> bytes:
    """Numbers 6, 5, 4 ... with these probabilities."""
    draw = np.random.default_rng(count)
    lower = draw.choice(len(shares), count, p=shares)
    return (6 - lower).astype(np.uint8).tobytes()


@pytest.mark.slow
@given(st.binary(max_size=600) | st.text("\0\1\2", max_size=600).map(str.encode))
def test_any_numbers_come_back(numbers: bytes) -> None:
    top = max(numbers, default=0)
    coded = library.lowered(numbers, top)
    assert library.raised(coded, top, len(numbers)) == numbers
    either = limit_coding.packed(numbers, LEVEL)
    assert limit_coding.unpacked(either, len(numbers)) == numbers


@pytest.mark.slow
@given(st.binary(max_size=40), st.integers(0, 255), st.integers(0, 300))
def test_any_bytes_give_numbers_that_may_be(data: bytes, top: int, count: int) -> None:
    numbers = library.raised(data, top, count)
    assert len(numbers) == count
    assert max(numbers, default=0) <= top


@pytest.mark.parametrize("count", [1, 784, 40_000])
def test_numbers_of_a_picture_come_back(count: int) -> None:
    for shares in ((1.0,), (0.7, 0.3), (0.6, 0.25, 0.1, 0.05), (0.0, 1.0)):
        numbers = drawn(count, *shares)
        packed = limit_coding.packed(numbers, LEVEL)
        assert limit_coding.unpacked(packed, count) == numbers


def test_it_takes_little_more_than_there_is_to_say() -> None:
    numbers = drawn(784, 0.72, 0.28)
    share = numbers.count(6) / 784
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    packed = limit_coding.packed(numbers, LEVEL)
    assert len(packed) <= 784 * entropy / 8 + 9
    assert len(packed) < 0.75 * len(packing.pack(numbers, LEVEL))


def test_what_zstd_packs_better_is_left_to_it() -> None:
    numbers = bytes(range(200)) * 20
    packed = limit_coding.packed(numbers, LEVEL)
    assert packed == packing.pack(numbers, LEVEL)


def test_what_was_packed_by_zstd_alone_is_read() -> None:
    numbers = drawn(784, 0.72, 0.28)
    assert limit_coding.unpacked(packing.pack(numbers, LEVEL), 784) == numbers


def test_more_than_there_may_be_is_refused_before_it_takes_memory() -> None:
    packed = limit_coding.packed(drawn(784, 0.7, 0.3), LEVEL)
    with pytest.raises(DamagedRecordError, match="larger than its image"):
        limit_coding.unpacked(packed, 783)
    huge = b"\1\6" + (1 << 31).to_bytes(4, "big") + b"\0" * 20
    with pytest.raises(DamagedRecordError, match="larger than its image"):
        limit_coding.unpacked(huge, 1 << 20)


@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_part_that_is_cut_short_is_refused(size: int) -> None:
    packed = limit_coding.packed(drawn(784, 0.7, 0.3), LEVEL)
    with pytest.raises(DamagedRecordError):
        limit_coding.unpacked(packed[:size], 784)


def read_as_documented(packed: bytes) -> bytes:
    """As docs/formats.md says it, and no more."""
    assert packed[0] == 1
    top, count = packed[1], int.from_bytes(packed[2:6], "big")
    code = iter(packed[6:])
    value = int.from_bytes(bytes(next(code, 0) for _ in range(4)), "big")
    low, high = 0, 2**32 - 1
    seen = [[0, 0] for _ in range(255)]
    numbers = bytearray()
    for _ in range(count):
        less = 0
        while less < top:
            clear, was_set = seen[less]
            probability = ((2 * was_set + 1) << 16) // (2 * (was_set + clear + 1))
            middle = low + ((high - low) * probability >> 16)
            bit = value <= middle
            low, high = (low, middle) if bit else (middle + 1, high)
            while low >> 24 == high >> 24:
                low = (low << 8) % 2**32
                high = (high << 8) % 2**32 + 255
                value = (value << 8) % 2**32 + next(code, 0)
            seen[less][bit] += 1
            if sum(seen[less]) == 2**14:
                seen[less] = [one // 2 for one in seen[less]]
            if not bit:
                break
            less += 1
        numbers.append(top - less)
    return bytes(numbers)


@pytest.mark.parametrize("count", [7, 784, 40_000])
def test_it_is_what_the_documentation_says(count: int) -> None:
    numbers = drawn(count, 0.6, 0.25, 0.1, 0.05)
    top = max(numbers)
    head = bytes((1, top)) + count.to_bytes(4, "big")
    assert read_as_documented(head + library.lowered(numbers, top)) == numbers
