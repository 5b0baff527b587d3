import numpy as np
import pytest

from benchmarks import coalitions

pytestmark = pytest.mark.unit

COPIES = np.array([1, 2, 2, 2, 6], np.uint8).reshape(5, 1, 1, 1).repeat(3, -1)


@pytest.mark.parametrize(
    ("mix", "sample"),
    [
        ("mean", 2.6),
        ("median", 2.0),
        ("middle of extremes", 3.5),
        ("modified negative", 5.0),
        ("farthest from the median", 6.0),
    ],
)
def test_samples_are_mixed(mix, sample):
    made = coalitions.MIXES[mix](COPIES, np.random.default_rng(0))
    assert made.shape == (1, 1, 3)
    assert np.allclose(made, sample)


def test_mosaics_are_of_everybodys_copies():
    copies = np.broadcast_to(
        np.arange(4, dtype=np.uint8)[:, None, None, None], (4, 32, 40, 3)
    )
    made = coalitions.mosaic(8)(copies, np.random.default_rng(0))
    assert made.shape == (32, 40, 3)
    assert set(made.ravel()) == {0, 1, 2, 3}
    assert (made[:8, :8] == made[0, 0]).all()


@pytest.mark.parametrize("kind", [coalitions.fair, coalitions.biased])
def test_scores_of_innocents_have_mean_0_and_variance_1(kind):
    made = kind(400, "image", 128)
    assert set(np.unique(made.bits)) == {-1, 1}
    assert abs(made.scores.mean()) < 0.02
    assert made.scores.std() == pytest.approx(1, abs=0.03)
    assert np.array_equal(made.bits, kind(400, "image", 128).bits)


def test_what_everybody_has_in_common_is_taken_off():
    common = np.array([0.5, -0.5, 1.0, 0.0])
    left = coalitions.without_common(np.array([1.0, 2.0, 3.0, 4.0]), common)
    assert left @ common == pytest.approx(0)
    assert np.array_equal(coalitions.without_common(common, np.zeros(4)), common)
