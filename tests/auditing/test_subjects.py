import numpy as np
import pytest

from fiftyone_reue.auditing import subjects
from fiftyone_reue.auditing.holdings import Holdings
from fiftyone_reue.perturb.base import FitOptions
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit


@pytest.fixture
def holdings() -> Holdings:
    draw = np.random.default_rng(0)
    images = draw.integers(20, 230, (40, 16, 16, 3)).astype(np.uint8)
    labels = np.arange(40) % 4
    return Holdings(images // 2, labels, 4, images, images[:4], labels[:4])


def test_originals_are_the_originals(holdings):
    made = subjects.originals(holdings)
    assert np.array_equal(made.holdings.images, holdings.originals)
    assert (made.subject.psnr, made.subject.largest_change) == (None, 0)


def test_random_noise_uses_the_whole_amplitude_and_no_more(holdings):
    made = subjects.random_noise(holdings, 8, seed=0)
    assert made.subject.largest_change == 8
    assert made.subject.psnr == pytest.approx(34.3, abs=0.2)
    again = subjects.random_noise(holdings, 8, seed=0)
    assert np.array_equal(made.holdings.images, again.holdings.images)


def test_shuffled_labels_keep_the_classes_shares(holdings):
    made = subjects.shuffled_labels(holdings, seed=0)
    assert np.array_equal(np.bincount(made.holdings.labels), [10] * 4)
    assert not np.array_equal(made.holdings.labels, holdings.labels)
    assert np.array_equal(made.holdings.images, holdings.originals)


def test_a_method_perturbs_the_originals(holdings):
    steps = subjects.method_subject(
        "lsp", holdings, tuple("abcd"), FitOptions(8, seed=0, key=b"k" * 32)
    )
    made = finish(steps)
    change = made.holdings.images.astype(int) - holdings.originals
    assert 0 < np.abs(change).max() <= 8
    assert made.subject.largest_change == np.abs(change).max()
    assert made.subject.role == "method"
    assert made.subject.psnr > 30


def test_a_release_is_what_its_files_hold(holdings):
    made = subjects.release_subject("a1b2", "originals", holdings)
    assert (made.subject.name, made.subject.title) == ("a1b2", "Release originals")
    assert made.subject.largest_change == 115
