"""Detections and Segmentation fields as regions of classes."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_reue.batch.regions import (
    BACKGROUND,
    Box,
    Objects,
    Region,
    Regions,
    Shape,
    stretched,
)
from fiftyone_reue.errors import UnreadableImageError
from fiftyone_reue.media import packing
from fiftyone_reue.perturb.class_map import MOST_CLASSES, ClassMap
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.several_labels import BOXES, MASK, list_of

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc

_LEVEL = 3
_PAGE = 64
"""So many samples' masks are in memory at a time."""

_RIGHT_ANGLE = 5  # EXIF's orientations from this one on have their sides exchanged


@dataclass(frozen=True, eq=False)
class Mask:
    """A picture of whole numbers, in memory in few bytes or in a file.

    Attributes:
        path: the file; None: ``packed``.
        packed: its zstd-packed bytes.
        shape: of these, height and width first.
        kind: the type of its numbers.
        problem: why it couldn't be read; then there is nothing else.
    """

    path: str | None = None
    packed: bytes = b""
    shape: tuple[int, ...] = ()
    kind: str = "uint8"
    problem: str = ""

    def __reduce__(self) -> tuple[type[Mask], tuple[Any, ...]]:
        """To another process go its numbers: reading its file takes FiftyOne, which
        would start a database there."""
        held: Mask | None = self
        if self.path is not None:
            try:
                held = Mask.of(self.read(), None)
            except UnreadableImageError as error:
                held = Mask(problem=str(error))
        assert held is not None
        return Mask, (None, held.packed, held.shape, held.kind, held.problem)

    @classmethod
    def of(cls, mask: np.ndarray | None, path: str | None) -> Mask | None:
        """What a label has; None where it has neither."""
        if mask is not None:
            array = np.ascontiguousarray(mask)
            packed = packing.pack(array.tobytes(), _LEVEL)
            return cls(None, packed, array.shape, array.dtype.str)
        return None if path is None else cls(path)

    def read(self) -> np.ndarray:
        """``(h, w)`` or, of colours, ``(h, w, 3)``.

        Raises:
            UnreadableImageError: its file can't be read.
        """
        if self.problem:
            raise UnreadableImageError(self.problem)
        if self.path is None:
            size = int(np.prod(self.shape)) * np.dtype(self.kind).itemsize
            raw = packing.unpack(self.packed, size)
            return np.frombuffer(raw, self.kind).reshape(self.shape)
        import fiftyone as fo

        try:
            found = fo.Segmentation(mask_path=self.path).get_mask()
        except Exception as error:  # whatever a decoder raises
            found, why = None, f": {error}"
        else:
            why = ""
        if found is None or found.ndim not in (2, 3) or not found.size:
            raise UnreadableImageError(
                f"its mask {self.path} can't be read{why}; check the file"
            )
        return found

    def digest(self) -> bytes:
        """32 bytes that are others for another mask."""
        found = self.read()
        about = json.dumps([found.shape, found.dtype.str]).encode()
        return hashlib.sha256(about + found.tobytes()).digest()


@dataclass(frozen=True, eq=False)
class Cutout(Shape):
    """A mask within a box, whose numbers are shares of the image."""

    box: Box
    mask: Mask

    @property
    def area(self) -> float:
        there = self.mask.read() != 0
        return self.box.area * float(there.mean())

    def paint(
        self, places: np.ndarray, number: int, scale: tuple[float, float]
    ) -> None:
        top, left = round(self.box.top * scale[0]), round(self.box.left * scale[1])
        height = max(1, round(self.box.height * scale[0]))
        width = max(1, round(self.box.width * scale[1]))
        there = stretched(_flat(self.mask.read()) != 0, height, width)
        above, before = max(0, -top), max(0, -left)
        place = places[max(0, top) : top + height, max(0, left) : left + width]
        rows, columns = place.shape
        seen = there[above : above + rows, before : before + columns]
        place[seen] = number

    def identity(self) -> bytes:
        return b"cutout" + self.box.identity() + self.mask.digest()


