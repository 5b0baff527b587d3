"""An image folder with a folder for each class, for benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fiftyone_reue.auditing.budgets import Budget
from fiftyone_reue.auditing.grid import HeldOut
from fiftyone_reue.auditing.holdings import Holdings
from fiftyone_reue.auditing.split import split
from fiftyone_reue.batch.folders import labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.sampling import suitable_size
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.square import to_square


def read_folder(
    folder: Path, budget: Budget
) -> tuple[Holdings, HeldOut, tuple[str, ...]]:
    """The budget's number of images, split into stolen, clean and test ones."""
    items = labelled_items(folder)
    classes = tuple(sorted({item.label or "" for item in items}))
    labels = np.array([classes.index(item.label or "") for item in items], np.int64)
    parts = split(
        labels, train=budget.train, clean=budget.clean, test=budget.test, seed=0
    )
    size = suitable_size(items)

    def images(places: np.ndarray) -> np.ndarray:
        return _squares([items[place] for place in places], size)

    originals = images(parts.train)
    holdings = Holdings(
        originals,
        labels[parts.train],
        len(classes),
        originals,
        images(parts.clean),
        labels[parts.clean],
    )
    return holdings, HeldOut(images(parts.test), labels[parts.test]), classes


def _squares(items: list[Item], size: int) -> np.ndarray:
    squares = []
    for item in items:
        raster = load(item.path).raster
        squares.append(to_square(raster.samples, raster.colour_channels, size))
    return np.stack(squares)
