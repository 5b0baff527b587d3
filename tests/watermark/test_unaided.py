"""Reading a suspect without its original."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.demo import tiles
from fiftyone_reue.watermark import codes, embed, patterns, read, unaided
from fiftyone_reue.watermark.read import Carried, Difference

pytestmark = pytest.mark.unit

KEY = bytes(32)
SIDE = 192


def luma(name: str = "coffee") -> np.ndarray:
    """A photograph, ``(SIDE, SIDE)`` float32."""
    return read.luma(np.asarray(tiles.load_photo(name).resize((SIDE, SIDE))), 3)


def marked(image_id: str = "one", recipient: bytes = bytes(32)) -> np.ndarray:
    code = codes.code(recipient, image_id, patterns.bit_count(SIDE, SIDE))
    mark = embed.mark(KEY, image_id, code, SIDE, SIDE, 2)[..., 0]
    made: np.ndarray = (luma() + mark).clip(0, 255).round()
    return made


def carried(suspect: np.ndarray, image_id: str) -> Carried:
    carrier = patterns.carrier_key(KEY, image_id)
    return read.carried(Difference(unaided.remains(suspect)), carrier, 2)


def test_a_mark_is_read_without_its_original() -> None:
    code = codes.code(bytes(32), "one", patterns.bit_count(SIDE, SIDE))
    soft = carried(marked(), "one").soft
    assert float(code @ soft) / np.linalg.norm(soft) > 6


def test_another_images_mark_says_nothing() -> None:
    code = codes.code(bytes(32), "two", patterns.bit_count(SIDE, SIDE))
    soft = carried(marked(), "two").soft
    assert abs(float(code @ soft)) / np.linalg.norm(soft) < 4


def test_that_there_is_a_mark_is_told_without_a_code() -> None:
    assert unaided.log_chance(carried(marked(), "one")) < np.log(1e-6)
    assert unaided.log_chance(carried(luma(), "one")) > np.log(1e-3)
    assert unaided.log_chance(carried(marked(), "two")) > np.log(1e-3)


def test_what_is_even_says_nothing() -> None:
    flat = carried(np.full((64, 64), 99, np.float32), "one")
    assert not flat.soft.any()
    assert unaided.log_chance(flat) == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32))
def test_the_bound_holds_whatever_a_file_is(seed: int) -> None:
    """Of 200 images' carriers no larger share comes below a bound than it says."""
    draw = np.random.default_rng(seed)
    heavy = draw.standard_t(2, (64, 64)) * draw.choice([0.1, 5, 60])
    difference = Difference(heavy.astype(np.float32))
    chances = [
        unaided.log_chance(read.carried(difference, draw.bytes(32), 2))
        for _ in range(200)
    ]
    for bound in (1e-1, 1e-2):
        # Five standard deviations: examples are many.
        most = 200 * bound + 5 * (200 * bound) ** 0.5
        assert (np.array(chances) < np.log(bound)).sum() <= most
