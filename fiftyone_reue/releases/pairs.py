"""A release's images beside their originals, at the size that networks work at."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError, NoRecordError, named
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import stretched
from fiftyone_reue.media.square import to_square
from fiftyone_reue.releases.originals import Originals
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault


@dataclass(frozen=True)
class Pairs:
    """Protected images and their originals.

    Attributes:
        release_id: the release that all of them are of.
        items: the images, in the order of the arrays.
        originals: ``(N, S, S, 3)`` uint8.
        protected: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64, indices into ``classes``.
        classes: the class names, sorted.
        outcome: counts and failures.
    """

    release_id: str
    items: list[Item]
    originals: np.ndarray
    protected: np.ndarray
    labels: np.ndarray
    classes: list[str]
    outcome: Outcome


@dataclass(frozen=True)
class Pair:
    """One protected image and its original, ``(S, S, 3)`` uint8 each."""

    item: Item
    release: str
    original: np.ndarray
    protected: np.ndarray

    @property
    def size(self) -> int:
        """Bytes held."""
        return 2 * self.original.nbytes


def stream_pairs(
    vault: Vault,
    items: Sequence[Item],
    use: Callable[[list[Pair]], None],
    outcome: Outcome,
    *,
    size: int,
    max_pixels: int,
) -> Generator[int, None, None]:
    """Read protected files, and take their originals from them and the vault.

    Args:
        vault: the owner's.
        items: protected files, with labels.
        use: called with some pairs at a time.
        outcome: is given counts and failures.
        size: S, pixels.
        max_pixels: larger images are refused before they are decoded.

    Yields:
        How many items are done.

    Raises:
        InputError: an item without a class.
    """
    unlabelled = [item.sample_id for item in items if item.label is None]
    if unlabelled:
        raise InputError(
            f"{unlabelled[0]}: has no class; give the release's folder, which has a "
            "folder for each class"
        )
    originals = Originals(vault)

    def read(item: Item) -> Pair:
        loaded = load(item.path, name=item.sample_id, max_pixels=max_pixels)
        if loaded.record is None:
            raise NoRecordError(
                f"{item.sample_id}: not a protected file of this vault (no record)"
            )
        with named(item.sample_id):
            header = records.unpack(loaded.record).header
            if header.tier != "protected":
                raise InputError(
                    "this is a licensed copy, which is meant to be learned"
                )
        raster = loaded.raster
        original = originals.original(raster, loaded.record, item.sample_id)
        colours = raster.colour_channels
        peak = raster.peak if header.peak is None else header.peak
        squares = (
            to_square(stretched(samples, peak, colours), colours, size)
            for samples in (original.samples, raster.samples)
        )
        return Pair(item, header.release, *squares)

    yield from pipeline.run(items, read, use, outcome)


def read_pairs(
    vault: Vault, items: Sequence[Item], *, size: int, max_pixels: int
) -> Generator[int, None, Pairs]:
    """All of :func:`stream_pairs` at once, of one release.

    Raises:
        InputError: also if no image can be used, or they are of several releases.
    """
    outcome = Outcome()
    pairs: list[Pair] = []
    yield from stream_pairs(
        vault, items, pairs.extend, outcome, size=size, max_pixels=max_pixels
    )
    if not pairs:
        reasons = pipeline.first_failures(outcome.failures)
        raise InputError(f"None of the images can be measured\n{reasons}")
    releases = {pair.release for pair in pairs}
    if len(releases) > 1:
        raise InputError(
            f"The images are of {len(releases)} releases; measure one release at a time"
        )
    names = [pair.item.label or "" for pair in pairs]
    classes = sorted(set(names))
    index = {name: number for number, name in enumerate(classes)}
    return Pairs(
        release_id=releases.pop(),
        items=[pair.item for pair in pairs],
        originals=np.stack([pair.original for pair in pairs]),
        protected=np.stack([pair.protected for pair in pairs]),
        labels=np.array([index[name] for name in names], np.int64),
        classes=classes,
        outcome=outcome,
    )
