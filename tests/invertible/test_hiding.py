"""The hiding network."""

import math

import pytest
import torch
from torch import nn

from fiftyone_reue.invertible import hiding
from fiftyone_reue.invertible.haar import haar
from fiftyone_reue.invertible.hiding import HidingConfig, HidingNetwork

pytestmark = pytest.mark.unit

AMPLITUDE = torch.full((1, 1, 1, 1), 8.0, dtype=torch.float64)


def _network(spread: float = 0.1) -> HidingNetwork:
    torch.manual_seed(0)
    network = HidingNetwork(HidingConfig(blocks=2, width=8))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=spread)
    return network.eval().requires_grad_(False)


def _images(seed: int, count: int = 1) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 1, 16, 20), generator=numbers).double()


def test_hiding_gives_whole_numbers_whatever_the_batch() -> None:
    network = _network()
    covers, secrets = _images(0, 3), _images(1, 3)
    together, _ = network.hide(covers, secrets, AMPLITUDE)
    alone = [
        network.hide(cover[None], secret[None], AMPLITUDE)[0]
        for cover, secret in zip(covers, secrets, strict=True)
    ]
    assert torch.equal(together, torch.floor(together))
    assert torch.equal(together, torch.cat(alone))
    assert not torch.equal(together, covers)


def test_revealing_with_what_was_thrown_away_is_the_way_back() -> None:
    network = _network()
    cover, secret = _images(2), _images(3)
    image, left = network.hide(cover, secret, AMPLITUDE)
    bands = haar(image)
    for block in reversed(network.blocks):
        assert isinstance(block, hiding.Coupling)
        bands, left = block.backward_pass(bands, left, AMPLITUDE)
    assert (hiding._image_of(left) - secret).abs().max() < 8
    assert (bands - haar(cover)).abs().max() <= 2


def test_a_new_network_hides_nothing() -> None:
    cover = _images(4)
    image, _ = HidingNetwork().hide(cover, _images(5), AMPLITUDE)
    assert torch.equal(image, cover)


def test_bands_to_image_is_the_inverse_but_for_rounding() -> None:
    image = _images(6)
    assert (hiding._image_of(hiding._units(haar(image))) - image).abs().max() <= 1.25


def test_the_scale_table_is_right() -> None:
    table = hiding.scale_table()
    steps = len(table) // 2
    for place in (0, 1, steps, len(table) - 1):
        wanted = math.exp((place - steps) / steps) * 4096
        assert abs(table[place] - wanted) <= 0.5001
