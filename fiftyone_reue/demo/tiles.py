"""A small labelled image dataset made from photographs that are already installed.

Tiles are cut from ten photographs in the scikit-image and scikit-learn wheels, a class
from each, so nothing is downloaded. Each photograph is divided into strips of full
height, in turn for training and for testing, with gaps between them: no pixel, and no
JPEG block of a photograph stored as JPEG, is in both.

Tiles are gray and brought to one brightness and contrast. In colour, ten photographs
are told apart by their colours alone, which a change of a few gray levels can't hide;
levelled, they are about as hard to tell apart as the classes of a real dataset.

The photographs and their terms:

- scikit-image: ``astronaut.png`` (NASA) and ``rocket.jpg`` (SpaceX), public domain;
  ``camera.png`` (Lav Varshney), ``chelsea.png`` (Stefan van der Walt), ``coffee.png``
  (Rachel Michetti), ``motorcycle_left.png`` (Daniel Scharstein, Middlebury) and
  ``retina.jpg`` (Mikael Haggstrom), CC0; ``ihc.png`` (Karolinska Institutet), no known
  restrictions. For other uses: ``hubble_deep_field.jpg`` (NASA and ESA), public domain;
  ``brick.png``, ``grass.png``, ``gravel.png`` (CC0Textures), CC0.
- scikit-learn: ``china.jpg`` (danielbuechele, https://www.flickr.com/photos/danielbuechele/)
  and ``flower.jpg`` (vultilion, https://www.flickr.com/photos/vultilion/), CC BY 2.0.
"""

import importlib.util
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_reue.errors import InputError

PHOTOS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick": ("skimage", "data/brick.png"),
    "camera": ("skimage", "data/camera.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "pagoda": ("sklearn", "datasets/images/china.jpg"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "tissue": ("skimage", "data/ihc.png"),
}
"""A photograph's name to its package and its path there."""

CLASSES = tuple(
    name for name in PHOTOS if name not in ("brick", "galaxies", "grass", "gravel")
)
"""The photographs that tiles are cut from; plain textures are too easy to tell."""

MEAN, DEVIATION = 128, 40
LEAST_DEVIATION = 4
"""Flatter tiles than this keep some of their flatness, not their noise enlarged."""

GAP = 16
"""Unused columns between strips: as wide as a JPEG block with subsampled chroma."""


@dataclass(frozen=True)
class Strip:
    """Columns ``left <= x < right`` of a photograph, for ``split`` (train or test)."""

    split: str
    left: int
    right: int


def build(
    folder: Path, size: int = 32, train: int = 300, test: int = 60, seed: int = 0
) -> None:
    """Write the tiles as PNG files ``folder/<train|test>/<class>/0001.png`` and so on.

    The same arguments give the same pixels. Tiles of one split may overlap.

    Args:
        folder: Where to write; made if missing, files of the same name are replaced.
        size: Height and width of a tile, 16 to 128.
        train: Training tiles a class.
        test: Test tiles a class.
        seed: Chooses the tiles' positions.

    Raises:
        InputError: ``size`` is out of range, or a photograph isn't installed.
    """
    if not 16 <= size <= 128:
        raise InputError(f"size={size}: tiles can be 16 to 128 pixels wide")
    for name in CLASSES:
        photo = load_photo(name)
        for split, count in (("train", train), ("test", test)):
            out = folder / split / name
            out.mkdir(parents=True, exist_ok=True)
            positions = tile_positions(
                photo.size, size, split, count, f"{seed}/{name}/{split}"
            )
            for number, (x, y) in enumerate(positions, start=1):
                tile = photo.crop((x, y, x + size, y + size))
                levelled(tile).save(out / f"{number:04d}.png")


def levelled(tile: Image.Image) -> Image.Image:
    """A tile in gray, brought to MEAN brightness and DEVIATION contrast."""
    gray = np.asarray(tile.convert("L"), np.float64)
    centred = gray - gray.mean()
    scale = DEVIATION / max(float(gray.std()), LEAST_DEVIATION)
    return Image.fromarray(np.round(MEAN + centred * scale).clip(0, 255).astype("u1"))


def load_photo(name: str) -> Image.Image:
    """Load the RGB photograph of class ``name``.

    Raises:
        InputError: The package with the photograph isn't installed.
    """
    package, path = PHOTOS[name]
    spec = importlib.util.find_spec(package)
    roots = spec.submodule_search_locations if spec is not None else None
    file = Path(roots[0], path) if roots else None
    if file is None or not file.is_file():
        raise InputError(
            f"{package}/{path} isn't installed: pip install scikit-image scikit-learn"
        )
    return Image.open(file).convert("RGB")


def strips(width: int, size: int) -> list[Strip]:
    """Divide a photograph's columns into strips for training and for testing.

    Strips are as narrow as tiles of ``size`` allow (they alternate as often as
    possible), because a photograph's left and right show different things. Testing gets
    two fifths of the width.

    Args:
        width: The photograph's width.
        size: A tile's width; each strip is at least as wide.

    Raises:
        InputError: The photograph is too narrow for such tiles.
    """
    narrowest = (5 * (size + GAP) + 1) // 2
    pairs = width // narrowest
    if pairs == 0:
        raise InputError(f"size={size}: a photograph of {width} columns is too narrow")
    period = width // pairs
    test_width = period * 2 // 5
    result = []
    for left in range(0, pairs * period, period):
        middle = left + period - test_width
        result.append(Strip("train", left, middle - GAP))
        result.append(Strip("test", middle, left + period - GAP))
    return result


def tile_positions(
    photo_size: tuple[int, int], size: int, split: str, count: int, seed: str
) -> Iterator[tuple[int, int]]:
    """Yield the left and top of ``count`` tiles of ``split``, its strips in turn.

    Args:
        photo_size: The photograph's width and height.
        size: Height and width of a tile.
        split: ``train`` or ``test``.
        count: How many tiles.
        seed: The same seed gives the same positions, on every Python.

    Raises:
        InputError: The photograph is too small for such tiles.
    """
    width, height = photo_size
    mine = [strip for strip in strips(width, size) if strip.split == split]
    if height < size:
        raise InputError(f"size={size}: a photograph of {height} rows is too low")
    rng = random.Random(seed)
    for number in range(count):
        strip = mine[number % len(mine)]
        x = strip.left + int(rng.random() * (strip.right - size - strip.left + 1))
        y = int(rng.random() * (height - size + 1))
        yield x, y
