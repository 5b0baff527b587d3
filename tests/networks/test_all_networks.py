"""What create_network() promises, of every network in the registry."""

from pathlib import Path

import pytest
import torch

from fiftyone_reue.networks.registry import create_network, list_networks

pytestmark = pytest.mark.unit

EVERY = pytest.mark.parametrize("name", [info.name for info in list_networks()])


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    from torchvision.models import resnet18

    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.manual_seed(0)
    torch.save(resnet18(weights=None).state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def has_weights(weights, monkeypatch):
    """What the pretrained networks need."""
    monkeypatch.setenv("REUE_PRETRAINED", str(weights))


def images(size: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("size", [17, 64])
def test_any_size_gives_the_same_logits_in_either_memory_layout(name, size):
    network = create_network(name, 5, size, seed=0)
    assert network.training
    network.eval()
    with torch.no_grad():
        logits = network(images(size))
        network.to(memory_format=torch.channels_last)
        other = network(images(size).contiguous(memory_format=torch.channels_last))
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])
    largest = float(logits.abs().max())
    assert torch.allclose(logits, other, rtol=1e-3, atol=1e-3 * largest)


@pytest.mark.slow
@EVERY
def test_a_seed_gives_the_same_weights_again(name):
    first = create_network(name, 3, 32, seed=5).state_dict()
    torch.rand(3)  # what others draw must not matter
    again = create_network(name, 3, 32, seed=5).state_dict()
    assert first.keys() == again.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = create_network(name, 3, 32, seed=6).state_dict()
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.slow
@EVERY
def test_training_works_in_channels_last_and_draws_nothing(name):
    network = create_network(name, 3, 32, seed=0).to(memory_format=torch.channels_last)
    inputs = images(32).contiguous(memory_format=torch.channels_last).requires_grad_()
    before = torch.get_rng_state()
    network(inputs)[:, 0].sum().backward()
    assert torch.equal(torch.get_rng_state(), before)
    assert inputs.grad.abs().sum() > 0
    for key, weight in network.named_parameters():
        assert (weight.grad is not None) == weight.requires_grad, key
        assert weight.grad is None or weight.grad.isfinite().all(), key
