import numpy as np
import pytest
import torch

from fiftyone_reue.auditing.countermeasures.diffusion import Diffusion
from fiftyone_reue.auditing.countermeasures.diffusion_model import (
    denoise,
    diffuse,
    kept_shares,
    purify,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")

CPU = torch.device("cpu")


def smooth(count: int, seed: int) -> np.ndarray:
    """Slopes of random steepness, 16 pixels."""
    draw = np.random.default_rng(seed)
    down, right = np.indices((16, 16)) / 16 - 0.5
    slopes = draw.uniform(-80, 80, (2, count, 1, 1, 3))
    images = 128 + slopes[0] * down[..., None] + slopes[1] * right[..., None]
    return images.round().astype(np.uint8)


def purified(images: np.ndarray, steps: int, seed: int = 0) -> np.ndarray:
    return finish(
        purify(
            images,
            smooth(32, 9),
            start=100,
            strides=4,
            steps=steps,
            small=True,
            context=TrainingContext(seed, "cpu"),
        )
    )


def distance(images: np.ndarray, others: np.ndarray) -> float:
    return float(((images.astype(float) - others) ** 2).mean())


def test_the_kept_share_falls_from_one_to_nothing():
    shares = kept_shares()
    assert shares.shape == (1001,)
    assert shares[0] == 1
    assert (shares.diff() < 0).all()
    assert shares[-1] < 1e-4
    # DDPM's linear schedule: noise of about a third of the image's at t* = 100.
    assert shares[100] == pytest.approx(0.895, abs=0.003)


@pytest.mark.parametrize("time", [0, 10, 100, 1000])
def test_mixing_gives_the_variance_that_the_schedule_says(time):
    generator = torch.Generator().manual_seed(0)
    shares = kept_shares()
    images = torch.full((4, 3, 32, 32), 0.5)
    noise = torch.randn(images.shape, generator=generator)
    mixed = diffuse(images, shares[time].expand(4), noise)
    assert mixed.dtype == torch.float32
    kept = shares[time].item()
    assert mixed.var() == pytest.approx(1 - kept, rel=0.05)
    assert mixed.mean() == pytest.approx(0.5 * kept**0.5, abs=0.03)


def test_with_the_true_noise_the_way_back_ends_at_the_image():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 8, 8, generator=generator) * 1.8 - 0.9
    noise = torch.randn(images.shape, generator=generator)
    shares = kept_shares().float()
    mixed = diffuse(images, shares[100].expand(2), noise)
    asked = []

    def oracle(inputs, times):
        asked.append(int(times[0]))
        kept = shares[times[0]]
        return (inputs - kept.sqrt() * images) / (1 - kept).sqrt()

    back = denoise(oracle, mixed, shares, 100, 4, CPU)
    assert torch.allclose(back, images, atol=1e-4)
    assert asked == [100, 75, 50, 25]


@pytest.mark.slow
def test_smooth_images_stay_near_and_lose_noise():
    clean = smooth(16, 1)
    signs = np.random.default_rng(2).choice([-8, 8], clean.shape)
    made = purified((clean + signs).astype(np.uint8), steps=120)
    assert made.shape == clean.shape
    assert made.dtype == np.uint8
    # The noise of t* = 100 alone has 41 gray levels.
    assert distance(made, clean) < 20**2
    pattern = ((made.astype(float) - clean) * signs).mean() / 64
    assert abs(pattern) < 0.7


@pytest.mark.slow
def test_a_seed_gives_the_same_images_again():
    images = smooth(8, 1)
    first = purified(images, steps=3)
    assert np.array_equal(purified(images, steps=3), first)
    assert not np.array_equal(purified(images, steps=3, seed=1), first)


@pytest.mark.slow
def test_progress_rises_to_one():
    parts = list(
        purify(
            smooth(8, 1),
            smooth(8, 2),
            start=100,
            strides=2,
            steps=5,
            small=True,
            context=CONTEXT,
        )
    )
    assert parts == sorted(parts)
    assert len(parts) == 6
    assert parts[-1] == 1


def test_without_clean_images_it_says_what_is_missing():
    images, labels = smooth(4, 0), np.zeros(4, np.int64)
    held = Holdings(images, labels, 1, images, images[:0], labels[:0])
    steps = Diffusion().prepare(held, effort=Effort(), context=CONTEXT)
    with pytest.raises(InputError, match="clean images"):
        next(steps)
