"""Classes for images that have no labels: clusters of images that look alike.

The perturbation is made class by class, but what the classes are is up to the owner.
Images are described by what any model picks up first (layout, colour, edges), and
k-means (Lloyd; mini-batch k-means of Sculley, WWW 2010, for many images) groups them.

Whoever keeps the :class:`Clusters` can tell the class of images that come later: that
of the nearest centre.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fiftyone_reue.arrays import read_arrays
from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import shown
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.square import to_square
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.config import MOST_CLUSTERS

MAX_FIT_IMAGES = 20_000
"""More images than this are sampled for finding the centres."""

MINI_BATCH_FROM = 5_000
"""From so many images on, k-means takes them in batches."""

_MOST_BYTES = 16 << 20
_BATCH = 4096  # smaller ones leave clusters of a few images
_SIDE = 32
_ORIENTATIONS = 8
_BLOCKS = (16 * 16, 8 * 8 * 2, 4 * 4 * _ORIENTATIONS)
_LEAST_SPREAD = 0.002
"""A part of the descriptor that varies less is rounding (the colour of gray images)."""


@dataclass(frozen=True)
class Clusters:
    """Where the clusters lie among the descriptors.

    Attributes:
        mean: ``(D,)`` float32, taken off a descriptor.
        scale: ``(D,)`` float32, what it is divided by then.
        centres: ``(count, D)`` float32, of descriptors so standardised.
    """

    mean: np.ndarray
    scale: np.ndarray
    centres: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names: cluster-00, cluster-01 ..."""
        count = len(self.centres)
        width = max(2, len(str(count - 1)))
        return tuple(f"cluster-{number:0{width}}" for number in range(count))

    def nearest(self, descriptors: np.ndarray) -> list[str]:
        """The names of the clusters that ``(N, D)`` descriptors belong to."""
        points = (descriptors - self.mean) / self.scale
        squares = (self.centres**2).sum(axis=1)
        nearest = (squares - 2 * points @ self.centres.T).argmin(axis=1)
        names = self.names
        return [names[index] for index in nearest]

    def to_bytes(self) -> bytes:
        """As bytes, for sealing: an arrangement of thumbnails is no public matter."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, mean=self.mean, scale=self.scale, centres=self.centres
        )
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> Clusters:
        """What :meth:`to_bytes` was called on."""
        stored = read_arrays(data, _MOST_BYTES)
        return Clusters(stored["mean"], stored["scale"], stored["centres"])


def cluster_items(
    items: Sequence[Item],
    count: int,
    *,
    known: Clusters | None = None,
    seed: int = 0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, tuple[list[Item], Clusters]]:
    """Replace the items' labels by clusters.

    Args:
        items: images; labels they have are ignored.
        count: how many clusters, 2 to 1000.
        known: clusters found before, to sort the items into; None finds new ones.
        seed: of the sampling and of k-means.
        max_pixels: larger images are refused before they are decoded.

    Yields:
        Progress.

    Returns:
        The items in their order, and the clusters. An image that can't be read is
        put with one that can: whoever reads it next reports it.

    Raises:
        InputError: the count is out of range; or, to find new ones, there are too few
            images that can be read, or too few that differ.
    """
    check_count(count)
    labels: dict[str, str] = {}
    rest: Sequence[Item] = items
    behind = 0
    if known is None:
        check_enough(count, len(items))
        chosen = _sample(items, seed)
        outcome = Outcome()
        seen: list[_Described] = []
        for done in pipeline.run(chosen, _reader(max_pixels), seen.extend, outcome):
            yield _progress(done, len(items))
        if not seen:
            reasons = pipeline.first_failures(outcome.failures)
            raise InputError(
                f"None of the images can be read, so there are no clusters\n{reasons}"
            )
        check_enough(count, len(seen))
        known = find_clusters(np.stack([one.values for one in seen]), count, seed)
        labels = _labels(seen, known)
        taken = {item.sample_id for item in chosen}
        rest = [item for item in items if item.sample_id not in taken]
        behind = len(chosen)
    clusters = known

    def sort(batch: list[_Described]) -> None:
        labels.update(_labels(batch, clusters))

    for done in pipeline.run(rest, _reader(max_pixels), sort, Outcome()):
        yield _progress(behind + done, len(items))
    unread = next(iter(labels.values()), clusters.names[0])
    clustered = [
        replace(item, label=labels.get(item.sample_id, unread)) for item in items
    ]
    return clustered, clusters


def find_clusters(descriptors: np.ndarray, count: int, seed: int) -> Clusters:
    """Find clusters among descriptors with k-means.

    Args:
        descriptors: ``(N, D)`` float32, see :func:`describe`.
        count: how many clusters.
        seed: of k-means.

    Raises:
        InputError: there are fewer different descriptors than clusters.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    mean = descriptors.mean(axis=0)
    scale = _scale(descriptors - mean)
    points = (descriptors - mean) / scale
    many = len(points) >= MINI_BATCH_FROM
    options = {"n_clusters": count, "n_init": 4, "random_state": seed}
    exact = KMeans(**options)
    batches = MiniBatchKMeans(**options, batch_size=_BATCH)
    for means in (batches, exact) if many else (exact,):  # batches may miss a cluster
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told of below
            means.fit(points)
        clusters = Clusters(mean, scale, means.cluster_centers_.astype(np.float32))
        different = len(set(clusters.nearest(descriptors)))
        if different == count:
            return clusters
    raise InputError(
        f"Only {different} of {count} clusters have an image, the images being too "
        "alike; choose fewer clusters"
    )


