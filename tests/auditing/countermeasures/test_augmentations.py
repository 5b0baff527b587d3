import pytest
import torch
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures.crop import RandomResizedCrop
from fiftyone_reue.auditing.countermeasures.cutmix import CutMix
from fiftyone_reue.auditing.countermeasures.cutout import Cutout
from fiftyone_reue.auditing.countermeasures.gaussian_noise import GaussianNoise
from fiftyone_reue.auditing.countermeasures.mixup import MixUp
from fiftyone_reue.auditing.countermeasures.rand_augment import RandAugment
from fiftyone_reue.auditing.countermeasures.rotation import Rotation
from fiftyone_reue.auditing.countermeasures.ueraser import UEraser
from fiftyone_reue.auditing.countermeasures.warping import Warping
from fiftyone_reue.networks.training import standard_augment

pytestmark = pytest.mark.unit

AUGMENTATIONS = (
    GaussianNoise(),
    Warping(),
    RandomResizedCrop(),
    Rotation(),
    Cutout(),
    CutMix(),
    MixUp(),
    RandAugment(),
    UEraser(),
)
every_augmentation = pytest.mark.parametrize(
    "entry", AUGMENTATIONS, ids=lambda a: a.info.name
)


def batch(count: int = 24, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=generator)
    images = (pixels.float() / 255).contiguous(memory_format=torch.channels_last)
    return images, functional.one_hot(torch.arange(count) % 3, 3).float()


def drawn(entry, images, targets, seed: int = 0):
    return entry.augment(images, targets, torch.Generator().manual_seed(seed))


@every_augmentation
@pytest.mark.parametrize("size", [32, 64])
def test_images_and_targets_stay_what_the_training_takes(entry, size):
    images, targets = batch(size=size)
    before = images.clone()
    made, wanted = drawn(entry, images, targets)
    assert made.shape == images.shape
    assert made.dtype == torch.float32
    assert 0 <= made.min() <= made.max() <= 1 + 1e-6
    assert wanted.shape == targets.shape
    assert wanted.dtype == torch.float32
    assert wanted.sum(1).tolist() == pytest.approx([1.0] * 24, abs=1e-6)
    assert torch.equal(images, before)
    shifted, _ = standard_augment(images, targets, torch.Generator().manual_seed(0))
    assert not torch.allclose(made, shifted, atol=0.02)


@every_augmentation
def test_a_seed_gives_the_same_batch_again_whatever_else_is_drawn(entry):
    images, targets = batch()
    first, wanted = drawn(entry, images, targets, seed=3)
    torch.rand(5)
    again, wanted_again = drawn(entry, images, targets, seed=3)
    assert torch.equal(first, again)
    assert torch.equal(wanted, wanted_again)
    other, _ = drawn(entry, images, targets, seed=4)
    assert not torch.equal(first, other)


@every_augmentation
def test_every_batch_is_drawn_anew_and_nothing_else_moves_on(entry):
    images, targets = batch()
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, _ = entry.augment(images, targets, generator)
    second, _ = entry.augment(images, targets, generator)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


@every_augmentation
@pytest.mark.parametrize("count", [1, 2, 9])
def test_small_batches_do_too(entry, count):
    images, targets = batch(count)
    for seed in range(4):
        made, wanted = drawn(entry, images, targets, seed)
        assert made.shape == images.shape
        assert torch.isfinite(made).all()
        assert wanted.shape == targets.shape


@every_augmentation
def test_shifts_and_flips_come_first(entry, monkeypatch):
    """The batch that the augmentation itself sees was shifted and flipped."""
    seen = []

    def noted(images, targets, generator):
        seen.append(len(images))
        return standard_augment(images, targets, generator)

    monkeypatch.setattr("fiftyone_reue.networks.training.standard_augment", noted)
    drawn(entry, *batch())
    assert seen == [24]


@every_augmentation
def test_a_network_can_be_trained_on_it(entry):
    images, targets = batch(8)
    made, wanted = drawn(entry, images, targets)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 3, 3, 3, generator=generator, requires_grad=True)
    made = made.contiguous(memory_format=torch.channels_last)
    logits = functional.conv2d(made, weight).mean(dim=(2, 3))[:, :3]
    functional.cross_entropy(logits, wanted).backward()
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()
