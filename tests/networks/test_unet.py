import pytest
import torch

from fiftyone_reue.networks.unet import (
    ResidualBlock,
    UNet,
    full_unet,
    sinusoids,
    small_unet,
)

pytestmark = pytest.mark.unit


def awake(network: UNet) -> UNet:
    """With a last layer that isn't zero."""
    torch.manual_seed(0)
    torch.nn.init.normal_(network.tail.weight)
    return network


@pytest.mark.parametrize("size", [1, 7, 16, 33])
def test_any_size_comes_out_as_it_went_in(size):
    network = awake(UNet(8, 2, 1))
    assert network(torch.rand(2, 3, size, size)).shape == (2, 3, size, size)


def test_padding_is_beyond_the_right_and_lower_edge_only():
    network = awake(UNet(8, 2, 1))
    x = torch.rand(1, 3, 9, 9)
    padded = torch.nn.functional.pad(x, (0, 3, 0, 3), mode="replicate")
    assert torch.allclose(network(x), network(padded)[..., :9, :9], atol=1e-6)


@pytest.mark.parametrize("build", [small_unet, full_unet])
def test_an_untrained_network_says_zero(build):
    assert not build(seed=0)(torch.rand(1, 3, 8, 8)).any()


def test_a_seed_gives_the_same_weights_and_leaves_the_global_state():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = small_unet(seed=1), small_unet(seed=1), small_unet(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_the_time_changes_the_output_image_by_image():
    network = awake(small_unet(seed=0, timed=True))
    x = torch.rand(1, 3, 8, 8).expand(3, -1, -1, -1)
    made = network(x, torch.tensor([3, 3, 90]))
    assert torch.allclose(made[0], made[1], atol=1e-5)
    assert (made[0] - made[2]).abs().mean() > 1e-3


def test_neighbouring_times_have_neighbouring_sinusoids():
    table = sinusoids(torch.arange(1001), 16)
    assert table.shape == (1001, 16)
    near = (table[1:] - table[:-1]).norm(dim=1)
    assert near.max() < 1.1
    assert len(torch.unique(table, dim=0)) == 1001


@pytest.mark.parametrize("timed", [False, True])
def test_every_weight_learns_in_channels_last(timed):
    network = awake(small_unet(seed=0, timed=timed))
    network = network.to(memory_format=torch.channels_last)
    x = torch.rand(2, 3, 18, 18).contiguous(memory_format=torch.channels_last)
    times = torch.tensor([1, 50]) if timed else None
    network(x, times).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_a_block_changes_its_channels_and_takes_an_embedding():
    block = ResidualBlock(8, 16, 4)
    x = torch.rand(2, 8, 6, 6)
    first = block(x, torch.zeros(2, 4))
    assert first.shape == (2, 16, 6, 6)
    assert not torch.allclose(first, block(x, torch.ones(2, 4)))
