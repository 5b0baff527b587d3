"""When a published mark names somebody, and what it is read from when aligned."""

from math import comb
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import watermarks
from benchmarks.published_marks import PublishedMark
from fiftyone_reue.watermark import match


@pytest.mark.parametrize("bits", [32, 64, 128])
def test_so_many_right_bits_are_needed_that_chance_names_nobody(bits):
    def chance(right: int) -> float:
        return sum(comb(bits, k) for k in range(right, bits + 1)) / 2**bits

    needed = watermarks.bits_needed(bits)
    assert 1000 * chance(needed) <= 1e-6 < 1000 * chance(needed - 1)


def test_too_few_bits_never_name_anybody():
    assert watermarks.bits_needed(29) == 30


def test_a_rival_names_by_its_own_bits_and_not_where_it_refuses():
    def read(image: np.ndarray, count: int) -> np.ndarray:
        if image.size < 100:
            raise RuntimeError("image too small")
        return image.reshape(-1)[:count] % 2

    def write(image: np.ndarray, bits: np.ndarray) -> np.ndarray:
        marked = image.copy()
        marked.reshape(-1)[: len(bits)] = 100 + bits
        return marked

    original = np.full((8, 8, 3), 100, np.uint8)
    rival = watermarks.Rival(PublishedMark("dwtDct", write, read))
    rival.write("one", original, np.random.default_rng(0))
    copy = rival.copies["one"]
    assert rival.names("one", copy)
    assert not rival.names("one", original)
    assert not rival.names("one", copy[:2])
    worse = copy.copy()
    worse.reshape(-1)[:8] ^= 1
    assert rival.names("one", worse)  # 56 of 64
    worse.reshape(-1)[8] ^= 1
    assert not rival.names("one", worse)


def test_a_suspect_is_brought_onto_its_original_in_colour():
    draw = np.random.default_rng(0)
    original = draw.integers(60, 200, (40, 50, 3), np.uint8)
    suspect = match.orient(original, 4)
    near = SimpleNamespace(orientation=4, matrix=None, shown=None)
    assert np.array_equal(watermarks.brought(suspect, near, original), original)
    shift = np.array([[1, 0, -6.0], [0, 1, -9], [0, 0, 1]])
    shown = np.zeros((40, 50), np.float32)
    shown[12:-3, 9:-3] = 1
    near = SimpleNamespace(orientation=0, matrix=shift, shown=shown)
    cut = original[9:, 6:] // 2
    found = watermarks.brought(cut, near, original)
    assert np.array_equal(found[shown > 0], original[shown > 0] // 2)
    assert np.array_equal(found[shown == 0], original[shown == 0])