@dataclass(frozen=True, eq=False)
class Segmented(Regions):
    """A mask whose numbers, or colours, are classes; 0 and black are none.

    Attributes:
        mask: it.
        targets: classes by number; what isn't among them is called by its number.
    """

    mask: Mask
    targets: Mapping[int, str]

    @functools.cached_property
    def _counts(self) -> dict[str, int]:
        """How many pixels each class has."""
        numbers, counts = np.unique(_flat(self.mask.read()), return_counts=True)
        found: dict[str, int] = {}
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if number:
                name = self.targets.get(number, str(number))
                found[name] = found.get(name, 0) + count
        return found

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._counts))

    @property
    def label(self) -> str:
        sizes = self._counts
        return min(sizes, key=lambda name: (-sizes[name], name), default=BACKGROUND)

    def digest(self) -> bytes:
        names = json.dumps(sorted(self.targets.items())).encode()
        return hashlib.sha256(self.mask.digest() + names).digest()

    def shown(self, height: int, width: int, orientation: int) -> ClassMap:
        if orientation >= _RIGHT_ANGLE:
            height, width = width, height
        found = stretched(_flat(self.mask.read()), height, width)
        places = np.zeros(found.shape, np.uint8)
        for place, name in enumerate(self.names[:MOST_CLASSES], start=1):
            for number in np.unique(found).tolist():
                if number and self.targets.get(number, str(number)) == name:
                    places[found == number] = place
        return ClassMap(self.names, places)


def regions_of(samples: foc.SampleCollection, path: str) -> Iterator[Regions]:
    """Each sample's regions, in order.

    Args:
        samples: a dataset or view.
        path: down to a Detections field's labels, or a Segmentation field's mask; see
            :func:`fiftyone_reue.samples.source.label_path`.
    """
    if list_of(path) == MASK:
        yield from _segmented(samples, path.removesuffix(f".{MASK}"))
    else:
        yield from _detected(samples, path.removesuffix(f".{BOXES}.label"))


def _detected(samples: foc.SampleCollection, field: str) -> Iterator[Regions]:
    lists = f"{field}.{BOXES}"
    masks = [f"{lists}.mask", f"{lists}.mask_path"]
    with plain_errors():
        labels, boxes = samples.values([f"{lists}.label", f"{lists}.bounding_box"])
        masked = any(samples.count(one) for one in masks)
    pages = _pages(samples, masks) if masked else None
    for names, places in zip(labels, boxes, strict=True):
        drawn = [None] * len(names or ())
        found, paths = (next(pages) if pages else (None, None)) or (None, None)
        shapes = zip(
            names or (), places or (), found or drawn, paths or drawn, strict=True
        )
        objects = [
            Region(name, _shape(Box(*place), Mask.of(mask, file)))
            for name, place, mask, file in shapes
            if name and place
        ]
        yield Objects(tuple(objects), (1, 1))


def _segmented(samples: foc.SampleCollection, field: str) -> Iterator[Regions]:
    targets = _targets(samples._root_dataset, field)
    for mask, path in _pages(samples, [f"{field}.mask", f"{field}.mask_path"]):
        found = Mask.of(mask, path)
        yield Objects(()) if found is None else Segmented(found, targets)


def _pages(samples: foc.SampleCollection, paths: Sequence[str]) -> Iterator[Any]:
    """Each sample's values, of which only some are in memory at a time."""
    ids = samples.values("id")
    for start in range(0, len(ids), _PAGE):
        with plain_errors():
            some = samples.select(ids[start : start + _PAGE], ordered=True)
            found = some.values(list(paths))
        yield from zip(*found, strict=True)


def _shape(box: Box, mask: Mask | None) -> Shape:
    return box if mask is None else Cutout(box, mask)


def _targets(dataset: fo.Dataset, field: str) -> dict[int, str]:
    """A mask's classes by number, colours being numbers too."""
    found = dataset.mask_targets.get(field) or dataset.default_mask_targets or {}
    return {_number(key): str(name) for key, name in found.items()}


def _number(target: int | str) -> int:
    """A target as the mask has it: colours such as "#ff0000" as 24 bits."""
    return int(target[1:], 16) if isinstance(target, str) else int(target)


def _flat(mask: np.ndarray) -> np.ndarray:
    """Colours as one number a pixel."""
    if mask.ndim == 2:
        return mask
    if mask.shape[2] < 3:
        return mask[..., 0]
    red, green, blue = (mask[..., place].astype(np.int64) for place in range(3))
    made: np.ndarray = (red << 16) + (green << 8) + blue
    return made
