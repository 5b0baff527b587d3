from pathlib import Path

import numpy as np
import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import create_network
from fiftyone_reue.networks.training import train
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")


def torchvision_model(name: str) -> torch.nn.Module:
    from torchvision import models

    return models.get_model(name, weights=None)


@pytest.fixture(scope="module")
def known() -> dict[str, torch.Tensor]:
    """Weights of a ResNet-18 that knows 1000 other classes."""
    torch.manual_seed(1)
    return torchvision_model("resnet18").state_dict()


@pytest.fixture
def save(tmp_path, monkeypatch):
    def save_as(content: object) -> Path:
        path = tmp_path / "weights.pth"
        torch.save(content, path)
        monkeypatch.setenv("REUE_PRETRAINED", str(path))
        return path

    return save_as


def zeros(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights of these shapes that take no room in a file."""
    shapes = network.state_dict().items()
    return {key: torch.zeros(()).expand(value.shape) for key, value in shapes}


@pytest.mark.slow
def test_the_body_is_the_users_and_the_head_is_new(save, known):
    save(known)
    network = create_network("pretrained_finetune", 3, 32, seed=0)
    assert network.training
    body = network.body.state_dict()
    assert body.keys() == {key for key in known if not key.startswith("fc.")}
    assert all(torch.equal(body[key], known[key]) for key in body)
    assert network.head.weight.shape == (3, 512)


@pytest.mark.slow
def test_the_file_says_which_network_it_is(save):
    with torch.device("meta"):
        network = torchvision_model("resnet50")
    save(zeros(network))
    assert create_network("pretrained_probe", 3, 32, seed=0).head.in_features == 2048


@pytest.mark.slow
def test_old_half_precision_and_fine_tuned_files_are_read(save, known):
    """Of other classes, and without the counters that old files lack."""
    kept = {k: v.half() for k, v in known.items() if "num_batches" not in k}
    kept |= {"fc.weight": torch.rand(7, 512), "fc.bias": torch.rand(7)}
    save(kept)
    weight = create_network("pretrained_finetune", 3, 32, seed=0).body.conv1.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, known["conv1.weight"].half().float())


@pytest.mark.slow
@pytest.mark.parametrize(("size", "side"), [(64, 128), (65, 224)])
def test_images_are_resized_and_normalised_as_for_imagenet(save, known, size, side):
    save(known)
    network = create_network("pretrained_probe", 3, size, seed=0).eval()
    seen = []
    network.body.conv1.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    network.normalise.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    images = torch.full((1, 3, size, size), 0.485)
    with torch.no_grad():
        network(images)
    resized, normalised = seen
    assert resized.shape == normalised.shape == (1, 3, side, side)
    assert torch.allclose(resized, torch.tensor(0.485))
    wanted = torch.tensor([0, (0.485 - 0.456) / 0.224, (0.485 - 0.406) / 0.225])
    assert torch.allclose(normalised[0, :, 5, 7], wanted, atol=1e-5)


def trained(name: str) -> torch.nn.Module:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    network = create_network(name, 2, 32, seed=0)
    recipe = Recipe(epochs=1, least_steps=2, batch=2, learning_rate=0.01)
    labels = np.array([0, 1, 0, 1])
    finish(train(network, images, labels, 2, recipe=recipe, context=CONTEXT))
    return network


@pytest.mark.slow
def test_a_probe_changes_nothing_but_its_head(save, known):
    save(known)
    torch.manual_seed(3)
    fresh = create_network("pretrained_probe", 2, 32, seed=0).head.weight.clone()
    torch.manual_seed(3)
    network = trained("pretrained_probe")
    body = network.body.state_dict()
    assert all(torch.equal(body[key], known[key]) for key in body)
    assert not torch.equal(network.head.weight, fresh)
    assert not network.train().body.bn1.training
    assert network.head.training


@pytest.mark.slow
def test_fine_tuning_changes_all(save, known):
    save(known)
    network = trained("pretrained_finetune")
    body = network.body.state_dict()
    assert not any(torch.equal(body[key], known[key]) for key in body)
    assert network.train().body.bn1.training


def test_without_weights_it_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.delenv("REUE_PRETRAINED", raising=False)
    with pytest.raises(InputError, match=r"^Set .* REUE_PRETRAINED .*torch\.save"):
        create_network("pretrained_probe", 3, 32, seed=0)
    for missing in (tmp_path / "none.pth", tmp_path):
        monkeypatch.setenv("REUE_PRETRAINED", str(missing))
        with pytest.raises(InputError, match=r"no file .*REUE_PRETRAINED"):
            create_network("pretrained_probe", 3, 32, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"conv1.weight": torch.zeros(64, 3, 7, 7)}},
        [1, 2],
    ],
)
def test_other_contents_are_refused(save, content):
    path = save(content)
    with pytest.raises(InputError, match=r"doesn't hold.*resnet18 or resnet50") as told:
        create_network("pretrained_probe", 3, 32, seed=0)
    assert str(path) in str(told.value)


@pytest.mark.slow
def test_a_deeper_network_that_holds_the_same_names_is_refused(save):
    with torch.device("meta"):
        network = torchvision_model("resnet34")
    save(zeros(network))
    with pytest.raises(InputError, match="doesn't hold"):
        create_network("pretrained_probe", 3, 32, seed=0)


@pytest.mark.slow
def test_files_that_are_no_weights_are_refused(save, known):
    path = save(known)
    for content in (b"", b"GIF89a", path.read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="can't be read as PyTorch weights"):
            create_network("pretrained_probe", 3, 32, seed=0)


class Code:
    def __reduce__(self):
        return print, ("ran",)


def test_code_in_a_file_is_not_run(save, capsys):
    save(Code())
    with pytest.raises(InputError, match="can't be read"):
        create_network("pretrained_probe", 3, 32, seed=0)
    assert "ran" not in capsys.readouterr().out
