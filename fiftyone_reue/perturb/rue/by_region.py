"""Each region of a picture gets the bands of its own class.

For images with several objects: what :mod:`~.emphasis` or :mod:`~.surroundings` would
make of the whole picture for each of its classes is kept in the fields of that class
alone. Their steps change the same cells or fields of a chessboard, and see only the
others, whatever class these are of; so a step of all classes together can be told again
as one of a single class can. A record holds the classes' parts, and the map of fields.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media import packing
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import clipped
from fiftyone_reue.perturb.class_map import MOST_CLASSES, ClassMap
from fiftyone_reue.perturb.rue.bands import (
    BLOCK,
    DEFAULT,
    WORKING,
    BandsConfig,
    cell_of,
)
from fiftyone_reue.perturb.rue.emphasis import Emphasis
from fiftyone_reue.perturb.rue.surroundings import FORMS, Surroundings, form_of

VERSION = 4
"""The first byte, when packed: single classes' parts have others."""

_FIXED = struct.Struct(">BBB")
_LEVEL = 19
_MOST_PART = 128
"""Bytes of a part at most: bands, a key and a few numbers."""

Part = Emphasis | Surroundings


@dataclass(frozen=True, eq=False)
class ByRegion:
    """All that both ways need besides the picture.

    Attributes:
        parts: of each class that is there, for the whole picture; at most
            :data:`~fiftyone_reue.perturb.class_map.MOST_CLASSES`.
        places: ``(rows, columns)`` uint8, of each field 0 for what is of no class,
            else one more than the class's place in ``parts``.
        side: pixels a side of a field, a power of two.
    """

    parts: tuple[Part, ...]
    places: np.ndarray
    side: int

    @classmethod
    def of(
        cls,
        kind: type[Emphasis] | type[Surroundings],
        image: np.ndarray,
        regions: ClassMap,
        bands: tuple[np.ndarray, ...],
        amplitude: int,
        key: bytes,
        config: BandsConfig = DEFAULT,
    ) -> ByRegion:
        """As strong in each class's region as the configuration says.

        Args:
            kind: what makes a class's part.
            image: ``(H, W, colours)`` uint8, the shorter side at least
                :data:`~.bands.SHORTEST`; it may go beyond the regions' image, as
                whole blocks do.
            regions: where which class is.
            bands: of each class there, ``(n, 2)`` uint8.
            amplitude: gray levels.
            key: 32 bytes of this sample.
            config: how strong, and in which regions of several bands.
        """
        height, width = image.shape[:2]
        working = form_of(config).working if kind is Surroundings else WORKING
        cell = cell_of(height, width, working)
        side = max(BLOCK, cell)
        places = regions.fields(side)
        there = [n for n in range(1, len(regions.names) + 1) if (places == n).any()]
        cells = -(-height // cell), -(-width // cell)
        parts = [
            kind.of(
                image,
                bands[number - 1],
                amplitude,
                key,
                config,
                where=_spread(places == number, side // cell, *cells),
            )
            for number in there
        ]
        renumbered = np.zeros(len(regions.names) + 1, np.uint8)
        renumbered[there] = np.arange(1, len(there) + 1)
        return cls(tuple(parts), renumbered[places], side)

    def step(self, number: int, image: np.ndarray) -> np.ndarray:
        """What one step adds.

        Args:
            number: 0 or 1.
            image: ``(H, W, colours)`` uint8, the same before and after this step: only
                cells or fields that it doesn't change are looked at.

        Returns:
            ``(H, W, 1)`` int8 in gray levels.

        Raises:
            DamagedRecordError: the picture is too small for bands.
        """
        return self._together(image, [one.step(number, image) for one in self.parts])

    def likely(self, image: np.ndarray) -> np.ndarray:
        """What both steps have added, about, told from what a picture became.

        Args:
            image: ``(H, W, colours)`` uint8.

        Returns:
            As :meth:`step`.
        """
        return self._together(image, [one.likely(image) for one in self.parts])

    def pattern(self, image: np.ndarray) -> np.ndarray:
        """Both steps' change of one image, as :meth:`step`."""
        first = self.step(0, image)
        return first + self.step(1, clipped(image, first))

    def pack(self) -> bytes:
        """As bytes, for a record."""
        parts = b"".join(
            bytes([len(packed)]) + packed for packed in (p.pack() for p in self.parts)
        )
        fixed = _FIXED.pack(VERSION, self.side.bit_length() - 1, len(self.parts))
        return fixed + packing.pack(parts + self.places.tobytes(), _LEVEL)

    @classmethod
    def unpack(cls, data: bytes, height: int, width: int) -> ByRegion:
        """Read what :meth:`pack` wrote.

        Args:
            data: that.
            height: the picture's.
            width: the picture's.

        Raises:
            DamagedRecordError: it isn't that, or of another picture.
        """
        try:
            version, shift, count = _FIXED.unpack_from(data)
            if version != VERSION or not 3 <= shift < 16:
                raise ValueError(version, shift)
            side = 1 << shift
            rows, columns = -(-height // side), -(-width // side)
            most = rows * columns + MOST_CLASSES * _MOST_PART
            raw = packing.unpack(data[_FIXED.size :], most)
            parts = []
            for _ in range(count):
                end = 1 + raw[0]
                parts.append(_part(raw[1:end]))
                raw = raw[end:]
            places = np.frombuffer(raw, np.uint8).reshape(rows, columns)
        except (struct.error, IndexError, ValueError):
            raise DamagedRecordError(
                "The record is damaged: which class is where can't be read, or is of "
                "another picture"
            ) from None
        if places.max(initial=0) > count:
            raise DamagedRecordError(
                "The record is damaged: a region in it is of a class that isn't"
            )
        return cls(tuple(parts), places, side)

    def _together(self, image: np.ndarray, changes: list[np.ndarray]) -> np.ndarray:
        height, width = image.shape[:2]
        made = np.zeros((height, width, 1), np.int8)
        for number, change in enumerate(changes, start=1):
            here = _spread(self.places == number, self.side, height, width)[..., None]
            np.copyto(made, expand(change, height, width), where=here)
        return made


def _spread(fields: np.ndarray, side: int, height: int, width: int) -> np.ndarray:
    """Of each place what is of its field, ``(height, width)``."""
    return fields.repeat(side, 0).repeat(side, 1)[:height, :width]


def _part(data: bytes) -> Part:
    kind = Surroundings if data and data[0] in FORMS else Emphasis
    return kind.unpack(data)
