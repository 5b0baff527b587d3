"""How all originals of a vault look as a whole, kept so that tracing begins at once.

The ledger's rows are read and checked one by one, which takes minutes for a million.
What an index needs of them is therefore kept in a file, under a MAC of the vault, with
the sum that the ledger's sealed list had of the images then. As long as it has the same
sum, the file is as good as the rows; where it has another, only rows that the file
doesn't know are read. Whoever can't open the vault can't make such a file, and one that
is edited is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fiftyone_reue.errors import OutputError
from fiftyone_reue.vault.entities import Image
from fiftyone_reue.vault.ledger.authenticated import AuthenticatedLedger
from fiftyone_reue.vault.ledger.inventory import Sum
from fiftyone_reue.vault.ledger.rows import pages
from fiftyone_reue.vault.private_files import write_private_parts
from fiftyone_reue.watermark import match
from fiftyone_reue.watermark.match import Descriptors

FILE = "originals.overview"

SMALL = 96
"""Originals of fewer pixels a side have too few features for their parts to be found by
them; where a part lies is looked for all over."""

_MAGIC = b"reUEovw1"
_HEAD = struct.Struct(">8sQQQ40s")
_MAC = 32
_PAGE = 512
_LEAST_KNOWN = 1 / 2
"""Where less than this share of the rows is known, all are read."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is kept of N originals, in the order of their ids.

    Attributes:
        all: how they look.
        macs: ``(N, 32)`` uint8, those of the ledger's rows.
        small: ``(N,)`` bool, whether a side is shorter than SMALL.
    """

    all: Descriptors
    macs: np.ndarray
    small: np.ndarray


class Overview:
    """All originals of a vault as a whole; read when they are first asked for.

    Usable from threads.

    Args:
        ledger: the vault's.
        folder: where the file is kept; made when there is something to keep.
        key: 32 bytes, for its MAC.
    """

    def __init__(self, ledger: AuthenticatedLedger, folder: Path, key: bytes) -> None:
        self._ledger = ledger
        self._path = folder / FILE
        self._key = key
        self._lock = threading.Lock()
        self._known: tuple[_Rows, match.Index] | None = None

    @property
    def index(self) -> match.Index:
        """Of all of them."""
        return self._read()[1]

    @property
    def has_small(self) -> bool:
        """Whether any is smaller than SMALL."""
        return bool(self._read()[0].small.any())

    def __bool__(self) -> bool:
        """Whether there is any that is as it was; else what is wrong is noted."""
        return any(True for _ in self._ledger.images())

    def ids(self) -> list[str]:
        """Of all, in order."""
        return [one.decode() for one in self._read()[0].all.ids]

    def small(self, candidates: Iterable[match.Candidate]) -> dict[str, bytes]:
        """The descriptors of those that are smaller than SMALL, by id."""
        rows = self._read()[0]
        return {
            one.image_id: rows.all.plain[one.row].tobytes()
            for one in candidates
            if rows.small[one.row]
        }

    def _read(self) -> tuple[_Rows, match.Index]:
        with self._lock:
            if self._known is None:
                rows = self._rows()
                self._known = rows, match.Index(rows.all)
            return self._known

    def _rows(self) -> _Rows:
        expected = self._ledger.images_expected()
        if expected is None:
            return _of(self._ledger.images())
        kept = _opened(self._path, self._key)
        if kept is not None and kept[1] == expected:
            return kept[0]
        rows = None if kept is None else self._brought_up_to_date(kept[0])
        if rows is None or self._sum(rows) != expected:
            # What is wrong with the rows, if anything is, is noted on the way.
            rows = _of(self._ledger.images())
            if self._sum(rows) != expected:
                return rows
        with contextlib.suppress(OSError, OutputError):  # it is only slower without
            _keep(self._path, self._key, rows, expected)
        return rows

    def _brought_up_to_date(self, kept: _Rows) -> _Rows | None:
        """With what is new and without what is gone; None if little is known."""
        names: list[bytes] = []
        macs = bytearray()
        for name, mac in self._ledger.image_macs():
            names.append(name.encode())
            macs += mac
            if len(names) * _MAC != len(macs):
                return None  # one that isn't ours
        ids = np.array(names, bytes)
        rows = np.frombuffer(macs, np.uint8).reshape(-1, _MAC)
        if not len(kept.all.ids):
            return None
        place = np.searchsorted(kept.all.ids, ids).clip(max=len(kept.all.ids) - 1)
        same = (kept.all.ids[place] == ids) & (kept.macs[place] == rows).all(axis=1)
        if same.sum() < _LEAST_KNOWN * len(ids):
            return None
        new = [one.decode() for one in ids[~same]]
        images = [
            image
            for page in pages(new, _PAGE)
            for image in self._ledger.find_images(page)
        ]
        return _merged(kept, np.sort(place[same]), _of(images))

    def _sum(self, rows: _Rows) -> Sum:
        return self._ledger.images_sum(one.tobytes() for one in rows.macs)


def _of(images: Iterable[Image]) -> _Rows:
    ids: list[str] = []
    macs, small = bytearray(), bytearray()

    def entries() -> Iterator[bytes]:
        for image in images:
            ids.append(image.id)
            macs.extend(image.mac)
            small.append(min(image.height, image.width) < SMALL)
            yield image.descriptor

    found = Descriptors.of(ids, entries())
    return _Rows(
        found,
        np.frombuffer(macs, np.uint8).reshape(-1, _MAC),
        np.frombuffer(small, bool),
    )


def _merged(kept: _Rows, same: np.ndarray, new: _Rows) -> _Rows:
    """Some rows of one, and all of another, in the order of their ids.

    Args:
        kept: which some are of.
        same: ``(n,)`` int64, their places, rising.
        new: with other ids.
    """
    ids = np.concatenate([kept.all.ids[same], new.all.ids])
    order = np.argsort(ids, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))

    def joined(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        return np.concatenate([ours[same], theirs])[order]

    still = np.isin(kept.all.with_alpha, same)
    with_alpha = np.concatenate(
        [
            place[np.searchsorted(same, kept.all.with_alpha[still])],
            place[len(same) + new.all.with_alpha],
        ]
    )
    laid = np.concatenate([kept.all.laid[still], new.all.laid])
    rising = np.argsort(with_alpha, kind="stable")
    found = Descriptors(
        ids[order],
        joined(kept.all.plain, new.all.plain),
        joined(kept.all.lengths, new.all.lengths),
        with_alpha[rising],
        laid[rising],
    )
    return _Rows(found, joined(kept.macs, new.macs), joined(kept.small, new.small))


def _layout(
    width: int, count: int, with_alpha: int
) -> list[tuple[str, tuple[int, ...]]]:
    """Types and shapes of the arrays of a file, one after the other."""
    size = match.SIDE * match.SIDE
    return [
        (f"S{width}", (count,)),
        ("u1", (count, size)),
        ("<f4", (count,)),
        ("<i8", (with_alpha,)),
        ("u1", (with_alpha, 2 * size)),
        ("u1", (count, _MAC)),
        ("?", (count,)),
    ]


def _keep(path: Path, key: bytes, rows: _Rows, total: Sum) -> None:
    """Write the file, whole or not at all.

    Raises:
        OSError: there is no folder for it.
        OutputError: it can't be written.
    """
    every = rows.all
    arrays = (every.ids, every.plain, every.lengths, every.with_alpha, every.laid)
    sizes = every.ids.dtype.itemsize, len(every.ids), len(every.with_alpha)
    layout = _layout(*sizes)
    parts = [
        np.ascontiguousarray(one, kind).reshape(-1).view(np.uint8).data
        for one, (kind, _) in zip((*arrays, rows.macs, rows.small), layout, strict=True)
    ]
    head = _HEAD.pack(_MAGIC, *sizes, total.to_bytes())
    mac = hashlib.blake2b(head, key=key, digest_size=_MAC)
    for part in parts:
        mac.update(part)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_parts(path, [head + mac.digest(), *parts], overwrite=True)


def _opened(path: Path, key: bytes) -> tuple[_Rows, Sum] | None:
    """What a file holds, mapped, and the sum that it is for; None if it isn't whole."""
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError):  # there is none, or it is empty
        return None
    begin = _HEAD.size + _MAC
    if len(data) < begin:
        return None
    head = data[: _HEAD.size].tobytes()
    magic, width, count, with_alpha, total = _HEAD.unpack(head)
    if magic != _MAGIC or max(width, count, with_alpha) > len(data):
        return None
    layout = _layout(width, count, with_alpha)
    sizes = [np.dtype(kind).itemsize * int(np.prod(s)) for kind, s in layout]
    if begin + sum(sizes) != len(data):
        return None
    mac = hashlib.blake2b(head, key=key, digest_size=_MAC)
    mac.update(data[begin:].data)
    if not hmac.compare_digest(mac.digest(), data[_HEAD.size : begin].tobytes()):
        return None
    arrays = []
    for (kind, shape), size in zip(layout, sizes, strict=True):
        arrays.append(data[begin : begin + size].view(kind).reshape(shape))
        begin += size
    *every, macs, small = arrays
    return _Rows(Descriptors(*every), macs, small), Sum.from_bytes(total)
