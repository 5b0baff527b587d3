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
    code = torch.randint(-8, 9, (1, 3, height // 2, width // 2), generator=numbers)
    return image, code.double()


@pytest.mark.slow
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
    image, code = _case(seed, rows * unit, columns * unit)
    changed = network(image, code)
    assert torch.equal(changed, torch.floor(changed))
    assert not torch.equal(changed, image)
    assert torch.equal(network.inverse(changed, code), image)


def test_without_the_code_another_image_comes_back() -> None:
    network = _network((2, 2))
    image, code = _case(1, 32, 32)
    assert torch.equal(network.inverse(network(image)), image)
    assert not torch.equal(network.inverse(network(image, code)), image)


def test_a_code_adds_to_the_means() -> None:
    image, code = _case(4, 16, 16)
    changed = AdversarialNetwork()(image, code)
    assert torch.equal(
        changed - image, code.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


def test_batches_and_single_images_agree() -> None:
    network = _network((1, 1))
    images, codes = zip(*(_case(seed, 16, 16) for seed in range(3)), strict=True)
    alone = [network(image, code) for image, code in zip(images, codes, strict=True)]
    assert torch.equal(network(torch.cat(images), torch.cat(codes)), torch.cat(alone))


def test_a_new_network_changes_nothing() -> None:
    image, _ = _case(2, 16, 16)
    assert torch.equal(AdversarialNetwork()(image), image)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_integers() -> None:
    network = _network((2, 2))
    image, code = _case(3, 64, 64)
    here = network(image, code)
    there = network.cuda()(image.cuda(), code.cuda())
    assert torch.equal(there.cpu(), here)
