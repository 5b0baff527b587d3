"""The transform is JPEG's, and doesn't round on the way."""

import numpy as np
import pytest

from fiftyone_reue.media.jpeg_coefficients.transform import BASIS, forward, inverse

pytestmark = pytest.mark.unit


def test_it_is_the_orthonormal_transform():
    k, x = np.mgrid[:8, :8]
    lines = np.cos((2 * x + 1) * k * np.pi / 16) / 2 * np.where(k, 1, np.sqrt(0.5))
    pixels = np.random.default_rng(0).integers(-255, 256, (7, 5, 8, 8))
    assert np.allclose(forward(pixels), lines @ pixels @ lines.T, atol=0.5)


def test_there_and_back():
    pixels = np.random.default_rng(0).integers(-8, 9, (50, 8, 8))
    back = inverse(np.rint(forward(pixels)).astype(int))
    assert np.abs(back - pixels).max() < 2


def test_sums_are_exact():
    """Whatever the order in which they are taken."""
    largest = np.full(64, 1 << 23, np.int64)
    products = [
        sum(int(a) * int(b) for a, b in zip(line, largest, strict=True))
        for line in BASIS
    ]
    exact = np.array(products, float) / (1 << 24)
    assert max(map(abs, products)) < 1 << 53
    assert (np.abs(BASIS) @ largest.astype(float)).max() < 1 << 53
    assert np.array_equal(forward(largest.reshape(8, 8)).ravel(), exact)
