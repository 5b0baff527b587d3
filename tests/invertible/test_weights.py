"""Keeping and finding trained networks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fiftyone_reue.errors import InputError, UnsafePathError
from fiftyone_reue.invertible import weights
from fiftyone_reue.invertible.adversarial import AdversarialConfig, AdversarialNetwork
from fiftyone_reue.invertible.hiding import HidingConfig, HidingNetwork

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def _network() -> AdversarialNetwork:
    torch.manual_seed(0)
    network = AdversarialNetwork(AdversarialConfig(blocks=(1, 1), width=8))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.05)
    return network.eval().requires_grad_(False)


def test_kept_weights_give_the_same_integers(folder: Path) -> None:
    network = _network()
    weights.save_weights(network, folder / "mine.npz", {"steps": 3})
    again = weights.load_weights("mine", weights.identity("mine"), "cpu")
    image = torch.randint(256, (1, 3, 16, 16)).double()
    assert torch.equal(again(image), network.double()(image))
    assert weights.about_weights("mine")["about"] == {"steps": 3}
    assert "mine" in weights.list_weights("adversarial")
    assert "mine" not in weights.list_weights("hiding")


def test_a_hiding_network_keeps_its_size(folder: Path) -> None:
    network = HidingNetwork(HidingConfig(blocks=2, width=8))
    weights.save_weights(network, folder / "small.npz", {})
    again = weights.load_weights("small", weights.identity("small"), "cpu")
    assert isinstance(again, HidingNetwork)
    assert again.config == network.config


def test_other_weights_are_refused(folder: Path) -> None:
    weights.save_weights(_network(), folder / "mine.npz", {})
    with pytest.raises(InputError, match="aren't those that the image"):
        weights.load_weights("mine", bytes(8), "cpu")


def test_missing_and_broken_weights_say_so(folder: Path) -> None:
    with pytest.raises(InputError, match="There are no weights 'nothing'"):
        weights.identity("nothing")
    (folder / "broken.npz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match=r"broken\.npz: these aren't weights"):
        weights.identity("broken")
    np.savez(folder / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match=r"other\.npz: these aren't weights"):
        weights.identity("other")


@pytest.mark.parametrize(
    ("name", "kind"), [("raeg", "adversarial"), ("deep_hiding", "hiding")]
)
def test_the_package_ships_small_weights(name: str, kind: str) -> None:
    assert name in weights.list_weights(kind)
    assert weights._path(name).stat().st_size < 500_000
    weights.load_weights(name, weights.identity(name), "cpu")


@pytest.mark.parametrize("name", ["../mine", "inner/mine", "", "inner\\mine", "/mine"])
def test_weights_are_looked_up_by_a_bare_name(folder: Path, name: str) -> None:
    for place in (folder, folder / "inner", folder.parent):
        place.mkdir(exist_ok=True)
        weights.save_weights(_network(), place / "mine.npz", {})
    with pytest.raises(UnsafePathError):
        weights.identity(name)
    with pytest.raises(UnsafePathError):
        weights.load_weights(name, bytes(8), "cpu")
    (folder.parent / "mine.npz").unlink()
