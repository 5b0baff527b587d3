"""Find originals by their local features."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fiftyone_reue.alignment import features
from fiftyone_reue.alignment.features import Features
from fiftyone_reue.alignment.store import (
    WIDTH,
    Alone,
    FeatureStore,
    packed,
    unpacked,
)
from fiftyone_reue.errors import MissingPackageError, OutputError

KEPT = 100
"""Features that are kept of an original, the strongest ones."""

ASKED = 300
"""Features of a suspect that originals are looked for by."""

NEIGHBOURS = 6
"""How many of the nearest features are looked at for each of a suspect's."""

LEAST_SHARE = 0.05
"""Originals with less than this share of the likeliest one's votes aren't likely."""

COMPARED = 30_000
"""Up to so many features all are compared; of more, those in the nearest cells."""

CELLS, MOST_CELLS = 1024, 16384
"""Into how many they are divided, few and very many."""

IN_A_CELL = 256
"""So many features a cell holds in the mean, between these: what is looked into takes
the most time."""

PROBED = 8
"""Cells that are looked into, of all."""

OUTGROWN = 4
"""An index with fewer cells than there should be by this is made anew."""

_TAUGHT = 40
"""So many features a cell tell where the cells lie."""

_BATCH = 256
_ADDED = 40_000


class Likely(NamedTuple):
    """An original of which a suspect may show a part.

    Attributes:
        image_id: which.
        ways: which of the suspect and its mirror image may show it.
        votes: how much its features speak for it, in no unit.
    """

    image_id: str
    ways: list[int]
    votes: float


@dataclass(frozen=True)
class Looked:
    """What was found in an original.

    Attributes:
        image_id: which.
        descriptors: ``(n, 128)`` float32 of length 1, n at most KEPT; None if it isn't
            there any more.
    """

    image_id: str
    descriptors: np.ndarray | None

    @property
    def size(self) -> int:
        """Bytes held."""
        return 0 if self.descriptors is None else self.descriptors.nbytes


class FeatureIndex:
    """All originals' features. Usable from threads.

    What its folder holds isn't looked for again. The rest is looked for when it is
    first asked, or before that, with :meth:`missing`, :meth:`look` and :meth:`add`.

    Args:
        image_ids: gives N ids; asked when they are first needed.
        luma: gives an original's luma; None if it isn't there any more.
        folder: where to keep it.
        alone: see :class:`fiftyone_reue.alignment.store.FeatureStore`.

    Attributes:
        gone: originals that were looked for and aren't there.
    """

    def __init__(
        self,
        image_ids: Callable[[], list[str]],
        luma: Callable[[str], np.ndarray | None],
        folder: Path,
        alone: Alone = nullcontext,
    ) -> None:
        self._alone = alone
        self._image_ids = image_ids
        self._luma = luma
        self._folder = folder
        self._lock = threading.Lock()
        self._store: FeatureStore | None = None
        self.gone: set[str] = set()
        self._complete: bool | None = None
        self._built: _Built | None = None
        self._features = functools.lru_cache(maxsize=64)(self._found)

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._image_ids())

    def __len__(self) -> int:
        """Of how many originals features are kept.

        Raises:
            OutputError: the folder can't be made or read.
        """
        with self._lock, self._kept():
            return len(self._opened().image_ids)

    def of(self, image_id: str) -> Features:
        """An original's features, all of them."""
        return self._features(image_id)

    def nearest(self, suspects: list[Features], count: int) -> list[Likely]:
        """Originals of which a suspect may show a part, likeliest first.

        Args:
            suspects: its features, and those of its mirror image.
            count: how many at most.

        Returns:
            What far fewer features speak for than for the likeliest is left out.
        """
        built = self._asked()
        votes = np.zeros((len(suspects), len(built.image_ids)))
        for place, one in enumerate(suspects):
            if len(one) and len(built.owners):
                votes[place] = built.votes(one.descriptors[:ASKED])
        known = self._known
        most, least = votes.max(axis=0, initial=0), 0.0
        found: list[Likely] = []
        for place in np.argsort(-most, kind="stable"):
            image_id = built.image_ids[place]
            if len(found) == count or most[place] <= least:
                break
            if image_id in known:
                least = max(least, LEAST_SHARE * most[place])
                ways = np.flatnonzero(votes[:, place] > least).tolist()
                found.append(Likely(image_id, ways, float(most[place])))
        return found

    def missing(self) -> list[str]:
        """Originals that weren't looked at yet, in order.

        Those that :meth:`look` didn't find aren't among them: one that is gone may be
        back next time.

        Raises:
            OutputError: the folder can't be made or read.
        """
        with self._lock, self._kept():
            store = self._opened()
            unseen = (one for one in self._known if one not in store)
            return sorted(one for one in unseen if one not in self.gone)

    @property
    def is_complete(self) -> bool:
        """Whether all originals were looked at that are there."""
        if self._complete is None:
            self._complete = not self.missing()
        return self._complete

    def look(self, image_id: str) -> Looked:
        """Look at one original; nothing is kept of it yet."""
        luma = self._luma(image_id)
        found = None if luma is None else features.find(luma, KEPT).descriptors
        return Looked(image_id, found)

    def add(self, looked: Iterable[Looked]) -> None:
        """Keep what was found.

        Raises:
            OutputError: it can't be written.
        """
        found = []
        for one in looked:
            if one.descriptors is None:
                self.gone.add(one.image_id)
            else:
                found.append((one.image_id, one.descriptors))
        with self._lock, self._kept():
            self._opened().add(found)
            self._built = self._complete = None

    def _asked(self) -> _Built:
        """What is asked, with what was missing."""
        missing = [] if self._built else self.missing()
        for start in range(0, len(missing), _BATCH):
            self.add([self.look(one) for one in missing[start : start + _BATCH]])
        with self._lock, self._kept():
            if self._built is None:
                self._built = _Built(self._opened(), self._folder)
            return self._built

    def _opened(self) -> FeatureStore:
        if self._store is None:
            self._store = FeatureStore(self._folder, self._alone)
        return self._store

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"Originals' features can't be kept in {self._folder}: "
                f"{error.strerror}; check the permissions and the free space"
            ) from error

    def _found(self, image_id: str) -> Features:
        luma = self._luma(image_id)
        if luma is None:
            return features.find(np.zeros((1, 1), np.float32))
        return features.find(luma)


