"""A change of displayed pixels as changes of a file's components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients, Component

_AT_ONCE = 1 << 12
"""Blocks that are computed at once, where all of them would take much memory: a cache
holds what is made of so many."""

_GRAY = {"gray": 1, "ycbcr": 1, "ycck": 1, "rgb": 3, "cmyk": 3}
_COLOUR_PARTS = 1024
# Of luma, blue and red difference, as JFIF has it, in parts of 1024.
_FROM_RGB = ((306, 601, 117), (-173, -339, 512), (512, -429, -83))


def targets(
    coefficients: Coefficients, change: np.ndarray, *, orientation: int = 1
) -> list[np.ndarray | None]:
    """What a change of pixels is in each component's coefficients, before rounding.

    All of it is whole numbers, so the same comes out everywhere.

    Args:
        coefficients: of the file.
        change: (height, width) integers, gray levels that are added to all channels
            alike, or (height, width, 3) to red, green and blue; within ±255. Of CMYK
            and YCCK files to cyan, magenta and yellow as they are stored.
        orientation: EXIF's, 1 to 8; other than 1: `change` is of the picture as it is
            displayed.

    Returns:
        Of each component (rows, columns, 8, 8) int32, coefficients times steps, in
        parts of 64, or None where it doesn't change.

    Raises:
        ValueError: the change's shape isn't the picture's, or its values are too large.
        UnsupportedImageError: a component's resolution doesn't divide the picture's.
    """
    planes = planes_of(coefficients, as_stored(change, orientation))
    return [
        None
        if plane is None
        else wanted_of(plane, shrinking(coefficients, one), (one.rows, one.columns))
        for one, plane in zip(coefficients.components, planes, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Target:
    """What a change is in a component's coefficients, computed where it is asked for.

    Attributes:
        plane: as :func:`wanted_of` takes it.
        by: how much lower the component's resolution is, down and across.
        blocks: how many rows and columns of blocks it has.
    """

    plane: np.ndarray
    by: tuple[int, int]
    blocks: tuple[int, int]

    def any(self) -> bool:
        """Whether anything may be wanted."""
        return bool(self.plane.any())

    def rows(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Some rows of blocks after the other, and (rows, columns, 8, 8) int32."""
        for there in some_rows(*self.blocks):
            yield there, self._rows(there)

    def chosen(self, mask: np.ndarray) -> np.ndarray:
        """Of some blocks, (rows, columns) bool: (n, 8, 8) int32, row by row."""
        found = [np.empty((0, 8, 8), np.int32)]
        for there in some_rows(*self.blocks):
            if mask[there].any():
                found.append(self._rows(there)[mask[there]])
        return np.concatenate(found)

    def _rows(self, there: slice) -> np.ndarray:
        size = there.stop - there.start, self.blocks[1]
        return wanted_of(self.plane, self.by, size, there.start)


