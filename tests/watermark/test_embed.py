import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark import codes, embed, patterns

pytestmark = pytest.mark.unit

KEY = b"k" * 32


def made(height: int, width: int, amplitude: int = 2, image: str = "image"):
    bits = patterns.band(patterns.grid_side(height, width)).bit_count
    code = codes.code(b"s" * 16, image, bits)
    return embed.mark(KEY, image, code, height, width, amplitude)


@pytest.mark.parametrize("amplitude", [1, 2, 3])
@pytest.mark.parametrize("shape", [(8, 8), (8, 333), (32, 32), (97, 64), (300, 280)])
def test_a_mark_keeps_within_its_amplitude_and_uses_it(shape, amplitude):
    mark = made(*shape, amplitude)
    assert mark.shape == (*shape, 1)
    assert mark.dtype == np.int8
    assert np.abs(mark).max() == amplitude
    assert np.sqrt(np.mean(mark.astype(float) ** 2)) > 0.5 * amplitude


def test_a_mark_is_regenerated_identically():
    first = made(300, 280)
    patterns.band.cache_clear()
    patterns._kept_cosines.cache_clear()
    assert np.array_equal(made(300, 280), first)
    assert not np.array_equal(made(300, 280, image="imagf"), first)


@pytest.mark.parametrize("shape", [(16, 20), (40, 33)])
def test_sums_are_exact_in_any_order(shape):
    """The field is whole numbers: Python's own, unbounded, agree on every threshold."""
    height, width = shape
    grid = patterns.grid_side(height, width)
    band = patterns.band(grid)
    code = codes.code(b"s" * 16, "image", band.bit_count)
    values = (patterns.signs(KEY, "image", grid) * code[band.bits]).astype(int)
    down = patterns.cosines(height, band.size).astype(int).tolist()
    across = patterns.cosines(width, band.size).astype(int).tolist()
    terms = list(zip(values.tolist(), band.rows, band.columns, strict=True))
    level = patterns.SCALE**2 / embed._COARSER * math.sqrt(len(terms)) / 2 / 2
    steps = [round(0.5 * level), round(1.5 * level)]
    mark = made(height, width, 2)[..., 0]
    for x in range(0, width, 3):
        sums = [0] * band.size
        for v, r, c in reversed(terms):
            sums[r] += v * across[x][c]
        coarse = [round(Fraction(total, embed._COARSER)) for total in sums]
        for y in range(0, height, 5):
            field = sum(down[y][r] * coarse[r] for r in range(band.size))
            wanted = sum(field >= s for s in steps) - sum(field <= -s for s in steps)
            assert mark[y, x] == wanted


def test_the_largest_possible_sum_is_exact_in_single_precision():
    band = patterns.band(patterns.LARGEST_GRID)
    coarse = band.size * patterns.SCALE / embed._COARSER + 1
    assert band.size * patterns.SCALE * coarse < 2**24


def test_the_expected_amplitude_is_what_the_reader_finds():
    from fiftyone_reue.watermark import read

    for height, width in ((32, 32), (64, 200), (256, 256)):
        grid = patterns.grid_side(height, width)
        band = patterns.band(grid)
        code = codes.code(b"s" * 16, "image", band.bit_count)
        mark = embed.mark(KEY, "image", code, height, width, 2)[..., 0]
        found = read._coefficients(mark.astype(float), band.size)
        signs = patterns.signs(KEY, "image", grid) * code[band.bits]
        mean = float(np.mean(found[band.rows, band.columns] * signs))
        assert mean == pytest.approx(
            embed.expected_amplitude(height, width, 2), rel=0.15
        )


@pytest.mark.slow
@given(
    shape=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    channels=st.sampled_from([2, 4]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    seed=st.integers(0, 2**32),
)
def test_a_mark_spares_what_is_fully_transparent(shape, channels, dtype, seed):
    draw = np.random.default_rng(seed)
    samples = draw.integers(0, 2, (*shape, channels)).astype(dtype)
    mark = made(*shape)
    spared = embed.spared(mark, samples, channels - 1)
    assert spared.dtype == np.int8
    hidden = samples[..., -1] == 0
    assert not spared[hidden].any()
    assert np.array_equal(spared[~hidden], mark[~hidden])


def test_without_alpha_a_mark_is_everywhere():
    mark = made(16, 16)
    for channels in (1, 3):
        samples = np.zeros((16, 16, channels), np.uint8)
        assert np.array_equal(embed.spared(mark, samples, channels), mark)
