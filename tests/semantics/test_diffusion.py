import shutil
import socket
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_reue.errors import InputError, MissingPackageError, ModelError
from fiftyone_reue.semantics import diffusion
from fiftyone_reue.semantics.diffusion import (
    Painting,
    checks_images,
    edge_map,
    load_pipeline,
    painted,
)


def _square(side=64):
    image = np.full((side, side, 3), 30, np.uint8)
    image[16:48, 16:48] = (200, 220, 240)
    return image


PAINTING = Painting("a photo of cat", "blurry", edge_map(_square()), 2, 7.5, 1.0)


@pytest.fixture
def tiny(tiny_models):
    def load(model="plain", controlnet="controlnet"):
        return load_pipeline(
            str(tiny_models / model), str(tiny_models / controlnet), "cpu"
        )

    return load


@pytest.mark.unit
def test_edges_are_thin_white_lines_around_what_is_there():
    edges = edge_map(_square())
    assert edges.shape == (64, 64)
    assert edges.dtype == np.uint8
    assert set(np.unique(edges)) == {0, 255}
    rows, columns = np.nonzero(edges)
    for places in (rows, columns):
        assert 14 <= places.min() <= 17
        assert 46 <= places.max() <= 49
    assert not edges[20:44, 20:44].any()
    assert (edges[32] > 0).sum() == 2


@pytest.mark.unit
def test_plain_images_have_no_edges():
    assert not edge_map(np.full((64, 64, 3), 77, np.uint8)).any()


@pytest.mark.slow
@pytest.mark.unit
@pytest.mark.parametrize(
    "name", ["diffusers", "transformers", "accelerate", "skimage.feature"]
)
def test_a_missing_package_says_what_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        MissingPackageError, match=r"pip install 'fiftyone-reue\[generate\]'"
    ):
        load_pipeline("model", "controlnet", "cpu")


@pytest.mark.unit
def test_a_missing_device_is_named():
    with pytest.raises(InputError, match="use --device auto or cpu"):
        load_pipeline("model", "controlnet", "nonsense")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("device", "precision"), [("cuda", torch.float16), ("cpu", torch.float32)]
)
def test_precision_follows_the_device_and_only_names_reach_the_network(
    device, precision, tmp_path, monkeypatch
):
    asked = {}
    loaded = SimpleNamespace(
        to=lambda place: None, set_progress_bar_config=lambda disable: None
    )

    def kind(name):
        def from_pretrained(place, **options):
            asked[name] = {"place": place, **options}
            return loaded

        return SimpleNamespace(from_pretrained=from_pretrained)

    monkeypatch.setattr(diffusion, "_kinds", lambda: (kind("control"), kind("model")))
    monkeypatch.setattr(
        "fiftyone_reue.networks.device.choose_device", lambda name: torch.device(name)
    )
    assert load_pipeline("someone/model", str(tmp_path), device) is loaded
    assert all(options["dtype"] == precision for options in asked.values())
    assert all(options["use_safetensors"] for options in asked.values())
    assert asked["control"]["local_files_only"] is True
    assert asked["model"]["local_files_only"] is False
    assert asked["model"]["controlnet"] is loaded
    assert "safety_checker" not in asked["model"]  # a model keeps its own


@pytest.mark.unit
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
)
def test_too_little_memory_says_what_to_do(error):
    def call(*args, **options):
        raise error

    with pytest.raises(ModelError, match=r"enough memory for 64 .*smaller --side"):
        painted(call, PAINTING, 0)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("value", "flags", "drawn"),
    [(9, None, True), (9, [False], True), (9, [True], False), (0, None, False)],
)
def test_an_image_that_was_blackened_is_none(value, flags, drawn):
    image = Image.new("L", (64, 64), value)
    made = SimpleNamespace(images=[image], nsfw_content_detected=flags)
    found = painted(lambda *args, **options: made, PAINTING, 0)
    assert (found is not None) == drawn
    assert found is None or found.mode == "RGB"


@pytest.mark.slow
@pytest.mark.integration
def test_local_folders_are_read_without_the_network(tiny, monkeypatch):
    def refuse(*args):
        raise AssertionError("the network was asked")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    pipeline = tiny()
    assert not checks_images(pipeline)
    assert painted(pipeline, PAINTING, 5).size == (64, 64)


@pytest.mark.integration
def test_seed_edges_and_prompt_decide(tiny):
    pipeline = tiny()

    def drawn(seed=5, **changes):
        return painted(pipeline, replace(PAINTING, **changes), seed).tobytes()

    first = drawn()
    torch.manual_seed(99)  # what torch draws elsewhere has no part in it
    assert drawn() == first
    others = [
        drawn(seed=6),
        drawn(prompt="a photo of dog"),
        drawn(negative_prompt="noise"),
        drawn(condition=np.zeros((64, 64), np.uint8)),
        drawn(conditioning=0.0),
        drawn(guidance=2.0),
        drawn(steps=3),
    ]
    assert len({first, *others}) == 8


@pytest.mark.integration
def test_a_checker_that_a_model_has_stays_on(tiny):
    lenient, strict = tiny("lenient"), tiny("strict")
    assert checks_images(lenient)
    assert checks_images(strict)
    assert painted(lenient, PAINTING, 5) is not None
    assert painted(strict, PAINTING, 5) is None


@pytest.mark.integration
def test_models_that_do_not_fit_say_so(tiny):
    with pytest.raises(ModelError, match="can't draw with this ControlNet; take one"):
        painted(tiny("plain", "other"), PAINTING, 0)


@pytest.mark.integration
@pytest.mark.parametrize("option", ["--model", "--controlnet"])
def test_a_folder_without_a_model_is_named(option, tiny_models, tmp_path):
    names = {"--model": "plain", "--controlnet": "controlnet"}
    places = {key: str(tiny_models / name) for key, name in names.items()}
    places[option] = str(tmp_path)
    with pytest.raises(ModelError) as info:
        load_pipeline(places["--model"], places["--controlnet"], "cpu")
    assert str(info.value).startswith(f"{tmp_path}: no model can be loaded")
    assert f"by {option}" in str(info.value)


@pytest.mark.integration
def test_a_damaged_model_is_named(tiny_models, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(tiny_models / "plain", broken)
    (broken / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="model: no model can be loaded from"):
        load_pipeline(str(broken), str(tiny_models / "controlnet"), "cpu")


@pytest.mark.integration
def test_pickled_weights_are_not_read(tiny_models, tmp_path):
    pickled = tmp_path / "controlnet"
    shutil.copytree(tiny_models / "controlnet", pickled)
    (pickled / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, pickled / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelError, match="with safetensors"):
        load_pipeline(str(tiny_models / "plain"), str(pickled), "cpu")


@pytest.mark.integration
@pytest.mark.parametrize("name", ["someone/model", "/no/such/folder", "a name!"])
def test_what_the_hub_does_not_give_asks_for_a_folder(name, tiny_models):
    # conftest.py keeps the Hub out of reach.
    with pytest.raises(ModelError) as info:
        load_pipeline(str(tiny_models / "plain"), name, "cpu")
    (line,) = str(info.value).splitlines()
    assert line.startswith(f"{name}: there is no such folder")
    assert "name a local folder by --controlnet" in line
