"""Convolutions in whole numbers."""

import pytest
import torch
from torch.nn import functional

from fiftyone_reue.invertible.exact import (
    ACTIVATION_LIMIT,
    ExactActivation,
    ExactConv,
    Subnetwork,
    whole,
)

pytestmark = pytest.mark.unit


def _layer(seed: int = 0) -> ExactConv:
    torch.manual_seed(seed)
    return ExactConv(6, 5).requires_grad_(False)


def _values(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def test_exact_is_close_to_the_trained_layer() -> None:
    layer, values = _layer(), _values(2, 6, 8, 8)
    exact = layer(values)
    assert (exact - layer(values.float())).abs().max() < 0.02
    assert torch.equal(exact * 256, torch.floor(exact * 256))


def test_the_sum_is_that_of_whole_numbers() -> None:
    layer, values = _layer(), _values(1, 6, 8, 8)
    weight, bias = layer._whole_weights(torch.device("cpu"))
    inputs = torch.floor(values * 256 + 0.5).long()
    windows = functional.pad(inputs, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)
    total = torch.einsum("nchwij,ocij->nohw", windows, weight.long())
    wanted = torch.div(total + bias.long() + 2048, 4096, rounding_mode="floor")
    assert torch.equal((layer(values) * 256).long(), wanted)


def test_batch_layout_and_threads_do_not_matter() -> None:
    network = Subnetwork(6, 4, 16).requires_grad_(False)
    torch.nn.init.normal_(network[-1].weight)
    values = 30 * _values(4, 6, 20, 20)
    together = network(values)
    alone = torch.cat([network(one[None]) for one in values])
    other = network(values.contiguous(memory_format=torch.channels_last))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        again = network(values)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(together, alone)
    assert torch.equal(together, other)
    assert torch.equal(together, again)


def test_too_large_activations_are_held() -> None:
    layer = _layer()
    held = layer(torch.full((1, 6, 4, 4), ACTIVATION_LIMIT, dtype=torch.float64))
    assert torch.equal(layer(torch.full((1, 6, 4, 4), 1e9).double()), held)


def test_activation_is_leaky_relu() -> None:
    values = torch.arange(-300, 300).double() / 256
    result = ExactActivation()(values)
    assert (result - functional.leaky_relu(values, 0.125)).abs().max() <= 0.5 / 256


def test_rounding_lets_the_gradient_through() -> None:
    values = torch.tensor([0.4, 0.5, -1.5], requires_grad=True)
    result = whole(values)
    assert result.tolist() == [0.0, 1.0, -1.0]
    result.sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [1.0, 1.0, 1.0]


def test_a_new_subnetwork_gives_nothing() -> None:
    assert (Subnetwork(3, 2, 8)(_values(1, 3, 8, 8)) == 0).all()
