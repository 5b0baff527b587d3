import pytest
import torch

from fiftyone_reue.auditing.countermeasures.rotation import Rotation, rotate

pytestmark = pytest.mark.unit


def test_right_angles_turn_anticlockwise():
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    made = rotate(images, torch.tensor([0.0, 90.0, -90.0]))
    assert torch.allclose(made[0], images[0], atol=1e-4)
    assert torch.allclose(made[1], torch.rot90(images[1], 1, (1, 2)), atol=1e-4)
    assert torch.allclose(made[2], torch.rot90(images[2], -1, (1, 2)), atol=1e-4)


@pytest.mark.parametrize("size", [32, 64])
def test_angles_are_within_the_bound_and_each_image_has_its_own(size):
    ramp = torch.linspace(0, 1, size).view(1, 1, size, 1).expand(200, 3, size, size)
    generator = torch.Generator().manual_seed(0)
    made, _ = Rotation().augment(ramp, torch.ones(200, 1), generator)
    # Flips are from left to right, so a ramp downwards only shifts; around the centre
    # it shows the angle.
    near = slice(size // 2 - 3, size // 2 + 3)
    down = made[:, 0, near, near].diff(dim=1).mean(dim=(1, 2))
    across = made[:, 0, near, near].diff(dim=2).mean(dim=(1, 2))
    angles = torch.atan2(across, down).rad2deg()
    assert angles.abs().max() < 15.1
    assert angles.max() > 13.5
    assert angles.min() < -13.5


def test_a_constant_image_stays_constant_in_its_corners_too():
    images = torch.full((4, 3, 32, 32), 0.7)
    made = rotate(images, torch.tensor([-15.0, 5.0, 10.0, 15.0]))
    assert torch.allclose(made, images, atol=1e-6)
