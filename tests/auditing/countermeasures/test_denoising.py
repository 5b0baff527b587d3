import dataclasses

import numpy as np
import pytest
import torch

from fiftyone_reue.auditing.countermeasures.denoising import Denoiser
from fiftyone_reue.auditing.countermeasures.denoising_model import (
    denoise,
    structured_noise,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")


class Few(Effort):
    """A handful of steps with the small network."""

    def steps(self, full: int, least: int = 50) -> int:
        return 4


def smooth(count: int, seed: int) -> np.ndarray:
    """Slopes of random steepness, 16 pixels."""
    draw = np.random.default_rng(seed)
    down, right = np.indices((16, 16)) / 16 - 0.5
    slopes = draw.uniform(-80, 80, (2, count, 1, 1, 3))
    images = 128 + slopes[0] * down[..., None] + slopes[1] * right[..., None]
    return images.round().astype(np.uint8)


def holdings(clean: int = 32) -> Holdings:
    originals = smooth(24, 1)
    signs = np.random.default_rng(2).choice([-8, 8], (24, 8, 8, 1))
    noise = signs.repeat(2, axis=1).repeat(2, axis=2)
    labels = np.arange(24) % 2
    return Holdings(
        (originals + noise).astype(np.uint8),
        labels,
        2,
        originals,
        smooth(clean, 3),
        np.zeros(clean, np.int64),
    )


def run(held: Holdings, steps: int = 60, seed: int = 0) -> np.ndarray:
    return finish(
        denoise(
            held.images,
            held.clean_images,
            amplitude=8,
            steps=steps,
            small=True,
            context=TrainingContext(seed, "cpu"),
        )
    )


def distance(images: np.ndarray, others: np.ndarray) -> float:
    return float(((images.astype(float) - others) ** 2).mean())


@pytest.mark.slow
def test_planted_noise_on_smooth_images_is_removed():
    held = holdings()
    made = run(held)
    assert made.shape == held.images.shape
    assert made.dtype == np.uint8
    before = distance(held.images, held.originals)
    assert distance(made, held.originals) < 0.5 * before


@pytest.mark.slow
def test_a_seed_gives_the_same_images_again():
    held = holdings()
    first = run(held, steps=4)
    assert np.array_equal(run(held, steps=4), first)
    assert not np.array_equal(run(held, steps=4, seed=1), first)


@pytest.mark.slow
def test_originals_are_not_looked_at():
    held = holdings()
    blind = dataclasses.replace(held, originals=np.zeros_like(held.originals))
    effort = Few(0.01)
    made = [
        finish(Denoiser().prepare(one, effort=effort, context=CONTEXT))
        for one in (held, blind)
    ]
    assert np.array_equal(made[0].images, made[1].images)
    assert made[0].labels is held.labels


def test_without_clean_images_it_says_what_is_missing():
    steps = Denoiser().prepare(holdings(0), effort=Effort(), context=CONTEXT)
    with pytest.raises(InputError, match="clean images"):
        next(steps)


def test_made_up_noise_keeps_to_the_amplitude_and_has_every_kind():
    generator = torch.Generator().manual_seed(0)
    noise = structured_noise(300, 13, 8, generator)
    assert noise.shape == (300, 3, 13, 13)
    peaks = noise.abs().amax(dim=(1, 2, 3))
    assert peaks.max() <= 8
    assert peaks.min() > 4
    gray = (noise == noise[:, :1]).all(dim=(1, 2, 3)).float().mean()
    assert 0.35 < gray < 0.65
    binary = (noise.abs() == 8).all(dim=(1, 2, 3)).float().mean()
    assert 0.4 < binary < 0.75  # four kinds of seven are block patterns
    # Neighbours agree ever more from uniform noise to large cells and smooth noise.
    likeness = (noise[..., 1:] * noise[..., :-1]).mean(dim=(1, 2, 3))
    likeness = likeness / noise.square().mean(dim=(1, 2, 3))
    assert (likeness < 0.2).float().mean() > 0.15
    assert (likeness > 0.7).float().mean() > 0.3


@pytest.mark.slow
def test_progress_rises_to_one():
    steps = Denoiser().prepare(holdings(), effort=Few(0.01), context=CONTEXT)
    parts = list(steps)
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert len(parts) == 5
