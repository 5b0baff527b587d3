"""A change of displayed pixels as changes of a file's components."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients, Component
from fiftyone_reue.media.jpeg_coefficients.transform import forward

_COLOUR_BITS = 10
# Of luma, blue and red difference, as JFIF has it, in parts of 1024.
_FROM_RGB = np.array([[306, 601, 117], [-173, -339, 512], [512, -429, -83]])


def targets(
    coefficients: Coefficients, change: np.ndarray, *, orientation: int = 1
) -> list[np.ndarray | None]:
    """What a change of pixels is in each component's coefficients, before rounding.

    Integers alone are computed with until the end, so the same comes out everywhere.

    Args:
        coefficients: of the file.
        change: (height, width) integers, gray levels that are added to all channels
            alike, or (height, width, 3) to red, green and blue; within ±255. Of CMYK
            and YCCK files to cyan, magenta and yellow as they are stored.
        orientation: EXIF's, 1 to 8; other than 1: `change` is of the picture as it is
            displayed.

    Returns:
        Of each component (rows, columns, 8, 8) float64, coefficients times steps, or
        None where it doesn't change.

    Raises:
        ValueError: the change's shape isn't the picture's, or its values are too large.
        UnsupportedImageError: a component's resolution doesn't divide the picture's.
    """
    stored = as_stored(change, orientation)
    if stored.shape[:2] != (coefficients.height, coefficients.width):
        raise ValueError(f"a change of {change.shape} isn't of this picture")
    if stored.size and max(int(stored.max()), -int(stored.min())) > 255:
        raise ValueError("the change is larger than 255")
    planes = _planes(coefficients, stored)
    return [
        None if plane is None else _target(coefficients, one, plane)
        for one, plane in zip(coefficients.components, planes, strict=True)
    ]


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


def _planes(coefficients: Coefficients, change: np.ndarray) -> list[np.ndarray | None]:
    """Of each component its change in the picture's resolution, times 1024."""
    count, colour = len(coefficients.components), coefficients.colour
    whole = change.astype(np.int64) << _COLOUR_BITS
    if change.ndim == 2:
        changed = {"gray": 1, "ycbcr": 1, "ycck": 1, "rgb": 3, "cmyk": 3}[colour]
        return [whole if i < changed else None for i in range(count)]
    if change.ndim != 3 or change.shape[2] != 3 or colour == "gray":
        raise ValueError(f"a change of {change.shape} doesn't fit a {colour} picture")
    if colour in ("rgb", "cmyk"):
        planes = [whole[..., i] for i in range(3)]
    else:
        mixed = change.astype(np.int64) @ _FROM_RGB.T
        planes = [mixed[..., i] for i in range(3)]
    return [plane if plane.any() else None for plane in planes] + [None] * (count - 3)


def _target(
    coefficients: Coefficients, component: Component, plane: np.ndarray
) -> np.ndarray:
    down, across = shrinking(coefficients, component)
    rows, columns = component.rows, component.columns
    height, width = 8 * rows * down, 8 * columns * across
    # What isn't displayed goes on as the edge does, which costs the least.
    filled = np.pad(
        plane,
        ((0, max(height - plane.shape[0], 0)), (0, max(width - plane.shape[1], 0))),
        mode="edge",
    )[:height, :width]
    small = filled.reshape(8 * rows, down, 8 * columns, across).sum((1, 3))
    blocks = small.reshape(rows, 8, columns, 8).swapaxes(1, 2)
    return forward(blocks) / (down * across << _COLOUR_BITS)
