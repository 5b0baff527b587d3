"""Read a case's suspects themselves, without the originals.

The differences in a case are the owner's word: each is said to be a suspect without its
original. But a mark can be read from most whole suspects alone, by whoever has the file
and the places of the marks (:mod:`fiftyone_reue.watermark.unaided`). Where that names
somebody too, that they are named rests on no original, nor on who has them.

Whoever writes a case knows the codes, and might choose by them how a suspect is read.
So nothing is chosen but whether it is read, which original it is of, how it is turned
and the mark's grid, and the bound is multiplied by the number of these ways for each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fiftyone_reue.media import alpha
from fiftyone_reue.media.codec import load, most_pixels
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.proofs import contents
from fiftyone_reue.proofs.contents import file_in
from fiftyone_reue.watermark import match, reducing, unaided
from fiftyone_reue.watermark.patterns import LARGEST_GRID, SMALLEST_SIDE
from fiftyone_reue.watermark.read import Difference

GRIDS = [
    1 << power
    for power in range(SMALLEST_SIDE.bit_length() - 1, LARGEST_GRID.bit_length())
]

MOST = 200
"""So many suspects are read at most: a few say enough."""

MOST_READ = 55_000_000
"""Pixels of a suspect that are read unless somebody asks for more; of a PNG file they
take 1 GB."""


def log_ways(images: int) -> float:
    """In how many ways a suspect may be read or not, as a natural logarithm.

    Args:
        images: of how many originals it may be said to be one.
    """
    return math.log(1 + images * match.ORIENTATIONS * len(GRIDS))


def difference_of(folder: Path, row: Mapping[str, Any], max_pixels: int) -> Difference:
    """What remains of a suspect without what its surroundings tell.

    Args:
        folder: the case's.
        row: the suspect's, of the evidence's readings.
        max_pixels: larger pictures are refused before they are decoded; by default
            those of more than MOST_READ.

    Raises:
        ReueError, OSError: the file isn't there, or can't be read.
        ValueError: the suspect doesn't show all of its original, hides something under
            an alpha channel, is of a form that no original has, or is said to be read
            in a way that there isn't.
    """
    suspect = row["suspect"]
    turned, grid = suspect.get("turned"), suspect.get("grid")
    if turned is None:
        raise ValueError("it doesn't show the whole of its original")
    if turned not in range(match.ORIENTATIONS) or grid not in GRIDS:
        raise ValueError("there is no such way to read it")
    path = file_in(folder, suspect["file"])
    most = most_pixels(path.stat().st_size, max_pixels)
    if max_pixels == DEFAULT_MAX_PIXELS:
        most = min(most, MOST_READ)
    raster = load(path, max_pixels=most, ignore_record=True, any_kind=True).raster
    raster = with_range(raster)
    samples, colours = raster.samples, raster.colour_channels
    if alpha.hides(samples, colours):
        raise ValueError("it hides something under its alpha channel")
    size = reducing.reduced_size(raster.height, raster.width, reducing.ORIGINALS)
    luma = reducing.reduced_luma(samples, colours, raster.peak, size)
    luma = match.orient(luma, turned)
    height, width = _fitted(luma.shape, grid)
    if height * width > contents.MOST_READ:  # a line of pixels, made as wide as a grid
        raise ValueError("it is far too long")
    return Difference(unaided.remains(match.resize(luma, height, width)))


def _fitted(shape: tuple[int, ...], grid: int) -> tuple[int, int]:
    """A suspect's own size, or the nearest of its form that has the grid."""
    shorter = min(shape)
    most = 2 * grid - 1 if grid < LARGEST_GRID else shorter
    scale = max(grid, min(shorter, most)) / shorter
    height, width = (max(grid, round(side * scale)) for side in shape)
    return height, width
