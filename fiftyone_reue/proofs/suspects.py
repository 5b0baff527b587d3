"""Read a case's suspects themselves, without the originals.

The differences in a case are the owner's word: each is said to be a suspect without its
original. But a mark can be read from most suspects alone, by whoever has the file and
the places of the marks (:mod:`fiftyone_reue.watermark.unaided`). Where that names
somebody too, nothing rests on the originals, nor on who has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fiftyone_reue.alignment import maps
from fiftyone_reue.alignment.resampling import resampled
from fiftyone_reue.media import alpha
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.proofs.contents import file_in, read_difference
from fiftyone_reue.watermark import match, reducing, unaided
from fiftyone_reue.watermark.read import Difference


def difference_of(folder: Path, row: Mapping[str, Any], max_pixels: int) -> Difference:
    """What remains of a suspect without what its surroundings tell.

    Args:
        folder: the case's.
        row: the suspect's, of the evidence's readings.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        Of the shape of the owner's difference, from which nothing but that and what of
        the original is seen is taken.

    Raises:
        ReueError, OSError: a file isn't there, or can't be read.
        ValueError: the case doesn't say how the suspect lies on its original, or the
            picture isn't what it says.
    """
    suspect = row["suspect"]
    place = suspect.get("place")
    if place is None:
        raise ValueError("how a suspect lies on its original isn't said")
    given = read_difference(file_in(folder, row["difference"]), max_pixels)
    luma = match.orient(
        _luma(file_in(folder, suspect["file"]), max_pixels), _turn(place)
    )
    height, width = given.left.shape
    if place["matrix"] is None:
        return Difference(unaided.remains(_resized(luma, height, width)))
    matrix = _matrix(place, height, width)
    laid, covered = resampled(luma, matrix, height, width)
    shown = covered.astype(np.float32)
    if given.shown is not None:
        shown *= (given.shown > 0).astype(np.float32)
    return Difference(unaided.remains(laid) * shown, shown)


def _luma(path: Path, max_pixels: int) -> np.ndarray:
    """As a suspect is compared."""
    raster = load(path, max_pixels=max_pixels, ignore_record=True).raster
    raster = with_range(raster)
    if alpha.hides(raster.samples, raster.colour_channels):
        raise ValueError("a suspect hides something under its alpha channel")
    size = reducing.reduced_size(raster.height, raster.width, reducing.SUSPECTS)
    return reducing.reduced_luma(
        raster.samples, raster.colour_channels, raster.peak, size
    )


def _resized(luma: np.ndarray, height: int, width: int) -> np.ndarray:
    if luma.shape[0] >= height and luma.shape[1] >= width:
        return reducing.averaged(luma, (height, width))
    return match.resize(luma, height, width)


def _turn(place: Mapping[str, Any]) -> int:
    turn = int(place["orientation"])
    if not 0 <= turn < match.ORIENTATIONS:
        raise ValueError("a suspect is turned in no way that there is")
    return turn


def _matrix(place: Mapping[str, Any], height: int, width: int) -> np.ndarray:
    matrix = np.array(place["matrix"], np.float64)
    right = matrix.shape == (3, 3) and all(map(math.isfinite, matrix.ravel()))
    if not right or not maps.is_plausible(matrix, height, width):
        raise ValueError("a suspect lies nowhere")
    return matrix
