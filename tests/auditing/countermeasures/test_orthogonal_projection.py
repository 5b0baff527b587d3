import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures import orthogonal_projection
from fiftyone_reue.auditing.countermeasures.orthogonal_projection import (
    OrthogonalProjection,
    probe_weights,
    project,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")

LABELS = np.arange(400) % 2


@pytest.fixture(scope="module")
def protected() -> np.ndarray:
    """Noise, with a pattern of 24 gray levels a class."""
    draw = np.random.default_rng(0)
    noise = draw.integers(60, 190, (400, 8, 8, 3))
    patterns = draw.choice([-24, 24], (2, 8, 8, 3))
    return (noise + patterns[LABELS]).astype(np.uint8)


@pytest.fixture(scope="module")
def weights(protected) -> np.ndarray:
    return finish(probe_weights(protected, LABELS, 2, context=CONTEXT))


def linear_accuracy(images: np.ndarray) -> float:
    """Of another probe, trained on one half, on the other half."""
    own = finish(
        probe_weights(images[:200], LABELS[:200], 2, context=TrainingContext(9, "cpu"))
    )
    logits = images[200:].reshape(200, -1).astype(float) @ own.T
    return float((logits.argmax(1) == LABELS[200:]).mean())


@pytest.mark.slow
def test_projections_are_orthogonal_to_the_weights(protected, weights):
    rows = project(protected, weights).reshape(400, -1)
    before = protected.reshape(400, -1).astype(float)
    cosines = (rows @ weights.T) / (
        np.linalg.norm(before, axis=1)[:, None] * np.linalg.norm(weights, axis=1)
    )
    assert np.abs(cosines).max() < 1e-5
    # Only what lies in the span went away.
    taken = before - rows
    basis = np.linalg.qr(weights.T)[0]
    assert np.allclose(taken, (taken @ basis) @ basis.T, atol=0.01)


@pytest.mark.slow
def test_a_linear_pattern_can_no_longer_be_told(protected):
    assert linear_accuracy(protected) > 0.95
    held = Holdings(protected, LABELS, 2, protected, protected, LABELS)
    steps = OrthogonalProjection().prepare(held, effort=Effort(), context=CONTEXT)
    made = finish(steps)
    assert made.images.shape == protected.shape
    assert made.images.dtype == np.uint8
    assert linear_accuracy(made.images) < 0.7
    assert np.array_equal(made.labels, LABELS)


def test_a_seed_gives_the_same_weights_again(monkeypatch, protected):
    monkeypatch.setattr(orthogonal_projection, "LEAST_STEPS", 5)
    monkeypatch.setattr(orthogonal_projection, "EPOCHS", 1)
    first, again, other = (
        finish(
            probe_weights(protected, LABELS, 2, context=TrainingContext(seed, "cpu"))
        )
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_large_images_do_not_diverge(monkeypatch):
    monkeypatch.setattr(orthogonal_projection, "LEAST_STEPS", 40)
    images = np.full((8, 128, 128, 3), 255, np.uint8)
    images[::2, :64] = 0
    labels = np.arange(8) % 2
    weights = finish(probe_weights(images, labels, 2, context=CONTEXT))
    logits = images.reshape(8, -1) / 255 @ weights.T
    assert (logits.argmax(1) == labels).all()
    assert np.abs(weights).max() < 1
