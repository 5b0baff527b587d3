"""Which class is where in an image: annotations' boxes, outlines and masks.

Annotations are of the picture as it is shown, unless they say that it has the sides
that its file stores. What is in front of something larger is what counts there, so
smaller shapes are drawn over larger ones, and all of them over crowds.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients.planes import as_stored
from fiftyone_reue.perturb.class_map import MOST_CLASSES, ClassMap

BACKGROUND = "(background)"
"""The class of an image that shows nothing of any class."""

_TURNED = 5
"""EXIF's orientations from this one on have their sides exchanged."""


class Shape(ABC):
    """Where something is, in the units of what it was drawn on."""

    @property
    @abstractmethod
    def area(self) -> float:
        """How large it is, in square units."""

    @abstractmethod
    def paint(
        self, places: np.ndarray, number: int, scale: tuple[float, float]
    ) -> None:
        """Put a number wherever it is.

        Args:
            places: ``(H, W)`` uint8, changed.
            number: 1 to 255.
            scale: pixels a unit, down and across.
        """

    @abstractmethod
    def identity(self) -> bytes:
        """What it is, in bytes; two that differ in anything have others."""


@dataclass(frozen=True)
class Box(Shape):
    """An upright rectangle: its left and top side, width and height."""

    left: float
    top: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    def paint(
        self, places: np.ndarray, number: int, scale: tuple[float, float]
    ) -> None:
        places[_pixels(self, places.shape, scale)] = number

    def identity(self) -> bytes:
        numbers = [self.left, self.top, self.width, self.height]
        return b"box" + json.dumps(numbers).encode()


@dataclass(frozen=True, eq=False)
class Outline(Shape):
    """Polygons, filled.

    Attributes:
        polygons: of each its corners, ``(n, 2)`` float64, across and down.
    """

    polygons: tuple[np.ndarray, ...]

    @property
    def area(self) -> float:
        return sum(_area(one) for one in self.polygons)

    def paint(
        self, places: np.ndarray, number: int, scale: tuple[float, float]
    ) -> None:
        import cv2  # takes a while, and only some datasets need it

        most = 1 << 20  # OpenCV's integers end not far beyond
        for one in self.polygons:
            corners = np.floor(one * scale[::-1]).clip(-most, most).astype(np.int32)
            cv2.fillPoly(places, [corners], number)

    def identity(self) -> bytes:
        return b"outline" + json.dumps([one.tolist() for one in self.polygons]).encode()


@dataclass(frozen=True, eq=False)
class Runs(Shape):
    """A mask of a whole picture, by the lengths of its runs.

    Attributes:
        counts: ``(n,)`` int64, how many pixels aren't of it, then are, and so on,
            column by column; all of the picture's together.
        height: of the mask.
        width: of the mask.
    """

    counts: np.ndarray
    height: int
    width: int

    @property
    def area(self) -> float:
        return float(self.counts[1::2].sum())

    def paint(
        self, places: np.ndarray, number: int, scale: tuple[float, float]
    ) -> None:
        values = np.arange(len(self.counts)) % 2 == 1
        mask = values.repeat(self.counts).reshape(self.width, self.height).T
        places[stretched(mask, *places.shape)] = number

    def identity(self) -> bytes:
        return b"runs" + json.dumps([self.height, *self.counts.tolist()]).encode()


@dataclass(frozen=True)
class Region:
    """Something of a class.

    Attributes:
        label: its class.
        shape: where it is.
        crowd: whether it stands for many of them, and lies behind all others.
    """

    label: str
    shape: Shape
    crowd: bool = False


