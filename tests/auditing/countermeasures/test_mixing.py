import pytest
import torch
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures.cutmix import CutMix
from fiftyone_reue.auditing.countermeasures.cutout import Cutout, draw_squares
from fiftyone_reue.auditing.countermeasures.mixup import MixUp

pytestmark = pytest.mark.unit


def shades(count: int, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Flat images, all different, each a class of its own."""
    levels = torch.linspace(0, 1, count).view(count, 1, 1, 1)
    return levels.expand(count, 3, size, size), functional.one_hot(
        torch.arange(count), count
    ).float()


def drawn(entry, images, targets, seed: int = 0):
    return entry.augment(images, targets, torch.Generator().manual_seed(seed))


def test_squares_have_their_sides_except_at_the_edges():
    sides = torch.tensor([0, 1, 6, 7, 16] * 40)
    masks = draw_squares(sides, 16, torch.Generator().manual_seed(0))
    assert masks.shape == (200, 1, 16, 16)
    heights = masks.any(3).sum((1, 2))
    widths = masks.any(2).sum((1, 2))
    assert torch.equal(masks.sum((1, 2, 3)), heights * widths)
    assert (heights <= sides).all()
    assert (heights[sides > 0] >= (sides[sides > 0] + 1) // 2).all()
    assert (heights == sides)[sides == 6].any()
    # Around uniform pixels: every pixel is the one-pixel square of some draw.
    ones = draw_squares(torch.ones(4000, dtype=torch.int64), 16, torch.Generator())
    assert ones.any(0).all()
    assert (ones.sum((1, 2, 3)) == 1).all()


@pytest.mark.parametrize("size", [32, 64])
def test_cutout_masks_up_to_a_quarter_of_the_area_with_the_mean_colour(size):
    images = torch.zeros(64, 3, size, size)
    images[:32] = torch.tensor([0.2, 0.4, 0.8]).view(3, 1, 1)
    made, targets = drawn(Cutout(), images, torch.ones(64, 1))
    masked = (made != images).all(1)
    area = masked.float().mean((1, 2))
    assert area.max() == pytest.approx(0.25)
    assert area.min() >= 0.0625
    assert len(area.unique()) > 10
    colours = made.permute(0, 2, 3, 1)[masked]
    assert torch.allclose(colours, torch.tensor([0.1, 0.2, 0.4]), atol=1e-5)
    assert torch.equal(targets, torch.ones(64, 1))


@pytest.mark.parametrize("size", [32, 64])
def test_cutmix_targets_are_the_shares_of_the_area(size):
    images, targets = shades(16, size)
    made, wanted = drawn(CutMix(), images, targets)
    levels = images[:, 0, 0, 0]
    for image, target in zip(made, wanted, strict=True):
        shares = (image[0][..., None] == levels).float().mean((0, 1))
        assert torch.allclose(shares, target, atol=1e-5)
        assert torch.equal(image[0], image[2])
    own = wanted.diagonal()
    assert own.min() < 0.5
    assert own.max() > 0.8
    assert len(own.unique()) > 8


def test_cutmix_shares_are_near_uniform_on_average():
    images, targets = shades(16)
    shares = torch.cat(
        [1 - drawn(CutMix(), images, targets, seed)[1].diagonal() for seed in range(40)]
    )
    # A uniform share has a mean of 1/2; what is cut off at the edges lowers it.
    assert 0.2 < shares.mean() < 0.5


def test_mixup_images_and_targets_are_the_same_convex_mixture():
    images, targets = shades(16)
    made, wanted = drawn(MixUp(), images, targets)
    assert (wanted >= 0).all()
    assert ((wanted > 0).sum(1) <= 2).all()
    levels = images[:, 0, 0, 0]
    expected = (wanted @ levels).view(16, 1, 1, 1).expand_as(made)
    assert torch.allclose(made, expected, atol=1e-5)


def test_mixup_weights_are_uniform():
    images, targets = shades(64, 16)
    own = torch.cat(
        [drawn(MixUp(), images, targets, seed)[1].diagonal() for seed in range(20)]
    )
    own = own[own < 1]
    assert own.mean() == pytest.approx(0.5, abs=0.03)
    assert own.var() == pytest.approx(1 / 12, rel=0.1)
