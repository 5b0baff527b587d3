import numpy as np
import pytest
import torch
from torch import nn

from fiftyone_reue.auditing.countermeasures import self_supervised
from fiftyone_reue.auditing.countermeasures.self_supervised import SelfSupervised
from fiftyone_reue.auditing.countermeasures.self_supervised_model import (
    jitter_colours,
    last_linear,
    nt_xent,
    pretrain,
    random_resized_crop,
    train_probe,
    two_views,
    without_head,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import create_network, list_networks
from fiftyone_reue.networks.small_resnet import SmallResNet
from fiftyone_reue.networks.training import accuracy, standard_augment
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

QUICK = Recipe(epochs=1, least_steps=30, batch=32)


@pytest.fixture(scope="module")
def stripes() -> TrainingSet:
    """Noisy stripes, upright or level."""
    draw = np.random.default_rng(0)
    labels = np.arange(64) % 2
    upright = np.indices((16, 16))[1] // 2 % 2 * 120
    base = np.stack([upright if label else upright.T for label in labels])
    noise = draw.integers(0, 100, (64, 16, 16, 3))
    return TrainingSet((base[..., None] + noise).astype(np.uint8), labels)


def small() -> SmallResNet:
    torch.manual_seed(0)
    return SmallResNet(2, 8, 16)


def state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def pretraining(network, images, steps: int = 4):
    return pretrain(
        network,
        images,
        steps=steps,
        batch=32,
        temperature=0.5,
        learning_rate=1e-3,
        context=TrainingContext(0, "cpu"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [info.name for info in list_networks()])
def test_the_layer_of_the_logits_is_found_in_every_network(name, tmp_path, monkeypatch):
    weights = tmp_path / "resnet18.pth"
    if name.startswith("pretrained"):
        from torchvision.models import resnet18

        torch.save(resnet18().state_dict(), weights)
    monkeypatch.setenv("REUE_PRETRAINED", str(weights))
    network = create_network(name, 7, 32, seed=0).eval()
    found = last_linear(network)
    head = network.get_submodule(found)
    assert head.out_features == 7
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        whole = network(images)
        with without_head(network, found):
            features = network(images)
        assert features.shape == (2, head.in_features)
        assert torch.allclose(head(features), whole, atol=1e-5)
        assert torch.equal(network(images), whole)


def test_a_network_without_a_linear_layer_is_refused():
    with pytest.raises(InputError, match="Choose another network"):
        last_linear(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Flatten()))


def test_the_head_comes_back_after_an_error():
    network = small()
    head = network.head
    with pytest.raises(ZeroDivisionError), without_head(network, "head"):
        raise ZeroDivisionError
    assert network.head is head


def test_views_differ_and_keep_range_and_shape(stripes):
    images = torch.from_numpy(stripes.images).permute(0, 3, 1, 2).float() / 255
    views = two_views(images, torch.Generator().manual_seed(0))
    assert views.shape == (128, 3, 16, 16)
    assert 0 <= views.min() <= views.max() <= 1
    assert not torch.equal(views[:64], views[64:])
    again = two_views(images, torch.Generator().manual_seed(0))
    assert torch.equal(views, again)


def test_crops_come_from_inside_the_image():
    """Of a ramp, a crop is a part of the ramp, either way round."""
    ramp = torch.linspace(0, 1, 32).expand(200, 3, 32, 32).contiguous()
    crops = random_resized_crop(ramp, torch.Generator().manual_seed(0))[:, 0, 16]
    spans = crops[:, -1] - crops[:, 0]
    assert 60 < (spans < 0).sum() < 140
    assert spans.abs().min() > 0.2
    assert spans.abs().max() < 1.001
    steps = crops.diff(dim=1) * spans.sign()[:, None]
    assert steps.min() > -1e-5
    assert 0.3 < crops.mean() < 0.7


def test_colours_change_and_a_part_goes_gray():
    images = torch.tensor([0.6, 0.4, 0.3]).view(1, 3, 1, 1).expand(400, 3, 16, 16)
    changed = jitter_colours(images, torch.Generator().manual_seed(0))
    gray = (changed.amax(1) - changed.amin(1)).amax(dim=(1, 2)) < 1e-6
    untouched = (changed == images).all(dim=(1, 2, 3))
    assert 50 < gray.sum() < 115
    assert 35 < untouched.sum() < 95
    hues = changed[~gray & ~untouched][:, :, 0, 0]
    assert (hues.argmax(1) == 0).float().mean() > 0.9
    assert len(hues.unique(dim=0)) == len(hues)
    gray_in = jitter_colours(
        torch.full((50, 3, 16, 16), 0.5), torch.Generator().manual_seed(1)
    )
    assert (gray_in.amax(1) - gray_in.amin(1)).max() < 1e-5


def test_the_loss_is_low_where_partners_agree():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(8, 32, generator=generator)
    agreeing = nt_xent(torch.cat([rows, 3 * rows]), 0.1)
    disagreeing = nt_xent(torch.cat([rows, rows.roll(1, 0)]), 0.1)
    assert agreeing < 0.2
    assert disagreeing > 5
    assert nt_xent(torch.ones(16, 4), 0.5) == pytest.approx(np.log(15), abs=1e-4)


def test_pretraining_learns_all_but_the_head_and_leaves_the_network_whole(stripes):
    network = small()
    before = state(network)
    for _ in pretraining(network, stripes.images):
        assert isinstance(network.head, nn.Linear)
    assert not network.training
    after = network.state_dict()
    for name, value in before.items():
        assert torch.equal(after[name], value) == name.startswith("head."), name


@pytest.mark.slow
def test_the_probe_learns_the_head_only(stripes):
    network = small()
    before = state(network)
    probing = train_probe(
        network,
        stripes,
        2,
        recipe=QUICK,
        context=TrainingContext(0, "cpu"),
        augment=standard_augment,
    )
    finish(probing)
    after = network.state_dict()
    for name, value in before.items():
        assert torch.equal(after[name], value) != name.startswith("head."), name
    assert all(weights.requires_grad for weights in network.parameters())
    assert all(weights.grad is None for weights in network.parameters())


@pytest.mark.slow
def test_stripes_are_learned_and_a_seed_gives_the_same_again(monkeypatch, stripes):
    monkeypatch.setattr(self_supervised, "BATCH", 32)
    held = Holdings(
        stripes.images,
        stripes.labels,
        2,
        stripes.images,
        stripes.images,
        stripes.labels,
    )
    states = []
    for _ in range(2):
        network = small()
        run = SelfSupervised().train(
            network,
            stripes,
            held,
            recipe=QUICK,
            effort=Effort(0.001),
            context=TrainingContext(0, "cpu"),
        )
        fractions = list(run)
        assert len(fractions) == 50 + 30
        assert fractions == sorted(fractions)
        assert fractions[-1] == pytest.approx(1)
        states.append(state(network))
        assert accuracy(network, stripes.images, stripes.labels) > 0.8
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