def some_rows(rows: int, columns: int) -> Iterator[slice]:
    """All rows of blocks, a few at a time."""
    step = max(1, _AT_ONCE // max(1, columns))
    for first in range(0, rows, step):
        yield slice(first, min(first + step, rows))


def planes_of(
    coefficients: Coefficients, change: np.ndarray
) -> list[np.ndarray | None]:
    """What a change of pixels is in each component's samples, at full resolution.

    Args:
        coefficients: of the file.
        change: as for :func:`targets`, of the picture as it is stored.

    Returns:
        For :func:`wanted_of`, or None where a component doesn't change.

    Raises:
        ValueError: as :func:`targets`.
    """
    if change.shape[:2] != (coefficients.height, coefficients.width):
        raise ValueError(f"a change of {change.shape} isn't of this picture")
    if change.size and max(int(change.max()), -int(change.min())) > 255:
        raise ValueError("the change is larger than 255")
    return _planes(coefficients, change)


def as_stored(change: np.ndarray, orientation: int) -> np.ndarray:
    """A displayed picture turned to how the file stores it.

    Args:
        change: (height, width, ...), as displayed.
        orientation: EXIF's, 1 to 8.

    Raises:
        ValueError: there is no such orientation.
    """
    if not 1 <= orientation <= 8:
        raise ValueError(f"orientation {orientation} isn't one of 1 to 8")
    turned = change.swapaxes(0, 1) if orientation >= 5 else change
    # Which of the stored axes run against the displayed ones.
    if orientation in (3, 4, 6, 7):
        turned = turned[::-1]
    if orientation in (2, 3, 7, 8):
        turned = turned[:, ::-1]
    return turned


def shrinking(coefficients: Coefficients, component: Component) -> tuple[int, int]:
    """By how much a component's resolution is lower, down and across.

    Raises:
        UnsupportedImageError: it isn't by a whole number.
    """
    highest = max(one.v for one in coefficients.components)
    widest = max(one.h for one in coefficients.components)
    if highest % component.v or widest % component.h:
        raise UnsupportedImageError(
            "the JPEG has components whose resolutions don't divide each other; "
            "re-save it"
        )
    return highest // component.v, widest // component.h


def has_whole_luma(coefficients: Coefficients) -> bool:
    """Whether the first component is a luma of the picture's own resolution."""
    if coefficients.colour not in ("gray", "ycbcr", "ycck"):
        return False
    return shrinking(coefficients, coefficients.components[0]) == (1, 1)


def gray_count(coefficients: Coefficients) -> int:
    """How many components, the first ones, a gray change is in: luma, or three."""
    return _GRAY[coefficients.colour]


def has_whole_gray(coefficients: Coefficients) -> bool:
    """Whether these components are all of the picture's own resolution."""
    return all(
        shrinking(coefficients, one) == (1, 1)
        for one in coefficients.components[: gray_count(coefficients)]
    )


def require_gray(coefficients: Coefficients) -> None:
    """Make sure that :func:`targets` takes a gray change of this picture.

    Raises:
        UnsupportedImageError: a component's resolution doesn't divide the picture's.
    """
    for one in coefficients.components[: gray_count(coefficients)]:
        shrinking(coefficients, one)


def _planes(coefficients: Coefficients, change: np.ndarray) -> list[np.ndarray | None]:
    """Of each component its change in the picture's resolution.

    Returns:
        (height, width) int8 or int16; int32 times :data:`_COLOUR_PARTS` where colours
        are mixed.
    """
    count, colour = len(coefficients.components), coefficients.colour
    gray = gray_count(coefficients)
    small = change if change.dtype == np.int8 else change.astype(np.int16)
    if change.ndim == 2:
        return [small if i < gray else None for i in range(count)]
    if change.ndim != 3 or change.shape[2] != 3 or colour == "gray":
        raise ValueError(f"a change of {change.shape} doesn't fit a {colour} picture")
    channels = [small[..., i] for i in range(3)]
    if colour not in ("rgb", "cmyk"):
        red, green, blue = (channel.astype(np.int32) for channel in channels)
        channels = [r * red + g * green + b * blue for r, g, b in _FROM_RGB]
    return [plane if plane.any() else None for plane in channels] + [None] * (count - 3)


def wanted_of(
    plane: np.ndarray, by: tuple[int, int], blocks: tuple[int, int], first: int = 0
) -> np.ndarray:
    """What a change is in a component's coefficients, in some of its rows of blocks.

    Args:
        plane: as :func:`planes_of` gives, or (height, width) int8 of whole blocks.
        by: how much lower the component's resolution is, down and across.
        blocks: how many rows and columns of blocks.
        first: the first row.

    Returns:
        (*blocks, 8, 8) int32, coefficients times steps, in parts of 64.
    """
    parts = _COLOUR_PARTS if plane.dtype == np.int32 else 1
    high = 8 * by[0]
    lines = plane[high * first : high * (first + blocks[0])]
    return library.wanted(lines, by, blocks, parts)
