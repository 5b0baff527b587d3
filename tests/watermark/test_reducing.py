"""Large pictures are compared at a size that holds all of a mark."""

import numpy as np
import pytest

from fiftyone_reue.watermark import codes, embed, patterns, read, reducing

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 768), (512, 768)),
        ((2047, 2047), (2047, 2047)),
        ((2048, 3000), (1024, 1500)),
        ((5774, 8660), (1155, 1732)),
        ((8660, 5774), (1732, 1155)),
        ((1000, 50_000), (500, 25_000)),
    ],
)
def test_sizes(size, expected):
    assert reducing.reduced_size(*size, reducing.ORIGINALS) == expected


def test_a_picture_of_its_own_size_is_its_luma():
    samples = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    made = reducing.reduced_luma(samples, 3, None, (30, 40))
    assert np.array_equal(made, read.luma(samples, 3))


def test_means_are_of_areas_whatever_the_stripes():
    samples = np.random.default_rng(0).integers(0, 256, (1200, 60, 3), np.uint8)
    made = reducing.reduced_luma(samples, 3, None, (400, 20))
    cells = read.luma(samples, 3).reshape(400, 3, 20, 3).mean(axis=(1, 3))
    assert np.allclose(made, cells, atol=1e-3)


@pytest.mark.slow
def test_a_mark_is_as_clear_as_at_full_size():
    """Beside noise that is the same: the sums over a picture lose nothing."""
    height, width = 2200, 2600
    code = codes.code(bytes(32), "a", patterns.bit_count(height, width))
    mark = embed.mark(KEY, "a", code, height, width, 2)[..., 0].astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 60, mark.shape).astype(np.float32)
    size = reducing.reduced_size(height, width, reducing.ORIGINALS)
    assert size < mark.shape

    def z(left: np.ndarray) -> float:
        soft = read.soft_bits(read.Difference(left), KEY, "a", 2)
        return float(soft @ code / np.sqrt(soft @ soft))

    whole, less = z(mark + noise), z(reducing.averaged(mark + noise, size))
    assert 5 < whole < 11.2  # 11.3 is the most that 128 bits have
    assert less > 0.99 * whole