class _Built:
    """What is asked: a few features in full, many in cells."""

    def __init__(self, store: FeatureStore, folder: Path) -> None:
        self.image_ids = list(store.image_ids)
        self.owners = store.owners
        rows = store.rows
        self._cells = _cells(rows, folder) if len(rows) > COMPARED else None
        self._all = unpacked(rows) if self._cells is None else None

    def votes(self, descriptors: np.ndarray) -> np.ndarray:
        """Each feature votes for the original of the nearest, by how much nearer that
        is than the nearest of another original.

        Args:
            descriptors: ``(n, 128)`` float32 of length 1.

        Returns:
            ``(N,)`` float64, an original's votes each.
        """
        count = min(NEIGHBOURS, len(self.owners))
        if self._all is not None:
            alike = descriptors @ self._all.T
            rows = np.argpartition(-alike, count - 1, axis=1)[:, :count]
            alike = np.take_along_axis(alike, rows, 1)
            order = np.argsort(-alike, axis=1, kind="stable")
            rows = np.take_along_axis(rows, order, 1)
            apart = np.sqrt((2 - 2 * np.take_along_axis(alike, order, 1)).clip(0))
        else:
            assert self._cells is not None
            asked = unpacked(packed(descriptors))
            squares, rows = self._cells.search(asked, count)
            apart = np.sqrt(squares.clip(0, 4))
        owners = np.where(rows >= 0, self.owners[rows], -1)
        other = owners != owners[:, :1]
        others = np.where(other, apart, apart[:, -1:]).min(axis=1)
        gain = (others - apart[:, 0]).clip(0)
        kept = owners[:, 0] >= 0
        return np.bincount(owners[kept, 0], gain[kept], len(self.image_ids))


def _cells(rows: np.ndarray, folder: Path) -> Any:
    """faiss's index of many rows, kept in the folder, brought up to date."""
    try:
        import faiss
    except ImportError as error:
        raise MissingPackageError(
            "To look for parts among this many originals takes faiss, which isn't "
            "installed: pip install faiss-cpu"
        ) from error
    path = folder / "features.faiss"
    index: Any = _mapped(path)
    wanted = cells_for(len(rows))
    if (
        index is None
        or index.ntotal > len(rows)  # damaged, or of other rows
        or index.nlist * OUTGROWN <= wanted
    ):
        index = _taught(rows, wanted)
    elif index.ntotal < len(rows):
        index = faiss.read_index(str(path))  # what is mapped can't be added to
    if index.ntotal < len(rows):
        for start in range(index.ntotal, len(rows), _ADDED):
            index.add(unpacked(rows[start : start + _ADDED]))
        temporary = path.with_suffix(".reue-tmp")
        faiss.write_index(index, str(temporary))
        temporary.replace(path)
        index = _mapped(path)
    index.nprobe = PROBED
    return index


def _mapped(path: Path) -> Any:
    """An index on disk, of which what is looked at is read; None if there is none."""
    import faiss

    if not path.exists():
        return None
    try:
        found = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    except RuntimeError:
        return None
    return found if found.d == WIDTH and hasattr(found, "nlist") else None


def cells_for(rows: int) -> int:
    """Into how many cells so many features are divided: a power of two."""
    wanted = 1 << round(math.log2(max(1, rows / IN_A_CELL)))
    return min(max(wanted, CELLS), MOST_CELLS)


def _taught(rows: np.ndarray, cells: int) -> Any:
    """An index with the cells that some rows fall into, and none of the rows."""
    import faiss

    quantizer = faiss.IndexFlatL2(WIDTH)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, WIDTH, cells, faiss.ScalarQuantizer.QT_8bit
    )
    draw = np.random.default_rng(0)
    some = np.sort(draw.permutation(len(rows))[: _TAUGHT * cells])
    index.train(unpacked(rows[some]))
    return index