class Regions(ABC):
    """What an annotation says of one image."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The classes that are there, sorted."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The class that takes the most of the image, or :data:`BACKGROUND`."""

    @abstractmethod
    def digest(self) -> bytes:
        """32 bytes that are others for other regions or classes."""

    @abstractmethod
    def shown(self, height: int, width: int, orientation: int) -> ClassMap:
        """The map of a picture as it is shown, or stored where it is drawn on that.

        Args:
            height: of the file's stored pixels.
            width: of the file's stored pixels.
            orientation: EXIF's, 1 to 8.
        """

    def on(self, height: int, width: int, orientation: int = 1) -> ClassMap:
        """The map of the pixels that a file stores; see :meth:`shown`.

        Raises:
            UnsupportedImageError: the annotation is of a picture with other sides, or
                of more classes than one image can have.
        """
        if len(self.names) > MOST_CLASSES:
            raise UnsupportedImageError(
                f"it has {len(self.names)} classes, and {MOST_CLASSES} at most can be "
                "told apart in one image; merge some"
            )
        found = self.shown(height, width, orientation)
        if self._is_stored(height, width, orientation):
            return found
        stored = np.ascontiguousarray(as_stored(found.places, orientation))
        return ClassMap(found.names, stored)

    def _is_stored(self, height: int, width: int, orientation: int) -> bool:
        """Whether it was drawn on the stored pixels of a turned picture."""
        return False


@dataclass(frozen=True, eq=False)
class Objects(Regions):
    """Shapes of classes.

    Attributes:
        objects: in any order.
        sides: height and width of what they were drawn on, in pixels; 1 and 1 where
            their numbers are shares of the image; None: the image's own.
    """

    objects: tuple[Region, ...]
    sides: tuple[int, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({one.label for one in self.objects}))

    @property
    def label(self) -> str:
        areas: dict[str, float] = defaultdict(float)
        for one in self.objects:
            areas[one.label] += one.shape.area
        return min(areas, key=lambda name: (-areas[name], name), default=BACKGROUND)

    def digest(self) -> bytes:
        state = hashlib.sha256(json.dumps(self.sides).encode())
        for one in self.objects:
            for part in (one.label.encode(), one.shape.identity(), bytes([one.crowd])):
                state.update(hashlib.sha256(part).digest())
        return state.digest()

    def shown(self, height: int, width: int, orientation: int) -> ClassMap:
        turned = orientation >= _TURNED
        if turned and not self._is_stored(height, width, orientation):
            height, width = width, height
        sides = self.sides or (height, width)
        if sides not in ((1, 1), (height, width)):
            raise UnsupportedImageError(
                f"its annotations are of {sides[1]} x {sides[0]} pixels, and the file "
                f"has {width} x {height}; correct one of them"
            )
        places = np.zeros((height, width), np.uint8)
        scale = height / sides[0], width / sides[1]
        numbers = {name: number for number, name in enumerate(self.names, start=1)}
        for one in sorted(
            self.objects, key=lambda one: (not one.crowd, -one.shape.area)
        ):
            one.shape.paint(places, numbers[one.label], scale)
        return ClassMap(self.names, places)

    def _is_stored(self, height: int, width: int, orientation: int) -> bool:
        turned = orientation >= _TURNED
        return turned and height != width and self.sides == (height, width)


def stretched(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """A mask of other sides, by the nearest pixel."""
    if mask.shape[:2] == (height, width):
        return mask
    rows = np.arange(height) * mask.shape[0] // height
    columns = np.arange(width) * mask.shape[1] // width
    return mask[rows][:, columns]


def _pixels(
    box: Box, sides: tuple[int, ...], scale: tuple[float, float]
) -> tuple[slice, slice]:
    """The pixels that a box touches."""
    if box.width <= 0 or box.height <= 0:
        return slice(0), slice(0)
    spans = []
    for start, length, each, side in (
        (box.top, box.height, scale[0], sides[0]),
        (box.left, box.width, scale[1], sides[1]),
    ):
        first, last = np.floor(start * each), np.ceil((start + length) * each)
        spans.append(slice(int(np.clip(first, 0, side)), int(np.clip(last, 0, side))))
    return spans[0], spans[1]


def _area(corners: np.ndarray) -> float:
    across, down = corners.T
    return abs(float(across @ np.roll(down, 1) - down @ np.roll(across, 1))) / 2
