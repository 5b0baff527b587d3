"""Find where a suspect lies on an original: by features, then by the picture itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiftyone_reue.alignment import agreement, features, maps
from fiftyone_reue.alignment.features import Features
from fiftyone_reue.alignment.fitting import fit
from fiftyone_reue.alignment.refinement import refined
from fiftyone_reue.alignment.resampling import resampled

LEAST_SEEN = 0.02
"""A suspect that shows less than this share of an original isn't aligned with it."""

HALVINGS = 2
"""A suspect that shows a whole original, but for a few pixels at its sides, is looked
for from so many halvings on."""


_SAMPLES = 40_000
"""Pixels that a drift is estimated from."""


@dataclass(frozen=True)
class Aligned:
    """A suspect on its original's pixels.

    Attributes:
        matrix: where it lies, see :mod:`fiftyone_reue.alignment.maps`.
        luma: ``(H, W)`` float32; 0 where it shows nothing.
        covered: ``(H, W)`` bool, where it shows anything.
        proof: see :func:`fiftyone_reue.alignment.agreement.proof`; of the original.
    """

    matrix: np.ndarray
    luma: np.ndarray
    covered: np.ndarray
    proof: float


def by_features(
    suspect: np.ndarray, original: np.ndarray, theirs: Features, ours: Features
) -> Aligned | None:
    """Align a suspect that may be a part, turned, seen at an angle or drawn over.

    Args:
        suspect: ``(h, w)`` float32 luma, mirrored as the original is.
        original: ``(H, W)`` float32 luma.
        theirs: the suspect's features.
        ours: the original's.

    Returns:
        None if too few features agree on any place.
    """
    pairs = features.matches(ours, theirs)
    height, width = original.shape
    found = fit(ours.points[pairs[:, 0]], theirs.points[pairs[:, 1]], height, width)
    if found is None:
        return None
    start = _placed(found.matrix, suspect, original)
    if start is None:
        return None
    better = _refined(start, suspect, original, coarser=0)
    return better if better is not None and better.proof >= start.proof else start


def from_whole(suspect: np.ndarray, original: np.ndarray) -> Aligned | None:
    """Align a suspect that shows all of its original but for a few pixels at its sides.

    Args:
        suspect: ``(h, w)`` float32 luma, turned and mirrored as the original is.
        original: ``(H, W)`` float32 luma.

    Returns:
        None if there is no place nearby where the two fit.
    """
    matrix = refined(
        maps.stretched(original.shape, suspect.shape),
        suspect,
        original,
        coarser=HALVINGS,
    )
    return None if matrix is None else _placed(matrix, suspect, original)


def from_window(
    suspect: np.ndarray, original: np.ndarray, place: tuple[float, float, float]
) -> Aligned | None:
    """Align a suspect that shows about a known part of its original.

    Args:
        suspect: ``(h, w)`` float32 luma, mirrored as the original is.
        original: ``(H, W)`` float32 luma.
        place: see :func:`fiftyone_reue.alignment.maps.window`.

    Returns:
        None if there is no place nearby where the two fit.
    """
    start = maps.window(original.shape, suspect.shape, place)
    matrix = refined(start, suspect, original)
    return None if matrix is None else _placed(matrix, suspect, original)


def drift(luma: np.ndarray, original: np.ndarray) -> float:
    """How far a suspect seems to lie from where it should.

    One step of Gauss and Newton towards the affine map by which it fits better: about
    right up to a pixel or two, and large beyond.

    Args:
        luma: ``(H, W)`` float32, on the original's pixels.
        original: ``(H, W)`` float32 luma.

    Returns:
        The root mean square over the image, in pixels; 0 where nothing tells.
    """
    import cv2

    theirs, ours = (cv2.GaussianBlur(one, (0, 0), 1.0) for one in (luma, original))
    down, across = np.gradient(ours)
    height, width = original.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    step = max(1, int((original.size / _SAMPLES) ** 0.5))
    each = (slice(None, None, step), slice(None, None, step))
    moves = [across, across * x, across * y, down, down * x, down * y]
    known = [*moves, ours - ours.mean(), np.ones_like(ours)]
    columns = np.stack([one[each].ravel() for one in known], 1).astype(np.float64)
    aim = (theirs - theirs.mean())[each].ravel().astype(np.float64)
    scale = np.sqrt(np.square(columns).mean(axis=0))
    scale[scale < 1e-3] = np.inf  # flat: no move would be seen
    solved = np.linalg.lstsq(columns / scale, aim, rcond=1e-4)[0] / scale
    gain = max(float(solved[6]), 0.2)
    # The mean squares of x and y are 1/3.
    squares = np.square(solved[:6] / gain) @ np.array([1, 1 / 3, 1 / 3] * 2)
    return float(np.sqrt(squares))


def _refined(
    start: Aligned, suspect: np.ndarray, original: np.ndarray, *, coarser: int
) -> Aligned | None:
    there = agreement.seen(start.luma, original, start.covered)
    matrix = refined(start.matrix, suspect, original, seen=there, coarser=coarser)
    return None if matrix is None else _placed(matrix, suspect, original)


def _placed(
    matrix: np.ndarray, suspect: np.ndarray, original: np.ndarray
) -> Aligned | None:
    luma, covered = resampled(suspect, matrix, *original.shape)
    if covered.mean() < LEAST_SEEN:
        return None
    return Aligned(matrix, luma, covered, agreement.proof(luma, original, covered))
