import pytest
import torch

from fiftyone_reue.networks.registry import create_network

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("size", "first", "last"), [(32, 32, 4), (64, 32, 4), (100, 50, 7), (224, 112, 7)]
)
def test_the_stem_leaves_a_map_that_stages_can_halve(size, first, last):
    features = create_network("mobilenet_v2", 2, size, seed=0).eval()[1].features
    images = torch.rand(1, 3, size, size)
    with torch.no_grad():
        assert features[:2](images).shape == (1, 16, first, first)
        assert features(images).shape == (1, 1280, last, last)


def test_it_has_the_published_number_of_weights():
    network = create_network("mobilenet_v2", 10, 32, seed=0)
    weights = sum(p.numel() for p in network.parameters())
    assert weights / 1e6 == pytest.approx(2.24, abs=0.01)
