"""COCO's run lengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.batch.runs import counts_of

pytestmark = pytest.mark.unit


def as_text(counts: list[int]) -> str:
    """As rleToString of pycocotools writes them."""
    text = ""
    for place, count in enumerate(counts):
        left, more = count - (counts[place - 2] if place > 2 else 0), True
        while more:
            digit, left = left & 31, left >> 5
            more = left != -1 if digit & 16 else left != 0
            text += chr((digit | 32 if more else digit) + 48)
    return text


@given(st.lists(st.integers(0, 1 << 20), max_size=40))
def test_text_says_what_numbers_say(counts: list[int]) -> None:
    pixels = sum(counts)
    assert counts_of(counts, pixels).tolist() == counts
    assert counts_of(as_text(counts), pixels).tolist() == counts


def test_a_text_of_pycocotools() -> None:
    """What version 2.0.11 encodes this mask as."""
    mask = np.zeros((9, 9), np.uint8)
    mask[2:5, 3:7] = 1
    counts = counts_of("m03600000`0", 81)
    values = np.arange(len(counts)) % 2
    assert np.array_equal(values.repeat(counts).reshape(9, 9).T, mask)


@pytest.mark.parametrize(
    ("runs", "match"),
    [
        ([3, 4], "7 pixels, not 9"),
        ([-1, 10], "negative"),
        ([4.5, 4.5], "no whole number"),
        (["9"], "no whole number"),
        ("P", "cut short|text"),
        ("~", "text"),
        ("oooooooooooooooo", "text"),
        ("\n", "text"),
    ],
)
def test_others_are_refused(runs: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        counts_of(runs, 9)  # type: ignore[arg-type]
