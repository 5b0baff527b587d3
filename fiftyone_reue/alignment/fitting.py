"""The map that most matches of features agree on, whatever the rest say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fiftyone_reue.alignment import maps

LEAST = 8
"""Matches that must agree. Of unrelated photographs 5 do now and then."""

NEAR = 2.5
"""How far a match may lie from where the map says, in the suspect's pixels."""

_CLOSE = 1.0
_BETTER = 1.1
"""So many times more matches must lie closely where a less simple map says."""

_LEAST_BENT = 20
"""Fewer matches say too little about perspective."""

_TRIES = 4000
_SURE = 0.999


class Fit(NamedTuple):
    """A map, and how many matches agree on it.

    Attributes:
        matrix: from the original to the suspect, see
            :mod:`fiftyone_reue.alignment.maps`.
        agreeing: matches that lie where it says.
    """

    matrix: np.ndarray
    agreeing: int


def fit(ours: np.ndarray, theirs: np.ndarray, height: int, width: int) -> Fit | None:
    """Fit a map to matches of which many may be wrong.

    The simplest one that does: a similarity, else an affine map, else a projective one.

    Args:
        ours: ``(n, 2)`` points of the original.
        theirs: ``(n, 2)`` where they seem to be in the suspect.
        height: of the original.
        width: of the original.

    Returns:
        None if fewer than LEAST agree on any map that a suspect may lie by.
    """
    if len(ours) < LEAST:
        return None
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    best = Fit(np.eye(3), 0)
    closely = 0
    for matrix in _maps(ours, theirs):
        if not maps.is_plausible(matrix, height, width):
            continue
        apart = np.linalg.norm(maps.applied(matrix, ours) - theirs, axis=1)
        agreeing, close = (_places(ours[apart <= far]) for far in (NEAR, _CLOSE))
        if agreeing >= LEAST and close >= _BETTER * closely + 1:
            best, closely = Fit(matrix, agreeing), close
    return best if best.agreeing else None


def _maps(ours: np.ndarray, theirs: np.ndarray) -> Iterator[np.ndarray]:
    """The similarity, the affine and the projective map that most agree on."""
    import cv2

    cv2.setRNGSeed(0)  # the same suspects give the same evidence
    similar, _ = cv2.estimateAffinePartial2D(
        ours,
        theirs,
        method=cv2.RANSAC,
        ransacReprojThreshold=NEAR,
        maxIters=_TRIES,
        confidence=_SURE,
    )
    affine, _ = cv2.estimateAffine2D(
        ours,
        theirs,
        method=cv2.USAC_MAGSAC,
        ransacReprojThreshold=NEAR,
        maxIters=_TRIES,
        confidence=_SURE,
    )
    for found in (similar, affine):
        if found is not None:
            yield np.vstack([found, [0, 0, 1.0]])
    if len(ours) >= _LEAST_BENT:
        bent, _ = cv2.findHomography(
            ours,
            theirs,
            method=cv2.USAC_MAGSAC,
            ransacReprojThreshold=NEAR,
            maxIters=_TRIES,
            confidence=_SURE,
        )
        if bent is not None:
            yield bent


def _places(points: np.ndarray) -> int:
    """How many different places there are; several features may lie on one."""
    return len(np.unique(np.rint(points / 3).astype(np.int64), axis=0))
