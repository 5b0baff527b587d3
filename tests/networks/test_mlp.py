import pytest
import torch

from fiftyone_reue.networks.mlp import build

pytestmark = pytest.mark.unit


def test_large_images_are_averaged_to_the_same_number_of_weights():
    small, large = build("mlp", 10, 32), build("mlp", 10, 96)
    assert [p.shape for p in small.parameters()] == [
        p.shape for p in large.parameters()
    ]
    images = torch.rand(2, 3, 32, 32)
    enlarged = images.repeat_interleave(3, 2).repeat_interleave(3, 3)
    small.eval()
    with torch.no_grad():
        assert torch.allclose(small(enlarged), small(images), atol=1e-5)


def test_it_knows_no_neighbourhoods():
    """Shuffled pixels with first weights shuffled alike give the same logits."""
    network = build("mlp", 4, 32).eval()
    images = torch.rand(2, 3, 32, 32)
    order = torch.randperm(3 * 32 * 32, generator=torch.Generator().manual_seed(0))
    shuffled = images.flatten(1)[:, order].reshape(images.shape)
    with torch.no_grad():
        before = network(images)
        assert not torch.allclose(network(shuffled), before, atol=1e-4)
        network[3].weight.copy_(network[3].weight[:, order])
        assert torch.allclose(network(shuffled), before, atol=1e-4)


def test_it_has_three_hidden_layers_of_1024():
    weights = [p.shape for p in build("mlp", 10, 64).parameters() if p.dim() == 2]
    assert weights == [(1024, 3072), (1024, 1024), (1024, 1024), (10, 1024)]
