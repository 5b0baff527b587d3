import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.demo import tiles as demo_tiles
from fiftyone_reue.demo.tiles import (
    CLASSES,
    GAP,
    PHOTOS,
    build,
    levelled,
    load_photo,
    strips,
    tile_positions,
)
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import DEFAULT_NETWORK, create_network
from fiftyone_reue.networks.training import accuracy, train
from fiftyone_reue.progress import finish

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_counts_sizes_and_names(tiles: Path) -> None:
    for split, count in (("train", 300), ("test", 60)):
        assert sorted(p.name for p in (tiles / split).iterdir()) == sorted(CLASSES)
        for name in CLASSES:
            files = sorted(p.name for p in (tiles / split / name).iterdir())
            assert files == [f"{number:04d}.png" for number in range(1, count + 1)]
    for path in tiles.rglob("*.png"):
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((32, 32), "L")


@pytest.mark.slow
def test_tiles_are_levelled_pieces_of_their_photo(tiles: Path) -> None:
    photo = load_photo("coffee")
    positions = tile_positions(photo.size, 32, "test", 3, "0/coffee/test")
    for number, (x, y) in enumerate(positions, start=1):
        tile = Image.open(tiles / "test" / "coffee" / f"{number:04d}.png")
        piece = levelled(photo.crop((x, y, x + 32, y + 32)))
        assert np.array_equal(np.asarray(tile), np.asarray(piece))


def test_levelled_tiles_have_one_brightness_and_contrast() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    level = np.asarray(levelled(ramp.convert("RGB")), float)
    assert abs(level.mean() - 128) < 1
    assert abs(level.std() - 40) < 1
    flat = np.asarray(levelled(Image.new("RGB", (16, 16), (7, 7, 7))))
    assert (flat == 128).all()


@pytest.mark.slow
def test_same_arguments_same_pixels_other_seed_other_pixels(tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        build(tmp_path / folder, size=32, train=3, test=2, seed=seed)
    first, again, other = (read(tmp_path / folder) for folder in "abc")
    assert len(first) == len(CLASSES) * 5
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


@pytest.mark.slow
def test_classes_can_be_learned_from_train_to_test(tiles: Path) -> None:
    """70 % with the demo's network and recipe, where chance is 10 %."""
    images, labels = tensors(tiles / "train")
    recipe = Recipe(epochs=8, least_steps=100)
    network = create_network(DEFAULT_NETWORK, len(CLASSES), images.shape[1], seed=0)
    context = TrainingContext(seed=0)
    steps = train(network, images, labels, len(CLASSES), recipe=recipe, context=context)
    finish(steps)
    assert accuracy(network, *tensors(tiles / "test")) > 0.5


def tensors(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    names = sorted(CLASSES)
    pixels, labels = [], []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            pixels.append(np.asarray(image.convert("RGB")))
        labels.append(names.index(path.parent.name))
    return np.stack(pixels), np.array(labels, np.int64)
