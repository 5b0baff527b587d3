"""Where in a suspect an original lies, and what else the suspect shows.

A suspect may show several originals beside one another. What one of them takes up is
left out when the next is looked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fiftyone_reue.alignment import features
from fiftyone_reue.alignment.features import Features

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of a suspect's width and height, 0 to 1."""

LEAST_LEFT = 0.03
"""A suspect that shows nothing else on more than this share of it has no more
originals in it ..."""

_LEAST_SPREAD = 4.0
"""... nor one whose rest is as even as this, as a frame is: a standard deviation, gray
levels."""

_MARGIN = 8
"""What is nearer to an original than so many pixels isn't looked at: the edge of what
it lies on."""

_CLOSED = 24
"""Gaps in an original as narrow as this share of a suspect's shorter side are its."""

LEAST_FEATURES = 16
"""Fewer show no original."""


def footprint(
    matrix: np.ndarray,
    seen: np.ndarray,
    orientation: int,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Where a suspect shows an original.

    Args:
        matrix: the map from the original to the suspect turned by the orientation, see
            :mod:`fiftyone_reue.alignment.maps`.
        seen: ``(H, W)`` bool, what of the original is seen.
        orientation: see :func:`fiftyone_reue.watermark.match.orient`.
        shape: the suspect's height and width, not turned.

    Returns:
        Of that shape, bool.
    """
    import cv2

    height, width = shape[::-1] if orientation % 2 else shape
    lying = cv2.warpPerspective(
        seen.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST
    )
    side = max(3, min(shape) // _CLOSED)
    around = ((side, side), (side, side))
    closed = cv2.morphologyEx(  # padded, or what touches a side would be cut there
        np.pad(np.asarray(lying), around), cv2.MORPH_CLOSE, np.ones((side, side))
    )[side:-side, side:-side]
    turned = np.rot90(closed, -(orientation % 4))
    return np.ascontiguousarray(turned[:, ::-1] if orientation >= 4 else turned) > 0


def box(taken: np.ndarray) -> Box | None:
    """What ``(h, w)`` bool is True in; None where nothing is."""
    rows, columns = np.flatnonzero(taken.any(1)), np.flatnonzero(taken.any(0))
    if not len(rows):
        return None
    height, width = taken.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def features_left(luma: np.ndarray, taken: np.ndarray) -> Features | None:
    """The features of what else a suspect shows.

    Args:
        luma: ``(h, w)`` float32, the suspect's.
        taken: ``(h, w)`` bool, where it shows originals that were found.

    Returns:
        None where there is too little for another original.
    """
    import cv2

    away = cv2.distanceTransform((~taken).astype(np.uint8), cv2.DIST_L2, 3)
    rest = away > _MARGIN
    if rest.mean() < LEAST_LEFT or luma[rest].std() < _LEAST_SPREAD:
        return None
    part, left, top = _around(~taken)
    found = features.find(np.where(taken, luma[rest].mean(), luma)[part])
    if not len(found):
        return None
    points = found.points + np.array([left, top], np.float32)
    height, width = luma.shape
    columns, rows = np.rint(points).astype(np.int64).T
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    free = away[rows, columns] > found.sizes / 2
    if free.sum() < LEAST_FEATURES:
        return None
    return replace(found, points=points).where(free)


def features_around(plain: Features, box: Box, shape: tuple[int, ...]) -> Features:
    """Of a suspect's features those in a box that is half as large again as another.

    Args:
        plain: all of them.
        box: where an original was found.
        shape: the suspect's height and width.
    """
    height, width = shape
    ends = np.array(box).reshape(2, 2) * (width, height)
    reach = (ends[1] - ends[0]) / 4
    inside = (plain.points > ends[0] - reach) & (plain.points < ends[1] + reach)
    return plain.where(inside.all(1))


def _around(shown: np.ndarray) -> tuple[tuple[slice, slice], int, int]:
    """What ``(h, w)`` bool is True in, which is somewhere: rows and columns, and the
    first of these columns and rows."""
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    top, left = int(rows[0]), int(columns[0])
    part = slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)
    return part, left, top
