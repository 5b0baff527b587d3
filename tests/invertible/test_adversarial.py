"""RAEG's network."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fiftyone_reue.invertible.adversarial import AdversarialConfig, AdversarialNetwork

pytestmark = pytest.mark.unit


def _network(blocks: tuple[int, ...], spread: float = 0.05) -> AdversarialNetwork:
    torch.manual_seed(0)
    network = AdversarialNetwork(AdversarialConfig(blocks=blocks, width=8))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=spread)
    return network.eval().requires_grad_(False)


def _case(seed: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    image = torch.randint(256, (1, 3, height, width), generator=numbers).double()
    signs = torch.randint(2, (1, 2, height // 2, width // 2), generator=numbers)
    return image, signs.double() * 2 - 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(2, 6),
    st.integers(2, 6),
    st.sampled_from([(1,), (2, 1), (1, 1, 1)]),
)
def test_inverse_is_exact(
    seed: int, rows: int, columns: int, blocks: tuple[int, ...]
) -> None:
    network = _network(blocks)
    unit = network.config.multiple
    image, planes = _case(seed, rows * unit, columns * unit)
    changed = network(image, planes)
    assert torch.equal(changed, torch.floor(changed))
    assert not torch.equal(changed, image)
    assert torch.equal(network.inverse(changed, planes), image)


def test_wrong_planes_give_another_image() -> None:
    network = _network((2, 2))
    image, planes = _case(1, 32, 32)
    assert not torch.equal(network.inverse(network(image, planes), -planes), image)


def test_batches_and_single_images_agree() -> None:
    network = _network((1, 1))
    cases = [_case(seed, 16, 16) for seed in range(3)]
    planes = cases[0][1]
    batch = torch.cat([image for image, _ in cases])
    alone = torch.cat([network(image, planes) for image, _ in cases])
    assert torch.equal(network(batch, planes), alone)


def test_a_new_network_changes_nothing() -> None:
    image, planes = _case(2, 16, 16)
    assert torch.equal(AdversarialNetwork()(image, planes), image)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_integers() -> None:
    network = _network((2, 2))
    image, planes = _case(3, 64, 64)
    here = network(image, planes)
    there = network.cuda()(image.cuda(), planes.cuda())
    assert torch.equal(there.cpu(), here)
