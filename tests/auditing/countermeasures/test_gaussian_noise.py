import pytest
import torch

from fiftyone_reue.auditing.countermeasures.gaussian_noise import GaussianNoise

pytestmark = pytest.mark.unit


def test_noise_has_the_stated_sigma_and_is_independent():
    images = torch.full((16, 3, 32, 32), 0.5)
    generator = torch.Generator().manual_seed(0)
    made, _ = GaussianNoise().augment(images, torch.ones(16, 1), generator)
    noise = (made - 0.5) * 255
    assert noise.std() == pytest.approx(16, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.3)
    planes = noise.permute(1, 0, 2, 3).flatten(1)
    assert (torch.corrcoef(planes) - torch.eye(3)).abs().max() < 0.05
    along = torch.corrcoef(torch.stack([noise[..., 1:], noise[..., :-1]]).flatten(1))
    assert abs(along[0, 1]) < 0.05


def test_the_sum_is_cut_to_the_range():
    generator = torch.Generator().manual_seed(0)
    made, _ = GaussianNoise().augment(
        torch.ones(4, 3, 32, 32), torch.ones(4, 1), generator
    )
    assert made.max() == 1
    assert 0.4 < (made == 1).float().mean() < 0.6
