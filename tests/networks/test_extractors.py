"""Files of pretrained networks, as features."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.extractors import (
    SIDES,
    extractor_files,
    load_extractor,
    resized,
)
from tests.extractors import TinyExtractor, exported

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")


def named(monkeypatch: pytest.MonkeyPatch, *paths: Path | str) -> None:
    monkeypatch.setenv("REUE_PRETRAINED", os.pathsep.join(map(str, paths)))


def test_several_files_are_named_in_order_and_told_by_their_bytes(
    tmp_path, monkeypatch
):
    first, second = tmp_path / "a.pth", tmp_path / "b.pt2"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    named(monkeypatch, second, first)
    files = extractor_files()
    assert [file.path for file in files] == [second, first]
    moved = second.rename(tmp_path / "c.pt2")
    named(monkeypatch, moved)
    assert extractor_files()[0].digest == files[0].digest != files[1].digest


@pytest.mark.parametrize("value", ["", os.pathsep])
def test_without_files_it_says_what_to_set(monkeypatch, value):
    monkeypatch.setenv("REUE_PRETRAINED", value)
    with pytest.raises(InputError, match=r"^Set .* REUE_PRETRAINED .*torch\.export"):
        extractor_files()
    monkeypatch.delenv("REUE_PRETRAINED")
    with pytest.raises(InputError, match=r"^Set .* REUE_PRETRAINED"):
        extractor_files()


def test_missing_files_are_named(tmp_path, monkeypatch):
    for missing in (tmp_path / "none.pt2", tmp_path):
        named(monkeypatch, missing)
        with pytest.raises(InputError, match=r"can't be read .*REUE_PRETRAINED") as e:
            extractor_files()
        assert str(missing) in str(e.value)


def test_files_that_are_no_network_are_refused(tmp_path):
    for content in (b"", b"GIF89a", b"PK\x03\x04"):
        path = tmp_path / "broken.pt2"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.pt2 can't be read as a network"):
            load_extractor(path, CPU)


@pytest.mark.slow
@pytest.mark.usefixtures("float32")
def test_a_program_gives_its_features_and_gradients(tmp_path):
    network = TinyExtractor().eval()
    path = exported(network, tmp_path / "tiny.pt2", side=64)
    loaded = load_extractor(path, CPU)
    assert loaded.sides == (64,)
    images = torch.rand(3, 3, 64, 64, requires_grad=True)
    assert torch.allclose(loaded(images), network(images), atol=1e-6)
    loaded(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert not any(one.requires_grad for one in loaded.parameters())
    larger = torch.rand(2, 3, 100, 100)
    assert torch.equal(loaded(larger), loaded(resized(larger, 64)))


@pytest.mark.slow
def test_a_program_for_any_size_is_asked_at_several(tmp_path):
    path = exported(TinyExtractor().eval(), tmp_path / "any.pt2", side=None)
    loaded = load_extractor(path, CPU)
    assert loaded.sides == SIDES
    for side in SIDES:
        assert loaded(torch.rand(2, 3, side, side)).shape == (2, 12)


@pytest.mark.slow
def test_a_program_that_makes_no_features_is_refused(tmp_path):
    class Planes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    path = exported(Planes(), tmp_path / "planes.pt2", side=64)
    with pytest.raises(InputError, match=r"of two images, where \(2, features\)"):
        load_extractor(path, CPU)


@pytest.mark.slow
@pytest.mark.usefixtures("float32")
def test_torchvisions_weights_give_what_their_head_gets(tmp_path):
    from torchvision.models import resnet18

    network = resnet18(weights=None).eval()
    path = tmp_path / "resnet.pth"
    torch.save(network.state_dict(), path)
    loaded = load_extractor(path, CPU)
    seen = []
    network.fc.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    images = torch.rand(2, 3, 192, 192)
    mean = torch.tensor((0.485, 0.456, 0.406))[:, None, None]
    deviation = torch.tensor((0.229, 0.224, 0.225))[:, None, None]
    with torch.no_grad():
        network((images - mean) / deviation)
        assert torch.allclose(loaded(images), seen[0], atol=1e-4)
