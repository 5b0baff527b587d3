import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from fiftyone_reue import demo_tiles
from fiftyone_reue.demo_tiles import (
    GAP,
    PHOTOS,
    build,
    load_photo,
    strips,
    tile_positions,
)
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiles")
    build(folder)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): np.asarray(Image.open(path)).tobytes()
        for path in sorted(folder.rglob("*.png"))
    }


@given(width=st.integers(100, 2000), size=st.integers(16, 128))
def test_strips_are_disjoint_with_gaps_and_hold_a_tile(width: int, size: int) -> None:
    if width < 2.5 * (size + GAP):
        with pytest.raises(InputError, match="too narrow"):
            strips(width, size)
        return
    found = strips(width, size)
    assert [strip.split for strip in found[:2]] == ["train", "test"]
    assert all(strip.right - strip.left >= size for strip in found)
    assert found[0].left == 0
    assert found[-1].right <= width
    for before, after in itertools.pairwise(found):
        assert before.split != after.split
        assert after.left - before.right >= GAP


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("size", [16, 64, 128])
def test_no_column_of_a_photo_is_in_train_and_test(name: str, size: int) -> None:
    photo_size = load_photo(name).size
    columns = {}
    for split in ("train", "test"):
        columns[split] = np.zeros(photo_size[0], bool)
        for x, y in tile_positions(photo_size, size, split, 200, "any"):
            assert 0 <= x <= photo_size[0] - size
            assert 0 <= y <= photo_size[1] - size
            columns[split][x : x + size] = True
    # Widened by the gap on one side: not even a JPEG block of 16 columns is shared.
    near_train = np.convolve(columns["train"], np.ones(GAP))[: photo_size[0]] > 0
    assert not (near_train & columns["test"]).any()


def test_counts_sizes_and_names(tiles: Path) -> None:
    for split, count in (("train", 120), ("test", 40)):
        assert sorted(p.name for p in (tiles / split).iterdir()) == sorted(PHOTOS)
        for name in PHOTOS:
            files = sorted(p.name for p in (tiles / split / name).iterdir())
            assert files == [f"{number:04d}.png" for number in range(1, count + 1)]
    for path in tiles.rglob("*.png"):
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((64, 64), "RGB")


def test_tiles_are_pieces_of_their_photo(tiles: Path) -> None:
    photo = np.asarray(load_photo("coffee"))
    positions = tile_positions(photo.shape[1::-1], 64, "test", 3, "0/coffee/test")
    for number, (x, y) in enumerate(positions, start=1):
        tile = np.asarray(Image.open(tiles / "test" / "coffee" / f"{number:04d}.png"))
        assert np.array_equal(tile, photo[y : y + 64, x : x + 64])


def test_same_arguments_same_pixels_other_seed_other_pixels(tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        build(tmp_path / folder, size=32, train=3, test=2, seed=seed)
    first, again, other = (read(tmp_path / folder) for folder in "abc")
    assert len(first) == len(PHOTOS) * 5
    assert first == again
    assert first.keys() == other.keys()
    assert first != other


def test_positions_are_the_same_on_every_python() -> None:
    assert list(tile_positions((512, 512), 64, "train", 3, "any")) == [
        (25, 58),
        (319, 285),
        (74, 94),
    ]


@pytest.mark.parametrize("size", [15, 129])
def test_refuses_other_sizes(tmp_path: Path, size: int) -> None:
    with pytest.raises(InputError, match=f"size={size}"):
        build(tmp_path, size=size)
    assert list(tmp_path.iterdir()) == []


def test_says_how_to_get_missing_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(demo_tiles.PHOTOS, "cat", ("no_such_package", "cat.png"))
    with pytest.raises(InputError, match="pip install scikit-image"):
        load_photo("cat")


def test_classes_can_be_learned_from_train_to_test(tiles: Path) -> None:
    """A small network: 88 to 91 % with three seeds, where chance is 10 %."""
    torch.manual_seed(0)
    images, labels = tensors(tiles / "train")
    network = nn.Sequential(
        *block(3, 16),
        *block(16, 32),
        *block(32, 64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, len(PHOTOS)),
    )
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(20):
        for batch in torch.randperm(len(images)).split(32):
            mirrored = torch.rand(len(batch), 1, 1, 1) < 0.5
            seen = torch.where(mirrored, images[batch].flip(3), images[batch])
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(seen), labels[batch]).backward()
            optimizer.step()
    network.eval()
    images, labels = tensors(tiles / "test")
    accuracy = (network(images).argmax(1) == labels).float().mean().item()
    assert accuracy > 0.8


def block(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, stride=2)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def tensors(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    names = sorted(PHOTOS)
    pixels, labels = [], []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            pixels.append(np.asarray(image.resize((32, 32), Image.Resampling.BOX)))
        labels.append(names.index(path.parent.name))
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255 - 0.5
    return images, torch.tensor(labels)
