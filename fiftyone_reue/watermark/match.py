"""Find a suspect's original by how it looks.

A descriptor is the luma averaged over 16 by 16 areas. It outlives re-compression,
resizing and colour changes, not crops or rotations. The choice never looks at a
code, so it costs the evidence nothing.

An image with an alpha channel may have been laid on a background of any colour since,
so that two more descriptors are kept of it, on black and on white: on any flat
background it looks like a sum of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fiftyone_reue.media import alpha
from fiftyone_reue.watermark import read

SIDE = 16

FLAT = 2.0
"""A descriptor of less contrast than this, in gray levels, says little."""

_ROWS = 256

ORIENTATIONS = 8
"""Four quarter turns, each plain and mirrored."""

_AT_ONCE = 1 << 14
"""So many descriptors are floats at a time: 16 MiB."""


def descriptor(luma: np.ndarray) -> bytes:
    """The descriptor of an image.

    Args:
        luma: ``(H, W)`` float32 in [0, 255].

    Returns:
        SIDE * SIDE bytes.
    """
    return _packed(_averaged(luma, SIDE, SIDE))


def _averaged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means of areas of ``(H, W)`` float32, across and then down."""
    small = Image.fromarray(values).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small)


def _packed(small: np.ndarray) -> bytes:
    return np.round(small).clip(0, 255).astype(np.uint8).tobytes()


def descriptors_of(samples: np.ndarray, colours: int, peak: int | None) -> bytes:
    """What an index keeps of an original.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        colours: how many leading channels are colour.
        peak: the largest value of the data's range; None: the samples' type's.

    Returns:
        The descriptor; of an image with an alpha channel that hides something also
        those on black and on white, one after the other.
    """
    hides = alpha.hides(samples, colours)
    narrow = np.empty((3 if hides else 1, len(samples), SIDE), np.float32)
    # A few rows at a time: what is made of all at once takes more than the samples.
    for start in range(0, len(samples), _ROWS):
        some = samples[start : start + _ROWS]
        lumas = [read.luma(some, colours, peak)]
        if hides:
            lumas += _laid(lumas[0], alpha.share(some, colours))
        for made, luma in zip(narrow, lumas, strict=True):
            made[start : start + _ROWS] = _averaged(luma, len(some), SIDE)
    return b"".join(_packed(_averaged(one, SIDE, SIDE)) for one in narrow)


