import pytest
import torch

from fiftyone_reue.auditing.countermeasures.warping import Warping, displace

pytestmark = pytest.mark.unit


def warped(images: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return Warping().augment(images, torch.ones(len(images), 1), generator)[0]


def test_a_constant_image_stays_constant():
    images = torch.tensor([0.0, 0.3, 1.0]).view(1, 3, 1, 1).expand(2, 3, 32, 32)
    assert torch.allclose(warped(images), images, atol=1e-6)


@pytest.mark.parametrize("size", [32, 64])
def test_pixels_move_by_up_to_the_reach_the_same_in_every_channel(size):
    down = torch.arange(size).float().view(1, 1, size, 1)
    images = (down / size).expand(8, 3, size, size)
    # Rows are shifted by up to an eighth before, each image's by one amount.
    made = warped(images)
    assert torch.equal(made[:, 0], made[:, 2])
    reach = 2 * size / 32
    middle = made[:, 0, size // 4 : -size // 4] * size
    spread = middle.amax(2) - middle.amin(2)
    assert spread.max() <= 2 * reach + 1e-3
    assert spread.max() > 1.7 * reach


def test_displacements_of_whole_pixels_roll_and_of_halves_average():
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    nothing, one = torch.zeros(2, 8, 8), torch.ones(2, 8, 8)
    assert torch.equal(displace(images, nothing, nothing), images)
    rolled = displace(images, one, -2 * one)
    assert torch.allclose(rolled, images.roll((-1, 2), (2, 3)))
    halved = displace(images, nothing, 0.5 * one)
    assert torch.allclose(halved, (images + images.roll(-1, 3)) / 2)
