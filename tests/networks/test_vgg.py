import pytest
import torch

from fiftyone_reue.networks.registry import create_network

pytestmark = pytest.mark.unit


@pytest.mark.slow
@pytest.mark.parametrize(("size", "side"), [(16, 1), (31, 1), (32, 1), (64, 2)])
def test_some_pixels_are_left_to_pool(size, side):
    features = create_network("vgg19", 2, size, seed=0).eval()[1]
    with torch.no_grad():
        assert features(torch.rand(1, 3, size, size)).shape == (1, 512, side, side)


@pytest.mark.slow
def test_it_has_the_published_number_of_weights_at_any_size():
    for size in (16, 224):
        weights = sum(
            p.numel() for p in create_network("vgg19", 10, size, seed=0).parameters()
        )
        assert weights / 1e6 == pytest.approx(20.04, abs=0.01)


@pytest.mark.slow
def test_the_last_layer_still_feels_the_first():
    """With torch's default weights, features would differ by 2e-8 between images."""
    network = create_network("vgg19", 2, 32, seed=0).eval()
    with torch.no_grad():
        features = network[:4](torch.rand(8, 3, 32, 32))
    assert features.std(0).mean() > 1e-3
