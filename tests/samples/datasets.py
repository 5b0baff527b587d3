"""Datasets of tiles of photographs, and what is asked of them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("astronaut", "coffee")
COUNT = 24
SIDE = 40


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).copy()


def write_tiles(photos: dict, folder: Path, count: int, seed: int = 0) -> list[Path]:
    generator = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        photo = photos[name]
        top = generator.integers(photo.shape[0] - SIDE)
        left = generator.integers(photo.shape[1] - SIDE)
        path = folder / name / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[top : top + SIDE, left : left + SIDE]).save(path)
        paths.append(path)
    return paths


def new_dataset(paths: list[Path]) -> Any:
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(path),
                ground_truth=fo.Classification(label=path.parent.name),
                kind=path.parent.name,
            )
            for path in paths
        ],
        progress=False,
    )
    return dataset


def rows_of(dataset: Any, *paths: str) -> list[tuple]:
    return list(zip(*dataset.values(list(paths)), strict=True))