def _laid(luma: np.ndarray, opacity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A luma on black and on white."""
    black = luma * opacity
    return black, black + 255 * (1 - opacity)


def orient(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an ``(H, W, ...)`` array; 0 leaves it, 4 to 7 mirror it first.

    Args:
        samples: the array.
        orientation: 0..7.
    """
    mirrored = samples[:, ::-1] if orientation >= 4 else samples
    return np.ascontiguousarray(np.rot90(mirrored, orientation % 4))


def resize(samples: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring an ``(H, W)`` float32 luma to another size; the same one is kept."""
    if samples.shape == (height, width):
        return samples
    resized = Image.fromarray(samples).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


@dataclass(frozen=True)
class Candidate:
    """A possible original.

    Attributes:
        image_id: which.
        orientation: how the suspect must be turned (see :func:`orient`).
        distance: between the descriptors without brightness and contrast, 0 to 2; of
            an image with alpha, on the background that fits best.
        row: its place in the index.
    """

    image_id: str
    orientation: int
    distance: float
    row: int


@dataclass(frozen=True, eq=False)
class Descriptors:
    """How N originals look as a whole, in arrays, which may be mapped from a file.

    Attributes:
        ids: ``(N,)`` ASCII byte strings, in order.
        plain: ``(N, SIDE * SIDE)`` uint8, descriptors with alpha dropped.
        lengths: ``(N,)`` float32, those of the descriptors less their means.
        with_alpha: ``(M,)`` int64, rows of images with an alpha channel.
        laid: ``(M, 2 * SIDE * SIDE)`` uint8, their descriptors on black and on white.
    """

    ids: np.ndarray
    plain: np.ndarray
    lengths: np.ndarray
    with_alpha: np.ndarray
    laid: np.ndarray

    @classmethod
    def of(cls, image_ids: Iterable[str], entries: Iterable[bytes]) -> Descriptors:
        """Of ids and of byte strings from :func:`descriptors_of`, in the same order."""
        size = SIDE * SIDE
        plain, laid, with_alpha = bytearray(), bytearray(), []
        for row, entry in enumerate(entries):
            plain += entry[:size]
            if len(entry) == 3 * size:
                with_alpha.append(row)
                laid += entry[size:]
        cells = np.frombuffer(plain, np.uint8).reshape(-1, size)
        return cls(
            np.array([one.encode() for one in image_ids], bytes),
            cells,
            _contrasts(cells),
            np.array(with_alpha, np.int64),
            np.frombuffer(laid, np.uint8).reshape(-1, 2 * size),
        )


class Index:
    """Finds originals among many.

    Args:
        originals: theirs.
    """

    def __init__(self, originals: Descriptors) -> None:
        self._all = originals
        self._scales = originals.lengths + np.float32(FLAT * SIDE)
        self._norms = np.square(originals.lengths / self._scales)
        self._planes = _planes(originals.laid.reshape(-1, 2, SIDE * SIDE))

    def __len__(self) -> int:
        return len(self._all.ids)

    def nearest(self, luma: np.ndarray, count: int = 5) -> list[Candidate]:
        """The originals that a suspect looks most like, nearest first.

        Args:
            luma: ``(H, W)`` float32 of the suspect.
            count: how many at most.
        """
        if not len(self):
            return []
        query = np.frombuffer(descriptor(luma), np.uint8).reshape(SIDE, SIDE)
        turned = _normalise(
            np.stack(
                [orient(query, o).ravel() for o in range(ORIENTATIONS)],
                dtype=np.float32,
            )
        )
        own = np.einsum("ij,ij->i", turned, turned)
        squared = self._norms[None] + own[:, None] - 2 * self._likeness(turned)
        self._consider_backgrounds(squared, turned, own)
        flat = squared.ravel()
        most = min(4 * count, flat.size)
        some = np.argpartition(flat, most - 1)[:most]
        found: dict[str, Candidate] = {}
        for index in some[np.lexsort((some, flat[some]))]:
            orientation, row = divmod(int(index), len(self))
            distance = float(np.sqrt(max(squared[orientation, row], 0.0)))
            name = self._all.ids[row].decode()
            found.setdefault(name, Candidate(name, orientation, distance, row))
        return list(found.values())[:count]

    def _likeness(self, turned: np.ndarray) -> np.ndarray:
        """``(ORIENTATIONS, N)`` products with all normalised descriptors.

        What is centred has the same products with what isn't.
        """
        found = np.empty((len(turned), len(self)), np.float32)
        for start in range(0, len(self), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            found[:, some] = turned @ _floats(self._all.plain[some]).T
        found /= self._scales
        return found

    def _consider_backgrounds(
        self, squared: np.ndarray, turned: np.ndarray, own: np.ndarray
    ) -> None:
        """Lower the distances to images with alpha that fit better on a background.

        Args:
            squared: ``(ORIENTATIONS, N)`` squared distances, changed in place.
            turned: ``(ORIENTATIONS, SIDE * SIDE)`` the query, normalised.
            own: ``(ORIENTATIONS,)`` its squared lengths.
        """
        rows = self._all.with_alpha
        if not len(rows):
            return
        along = np.square(turned @ self._planes[0].T)
        along += np.square(turned @ self._planes[1].T)
        # To the nearest vector of length 1 that is a sum of the two.
        laid = 1 + own[:, None] - 2 * np.sqrt(along)
        squared[:, rows] = np.minimum(squared[:, rows], laid)


TEXTURED = 4.0
"""A descriptor of this contrast or more, in gray levels, tells originals apart."""


def likeness(luma: np.ndarray, entry: bytes) -> float:
    """How much a suspect looks like an original all over, brightness aside.

    Args:
        luma: ``(H, W)`` float32 of the suspect, turned as the original is.
        entry: what :func:`descriptors_of` gave of the original.

    Returns:
        The correlation, 1 for the same picture; 0 where either is so even that it says
        nothing. Of 3,000 photographs no two come over 0.93; of copies, saved as JPEG-10
        or half as large, the least is 0.98.
    """
    size = SIDE * SIDE
    pair = np.stack(
        [np.frombuffer(one[:size], np.uint8) for one in (descriptor(luma), entry)]
    ).astype(np.float64)
    pair -= pair.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.square(pair).sum(axis=1))
    if lengths.min() < TEXTURED * SIDE:
        return 0.0
    return float(pair[0] @ pair[1] / lengths.prod())


SHORTEST, LONGEST = 10, 15
"""Cells a side that a part is looked for at: from two fifths of an image's area on."""


@dataclass(frozen=True)
class Part:
    """A place in an original that a suspect may show.

    Attributes:
        image_id: which original.
        orientation: 0, or 4 for a suspect that must be mirrored.
        top: the first row of cells, of SIDE.
        left: the first column.
        cells: how many both ways.
        likeness: how well the two correlate, at most 1.
    """

    image_id: str
    orientation: int
    top: int
    left: int
    cells: int
    likeness: float


def parts(
    luma: np.ndarray, originals: Mapping[str, bytes], count: int = 5
) -> list[Part]:
    """The places in originals that a suspect looks most like, likeliest first.

    For originals of few pixels, in which there are no local features to find.

    Args:
        luma: ``(H, W)`` float32 of the suspect.
        originals: :func:`descriptors_of` by id; each takes some 50 us.
        count: how many at most, each of another original.
    """
    if not originals:
        return []
    cells = _cells(originals)
    best = np.full(len(cells), -1.0, np.float32)
    places = np.zeros((len(cells), 4), np.int64)  # orientation, top, left, side
    for orientation in (0, 4):
        view = Image.fromarray(orient(luma, orientation))
        for side in range(SHORTEST, LONGEST + 1):
            small = view.resize((side, side), Image.Resampling.BOX)
            wanted = _level(np.asarray(small).reshape(1, -1))[0]
            for top in range(SIDE - side + 1):
                for left in range(SIDE - side + 1):
                    window = cells[:, top : top + side, left : left + side]
                    alike = _level(window.reshape(len(cells), -1)) @ wanted
                    better = alike > best
                    best[better] = alike[better]
                    places[better] = orientation, top, left, side
    ids = list(originals)
    order = np.argsort(-best, kind="stable")[:count]
    found = []
    for one in order:
        orientation, top, left, side = (int(value) for value in places[one])
        found.append(Part(ids[one], orientation, top, left, side, float(best[one])))
    return found


def _floats(plain: np.ndarray) -> np.ndarray:
    """Descriptors as float32, about 0, so that little is lost in sums."""
    return plain.astype(np.float32) - np.float32(128)


def _contrasts(plain: np.ndarray) -> np.ndarray:
    """``(N,)`` float32, the lengths of ``(N, SIDE * SIDE)`` less their means."""
    found = np.empty(len(plain), np.float32)
    for start in range(0, len(plain), _AT_ONCE):
        vectors = _floats(plain[start : start + _AT_ONCE])
        centred = vectors - vectors.mean(axis=1, keepdims=True)
        found[start : start + _AT_ONCE] = _lengths(centred)
    return found


def _cells(originals: Mapping[str, bytes]) -> np.ndarray:
    """``(N, SIDE, SIDE)`` float32, alpha dropped."""
    size = SIDE * SIDE
    raw = b"".join(one[:size] for one in originals.values())
    cells = np.frombuffer(raw, np.uint8).reshape(-1, SIDE, SIDE)
    return cells.astype(np.float32)


def _level(vectors: np.ndarray) -> np.ndarray:
    """Without brightness and contrast; flat ones stay near nothing."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    flat = FLAT * np.float32(vectors.shape[1]) ** 0.5
    return centred / (_lengths(centred) + flat)[:, None]


def _normalise(vectors: np.ndarray) -> np.ndarray:
    """Take off brightness and contrast; flat images stay near nothing."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    normal = centred / (_lengths(centred) + FLAT * SIDE)[:, None]
    return normal - normal.mean(axis=1, keepdims=True)


def _planes(laid: np.ndarray) -> np.ndarray:
    """What images look like on any flat background, brightness and contrast aside.

    Args:
        laid: ``(M, 2, SIDE * SIDE)`` uint8 descriptors, on black and on white.

    Returns:
        ``(2, M, SIDE * SIDE)`` float32: each image's silhouette, and what else is to
        be seen of it, at right angles and of length 1, or 0 where flat.
    """
    vectors = laid.astype(np.float32)
    centred = vectors - vectors.mean(axis=2, keepdims=True)
    black, white = centred[:, 0], centred[:, 1]
    silhouette = _directions(white - black)
    shared = np.einsum("ij,ij->i", silhouette, black)
    return np.stack([silhouette, _directions(black - shared[:, None] * silhouette)])


def _directions(vectors: np.ndarray) -> np.ndarray:
    lengths = _lengths(vectors)
    textured = (lengths > FLAT * SIDE)[:, None]
    return np.divide(
        vectors, lengths[:, None], out=np.zeros_like(vectors), where=textured
    )


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
