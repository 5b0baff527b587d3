import numpy as np
import pytest
import torch

from fiftyone_reue.auditing.countermeasures.dvae import DVae
from fiftyone_reue.auditing.countermeasures.dvae_model import dvae_loss, purify
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")


class Few(Effort):
    """A handful of steps with the small network."""

    def steps(self, full: int, least: int = 50) -> int:
        return 3


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth images of 16 pixels, labels, and a pattern for each of two classes."""
    draw = np.random.default_rng(seed)
    down, right = np.indices((16, 16)) / 16 - 0.5
    slopes = draw.uniform(-80, 80, (2, 32, 1, 1, 3))
    originals = 128 + slopes[0] * down[..., None] + slopes[1] * right[..., None]
    labels = np.arange(32) % 2
    patterns = draw.choice([-8, 8], (2, 8, 8, 1)).repeat(2, axis=1).repeat(2, axis=2)
    return originals.round().astype(np.uint8), labels, patterns


def purified(
    images: np.ndarray,
    labels: np.ndarray,
    steps: int,
    seed: int = 0,
    reconstruct: bool = False,
) -> np.ndarray:
    return finish(
        purify(
            images,
            labels,
            2,
            rates=(1.0, 3.0),
            reconstruct=reconstruct,
            steps=steps,
            small=True,
            context=TrainingContext(seed, "cpu"),
        )
    )


def left(images: np.ndarray, originals: np.ndarray, pattern: np.ndarray) -> float:
    """The share of the planted patterns that is still there."""
    return float(((images.astype(float) - originals) * pattern).mean() / 64)


@pytest.mark.slow
def test_what_a_class_has_in_common_goes_away():
    originals, labels, patterns = planted()
    images = (originals + patterns[labels]).astype(np.uint8)
    made = purified(images, labels, steps=60)
    assert made.shape == images.shape
    assert made.dtype == np.uint8
    assert left(images, originals, patterns[labels]) == pytest.approx(1, abs=0.05)
    assert left(made, originals, patterns[labels]) < 0.5


@pytest.mark.slow
def test_a_seed_gives_the_same_images_again():
    originals, labels, _ = planted()
    first = purified(originals, labels, steps=3)
    assert np.array_equal(purified(originals, labels, steps=3), first)
    assert not np.array_equal(purified(originals, labels, steps=3, seed=1), first)


@pytest.mark.slow
def test_it_needs_nothing_but_the_protected_images():
    images, labels, _ = planted()
    none, no_labels = images[:0], labels[:0]
    held = Holdings(images, labels, 2, none, none, no_labels)
    effort = Few(0.01)
    made = [
        finish(DVae(reconstruct=rebuilt).prepare(held, effort=effort, context=CONTEXT))
        for rebuilt in (False, True)
    ]
    assert np.array_equal(made[0].images, purified(images, labels, steps=3))
    assert made[0].labels is labels
    assert made[1].images.shape == images.shape
    assert not np.array_equal(made[1].images, made[0].images)


@pytest.mark.slow
def test_progress_rises_to_one():
    originals, labels, _ = planted()
    parts = list(
        purify(
            originals,
            labels,
            2,
            rates=(1.0, 3.0),
            reconstruct=False,
            steps=4,
            small=True,
            context=CONTEXT,
        )
    )
    assert parts == sorted(parts)
    assert len(parts) == 10
    assert parts[-1] == pytest.approx(1)
    assert max(parts) <= 1


def test_the_loss_counts_the_rate_above_its_target_and_late_the_energy():
    images = torch.full((2, 3, 4, 4), 0.5)
    mean = torch.zeros(2, 5, 2, 2)
    still = torch.zeros_like(images)

    def loss(perturbation, mean, target=1.0, late=False, rebuilt=images):
        return dvae_loss(
            images,
            rebuilt,
            perturbation,
            mean,
            torch.zeros_like(mean),
            target=target,
            late=late,
        ).item()

    # A perfect reconstruction at no rate costs what the target does.
    assert loss(still, mean) == pytest.approx(0.01)
    # 2.5 nats: above a target of 1, below one of 3.
    assert loss(still, mean + 1) == pytest.approx(0.025)
    assert loss(still, mean + 1, target=3.0) == pytest.approx(0.03)
    # Reconstruction off by 0.1, and put right by the perturbation.
    off = images - 0.1
    assert loss(still + 0.1, mean, rebuilt=off) == pytest.approx(0.02)
    assert loss(still, mean, rebuilt=off) == pytest.approx(0.03)
    assert loss(still + 0.1, mean, rebuilt=off, late=True) == pytest.approx(0.03)
    assert loss(still, mean, late=True) == pytest.approx(0.012)


def test_both_variants_describe_themselves():
    plain, rebuilt = DVae(), DVae(reconstruct=True)
    assert plain.info.name == "dvae"
    assert plain.info.uses == ""
    assert plain.info.title != rebuilt.info.title
    assert plain.info.name != rebuilt.info.name