def check_count(count: int) -> None:
    """Raise InputError for a number of clusters that can't be."""
    if not 2 <= count <= MOST_CLUSTERS:
        raise InputError(
            f"{count} can't be the number of clusters; choose 2 to {MOST_CLUSTERS}"
        )


def check_enough(count: int, images: int) -> None:
    """Raise InputError for fewer images than clusters."""
    if images < count:
        raise InputError(
            f"{count} clusters need at least {count} images that can be read, and "
            f"there are {images}; choose fewer clusters"
        )


def describe(image: np.ndarray) -> np.ndarray:
    """Describe what an image looks like.

    Args:
        image: ``(32, 32, 3)`` uint8.

    Returns:
        ``(512,)`` float32: luma on 16 x 16 cells, chroma on 8 x 8, and how strong the
        edges of 8 orientations are in 4 x 4 cells.
    """
    red, green, blue = np.moveaxis(image.astype(np.float32) / 255, 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = np.stack([blue - luma, red - luma])
    down, right = np.gradient(luma)
    turn = np.arctan2(down, right) % np.pi / np.pi * _ORIENTATIONS
    nearest = np.round(turn).astype(np.int64) % _ORIENTATIONS
    edges = np.hypot(down, right) * (nearest == np.arange(_ORIENTATIONS)[:, None, None])
    parts = (_pooled(luma[None], 16), _pooled(chroma, 8), _pooled(edges, 4))
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def _pooled(planes: np.ndarray, cells: int) -> np.ndarray:
    """Means of ``(n, 32, 32)`` planes over ``cells`` x ``cells`` cells."""
    step = _SIDE // cells
    return planes.reshape(-1, cells, step, cells, step).mean(axis=(2, 4))


def _scale(centred: np.ndarray) -> np.ndarray:
    """What makes the descriptor's three parts weigh the same, however long they are."""
    parts = np.split(centred, np.cumsum(_BLOCKS)[:-1], axis=1)
    spreads = [max(float(np.sqrt((p**2).mean())), _LEAST_SPREAD) for p in parts]
    sizes = np.sqrt(_BLOCKS)
    return np.repeat(np.array(spreads) * sizes, _BLOCKS).astype(np.float32)


@dataclass(frozen=True)
class _Described:
    sample_id: str
    values: np.ndarray

    @property
    def size(self) -> int:
        return self.values.nbytes


def _reader(max_pixels: int) -> Callable[[Item], _Described]:
    def read(item: Item) -> _Described:
        raster = load(item.path, name=item.sample_id, max_pixels=max_pixels).raster
        square = to_square(shown(raster), raster.colour_channels, _SIDE)
        return _Described(item.sample_id, describe(square))

    return read


def _sample(items: Sequence[Item], seed: int) -> list[Item]:
    if len(items) <= MAX_FIT_IMAGES:
        return list(items)
    generator = np.random.default_rng(seed)
    chosen = generator.choice(len(items), MAX_FIT_IMAGES, replace=False)
    return [items[index] for index in np.sort(chosen)]


def _labels(seen: Sequence[_Described], clusters: Clusters) -> dict[str, str]:
    names = clusters.nearest(np.stack([one.values for one in seen]))
    return {one.sample_id: name for one, name in zip(seen, names, strict=True)}


def _progress(done: int, count: int) -> Progress:
    return Progress(done / count, f"Sorting into clusters: {done} of {count}")
