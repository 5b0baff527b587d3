import numpy as np
import pytest
import torch
from torch import nn

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.device import autocast
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.perturb import surrogate
from fiftyone_reue.perturb.base import State
from fiftyone_reue.perturb.surrogate import (
    batches,
    class_loss,
    create_optimiser,
    create_surrogate,
    features_of,
    fitted_state,
    frozen,
    lead,
    lead_loss,
    logits_of,
    require_storable,
    restored,
)

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")


@pytest.fixture(params=["off", "on"])
def either_precision(request, monkeypatch):
    """Once in float32 and once in bfloat16."""
    monkeypatch.setenv("REUE_BFLOAT16", request.param)


def network(seed: int = 0) -> SmallResNet:
    return create_surrogate("small_resnet", 3, 16, seed, CPU)


def images(count: int = 8, size: int = 16) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    batch = torch.rand(count, 3, size, size, generator=draw)
    return batch.contiguous(memory_format=torch.channels_last)


def test_a_state_keeps_the_network():
    net = network()
    net(images())  # batch normalisation learns its statistics
    summary = {"surrogate": "small_resnet", "size": 16}
    means = np.ones((3, 64), np.float32)
    state = fitted_state("em", ("a", "b", "c"), net, summary, means=means)
    data = state.to_bytes()
    assert len(data) < 300_000
    again = restored(State.from_bytes(data), CPU)
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    wanted = logits_of(net.eval(), images())
    assert torch.allclose(logits_of(again, images()), wanted, atol=0.02)
    assert not torch.allclose(logits_of(network(1).eval(), images()), wanted, atol=0.1)
    assert np.array_equal(State.from_bytes(data).arrays["means"], means)


def test_variances_beyond_float16_are_kept():
    net = network()
    net.stem[1].running_var.fill_(1e6)
    arrays = fitted_state("em", ("a", "b", "c"), net, {}).arrays
    assert arrays["weights/stem.1.running_var"].max() == 1e6


def test_a_network_too_big_for_a_state_is_refused(monkeypatch):
    require_storable("small_resnet", 3, 16)
    monkeypatch.setattr(surrogate, "STORABLE_BYTES", 100_000)
    with pytest.raises(InputError, match=r"^Choose a smaller surrogate.*0\.2 MB"):
        require_storable("small_resnet", 3, 16)
    with pytest.raises(InputError, match="no network 'nothing'"):
        require_storable("nothing", 3, 16)


def test_frozen_networks_change_nothing_and_thaw_as_they_were():
    net = network()
    net.head.bias.requires_grad_(False)
    before = net.stem[1].running_mean.clone()
    with frozen(net):
        assert not net.training
        assert not any(p.requires_grad for p in net.parameters())
        net(images())
    assert torch.equal(net.stem[1].running_mean, before)
    assert net.training
    assert not net.head.bias.requires_grad
    assert net.head.weight.requires_grad


@pytest.mark.usefixtures("either_precision")
def test_features_are_what_the_last_linear_layer_gets():
    net = network().eval()
    batch = images().requires_grad_(True)
    features = features_of(net, batch)
    assert features.shape == (8, 64)
    with autocast(CPU):
        again = net.head(features).float()
    assert torch.allclose(again, logits_of(net, batch), atol=1e-5)
    features.sum().backward()
    assert batch.grad.abs().max() > 0
    assert not net.head._forward_pre_hooks


@pytest.mark.usefixtures("either_precision")
def test_features_of_any_network_with_a_linear_layer():
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(768, 5), nn.ReLU(), nn.Linear(5, 2), nn.Identity()
    )
    with autocast(CPU):
        wanted = net[:3](images()).float()
    assert torch.equal(features_of(net, images()), wanted)


@pytest.mark.usefixtures("float32")
def test_the_class_loss_of_a_batch_is_the_sum_of_its_images():
    net = network().eval()
    labels = torch.arange(8) % 3
    single = [class_loss(net, labels[i], images()[i : i + 1]) for i in range(8)]
    together = class_loss(net, labels, images())
    assert together.item() == pytest.approx(sum(single).item(), rel=1e-4)
    same = class_loss(net, torch.full((8,), 2), images())
    assert class_loss(net, 2, images()).item() == pytest.approx(same.item())


@pytest.mark.usefixtures("float32")
def test_the_lead_of_a_batch_is_the_sum_of_its_images():
    net = network().eval()
    labels = torch.arange(8) % 3
    single = [
        lead_loss(net, labels[i : i + 1], 5.0, images()[i : i + 1]) for i in range(8)
    ]
    together = lead_loss(net, labels, 5.0, images())
    assert together.item() == pytest.approx(sum(single).item(), rel=1e-4)


def test_an_image_that_is_taken_for_another_class_by_enough_counts_nothing():
    logits = torch.tensor([[1.0, 7.0, 0.0], [3.0, 0.0, 2.0]])
    labels = torch.tensor([0, 0])
    assert lead(logits[:1], labels[:1], 5.0) == 0
    assert lead(logits, labels, 5.0) == pytest.approx((0 + 6) / 2)


def test_a_state_builds_its_network_once():
    net = network()
    state = fitted_state(
        "em", ("a", "b", "c"), net, {"surrogate": "small_resnet", "size": 16}
    )
    assert restored(state, CPU) is restored(state, CPU)
    assert restored(State.from_bytes(state.to_bytes()), CPU) is not restored(state, CPU)


def test_optimisers_follow_the_registry():
    sgd = create_optimiser(network(), "small_resnet", 1e-4)
    assert isinstance(sgd, torch.optim.SGD)
    assert sgd.defaults["lr"] == 0.1
    assert sgd.defaults["weight_decay"] == 1e-4
    adamw = create_optimiser(network(), "vit_small", 1e-4)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.defaults["lr"] == 1e-3


def test_a_pass_takes_every_image_once_in_random_order():
    made = list(batches(10, 4, torch.Generator().manual_seed(0), CPU))
    assert [len(chosen) for chosen in made] == [4, 4, 2]
    places = torch.cat(made).tolist()
    assert sorted(places) == list(range(10))
    assert places != sorted(places)
