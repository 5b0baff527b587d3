"""CIFAR-10 for benchmarks, from torchvision's folder or from strips in zip archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_reue.auditing.budgets import Budget
from fiftyone_reue.auditing.grid import HeldOut
from fiftyone_reue.auditing.holdings import Holdings

FOLDERS = (Path("../shared/data"), Path("shared/data"), Path("~/.cache/cifar10"))

Images = tuple[np.ndarray, np.ndarray]


def read_cifar10(
    folder: Path | None, budget: Budget
) -> tuple[Holdings, HeldOut, tuple[str, ...]]:
    """The budget's number of images, evenly over the classes.

    Args:
        folder: with ``cifar10_*.zip``, or torchvision's; by default the first of
            :data:`FOLDERS` with such archives, else torchvision downloads into the
            last one.
        budget: how many.
    """
    folders = [folder] if folder else list(FOLDERS)
    archives = next((f for f in folders if list(f.glob("cifar10_?.zip"))), None)
    if archives is not None:
        train, test, classes = _from_archives(archives)
    else:
        train, test, classes = _from_torchvision(folders[-1].expanduser())
    wanted = min(budget.train + budget.clean, len(train[0]))
    chosen = _even(train[1], wanted)
    clean = min(budget.clean, wanted // 5)
    stolen, held = chosen[: wanted - clean], chosen[wanted - clean :]
    tested = _even(test[1], min(budget.test, len(test[0])))
    originals = train[0][stolen]
    holdings = Holdings(
        originals, train[1][stolen], 10, originals, train[0][held], train[1][held]
    )
    return holdings, HeldOut(test[0][tested], test[1][tested]), classes


def _even(labels: np.ndarray, count: int) -> np.ndarray:
    """The first indices, so that any stretch of them has all classes evenly."""
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.lexsort((labels, rank))[:count]


def _from_torchvision(folder: Path) -> tuple[Images, Images, tuple[str, ...]]:
    from torchvision.datasets import CIFAR10

    parts = [CIFAR10(str(folder), train=t, download=True) for t in (True, False)]
    train, test = ((part.data, np.array(part.targets, np.int64)) for part in parts)
    return train, test, tuple(parts[0].classes)


def _from_archives(folder: Path) -> tuple[Images, Images, tuple[str, ...]]:
    """Lossless WebP strips of 100 images, and ``meta.npz`` with the labels."""
    archives = [zipfile.ZipFile(path) for path in sorted(folder.glob("cifar10_?.zip"))]
    where = {name: archive for archive in archives for name in archive.namelist()}
    meta = np.load(io.BytesIO(where["meta.npz"].read("meta.npz")))
    parts = []
    for part in ("train", "test"):
        names = sorted(n for n in where if n.startswith(f"{part}/"))
        strips = [_strip(where[name].read(name)) for name in names]
        images = np.concatenate(strips)
        # An archive alone holds the first strips: labels are in the strips' order.
        first = int(Path(names[0]).stem) * 100
        labels = meta[f"y_{part}"][first : first + len(images)].astype(np.int64)
        parts.append((images[: len(labels)], labels))
    return parts[0], parts[1], tuple(str(name) for name in meta["classes"])


def _strip(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image).reshape(-1, 32, 32, 3)
