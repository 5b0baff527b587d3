import pytest
import torch

from fiftyone_reue.networks.small_resnet import Block, SmallResNet

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("size", [8, 32, 33, 48, 64])
def test_any_size_gives_logits(size):
    network = SmallResNet(5, width=8, size=size).eval()
    assert network(torch.rand(2, 3, size, size)).shape == (2, 5)


def test_large_inputs_cost_what_small_ones_do():
    """A stride in the stem brings 64 pixels to the 32 that the stages see."""
    for size in (32, 64):
        seen = SmallResNet(2, width=8, size=size).stem(torch.rand(1, 3, size, size))
        assert seen.shape[-1] == 32


def test_blocks_keep_or_halve_their_input():
    x = torch.rand(2, 4, 16, 16)
    assert Block(4, 4, 1)(x).shape == (2, 4, 16, 16)
    assert Block(4, 8, 2)(x).shape == (2, 8, 8, 8)


def test_every_weight_learns():
    network = SmallResNet(3, width=8, size=16)
    network(torch.rand(4, 3, 16, 16)).logsumexp(1).sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name
