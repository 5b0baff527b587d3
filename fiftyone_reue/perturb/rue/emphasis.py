"""Emphasis: a picture's own bands, added once more so that they can be told again.

If every pixel's change came from the whole picture, finding the picture again from the
changed one would mean to solve for all pixels at once. So it is done in two steps, as
an integer lifting scheme does it (Calderbank et al., 1998): cells are the two colours
of a chessboard, those of one colour are changed by what the picture has in its band at
the cells of the other colour, and then these by what the changed ones have. Backwards,
the last step sees just what it saw before, is taken away, and so for the first: every
integer comes back, wherever changes are cut off or rounded, and a record has to hold
no more than an :class:`Emphasis`.

A filter that sees one colour alone hears two frequencies, its own and the one that is
a half cycle a pixel further down and across; of that photographs have little.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import clipped
from fiftyone_reue.perturb.rue.bands import (
    DEFAULT,
    GAIN_BITS,
    SHORTEST,
    UNIT,
    BandsConfig,
    cell_of,
    drawn_bands,
    gain_of,
    gray_cells,
    most_gain,
    others_response,
    own_response,
    packed_bands,
    sample_noise,
    unpacked_bands,
    within,
)
from fiftyone_reue.prf import derive

STEPS = 2
"""The colours of a chessboard."""

_VERSION = 1
_FIXED = struct.Struct(">BBHQ")


@dataclass(frozen=True, eq=False)
class Emphasis:
    """All that both ways need besides the image.

    Attributes:
        amplitude: of what is added, gray levels, 1..127.
        gain: how much of what is found is added, in ``2**-28`` gray levels.
        region: cells a side of what draws a band.
        bands: ``(n, 2)`` uint8, the class's frequencies.
        key: 32 bytes of this sample.
    """

    amplitude: int
    gain: int
    region: int
    bands: np.ndarray
    key: bytes

    @classmethod
    def of(
        cls,
        image: np.ndarray,
        bands: np.ndarray,
        amplitude: int,
        key: bytes,
        config: BandsConfig = DEFAULT,
        *,
        where: np.ndarray | None = None,
    ) -> Emphasis:
        """As strong as the configuration says, for one image.

        Args:
            image: ``(H, W, colours)`` uint8, the shorter side at least
                :data:`SHORTEST`.
            bands: ``(n, 2)`` uint8, its class's.
            amplitude: gray levels.
            key: 32 bytes of this sample.
            config: how strong, and in which regions.
            where: which cells it is for, bool; all by default.
        """
        levels = gray_cells(image, cell_of(*image.shape[:2]))
        return cls.of_levels(levels, bands, amplitude, key, config, where)

    @classmethod
    def of_levels(
        cls,
        levels: np.ndarray,
        bands: np.ndarray,
        amplitude: int,
        key: bytes,
        config: BandsConfig = DEFAULT,
        where: np.ndarray | None = None,
    ) -> Emphasis:
        """:meth:`of` cells, ``(h, w)`` int64 in 1/UNIT gray levels."""
        plain = cls(amplitude, 0, config.region, bands, key)
        levels = levels + sample_noise(key, levels.shape)
        mine = _cells(levels.shape, 0)
        found = plain._found(levels, mine)[0][within(mine, where)]
        gain = gain_of(found, levels, amplitude, config, where)
        return cls(amplitude, gain, config.region, bands, key)

    def likely(self, image: np.ndarray) -> np.ndarray:
        """What both steps have added, told from an image that was changed since.

        Cells of either colour are told from the other one as the second step tells
        its own. After JPEG-90 that leaves 41.5 dB to the original, the pattern itself
        42.2, and taking away one step after the other 38.4.

        Args:
            image: ``(H, W, colours)`` uint8.

        Returns:
            As :meth:`step`.

        Raises:
            DamagedRecordError: the image is too small for bands.
        """
        return self._added(0, 1, image) + self._added(1, 1, image)

    def step(self, number: int, image: np.ndarray) -> np.ndarray:
        """What one step adds.

        Args:
            number: 0 or 1.
            image: ``(H, W, colours)`` uint8, the same before and after this step: only
                cells that it doesn't change are looked at.

        Returns:
            ``(h, w, 1)`` int8 in gray levels, 0 in the cells of the other step: one
            value a cell, or one a pixel where cells don't fit the image evenly.

        Raises:
            DamagedRecordError: the image is too small for bands.
        """
        return self._added(number, number, image)

    def _added(self, colour: int, number: int, image: np.ndarray) -> np.ndarray:
        """To cells of a colour, as strong as one of the steps."""
        height, width = image.shape[:2]
        if min(height, width) < SHORTEST:
            raise DamagedRecordError(
                "The record doesn't fit this image, which is too small for bands"
            )
        cell = cell_of(height, width)
        made = self.change(colour, number, gray_cells(image, cell))
        made = made.astype(np.int8)
        if height % cell or width % cell:
            made = made.repeat(cell, 0).repeat(cell, 1)[:height, :width]
        return np.ascontiguousarray(made[..., None])

    def change(
        self, colour: int, number: int, levels: np.ndarray, parts: int = 0
    ) -> np.ndarray:
        """What is added to the cells of a colour, as strong as one of the steps.

        Args:
            colour: 0 or 1, of the chessboard.
            number: 0 or 1, of the step.
            levels: ``(h, w)`` int64 in 1/UNIT gray levels, 0 to 255 of these.
            parts: what is returned is in ``2**-parts`` gray levels.

        Returns:
            ``(h, w)`` int64, 0 in the cells of the other colour.
        """
        mine = _cells(levels.shape, colour)
        found, drawn = self._found(levels + sample_noise(self.key, levels.shape), mine)
        gains = np.array([self._gain(number, band) for band in self.bands])
        shift = GAIN_BITS - parts
        size = (np.abs(found) * gains[drawn] + (1 << shift - 1)) >> shift
        return np.sign(found) * np.minimum(size, self.amplitude << parts) * mine

    def pack(self) -> bytes:
        """As bytes, for a record."""
        fixed = _FIXED.pack(_VERSION, self.amplitude, self.region, self.gain)
        return fixed + packed_bands(self.bands, self.key)

    @classmethod
    def unpack(cls, data: bytes) -> Emphasis:
        """Read what :meth:`pack` wrote.

        Raises:
            DamagedRecordError: it isn't that.
        """
        try:
            version, amplitude, region, gain = _FIXED.unpack_from(data)
            bands, key = unpacked_bands(data[_FIXED.size :])
        except (struct.error, ValueError):
            raise _damaged() from None
        right = (
            version == _VERSION
            and 1 <= amplitude <= 127
            and region
            and gain <= most_gain(amplitude)
        )
        if not right:
            raise _damaged()
        return cls(amplitude, gain, region, bands, key)

    def _found(
        self, levels: np.ndarray, mine: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What others have in these cells' bands, and which band each cell has."""
        others = np.where(mine, 0, levels)
        if len(self.bands) == 1:
            found = others_response(others, self.bands[0])
            return found, np.zeros(levels.shape, np.int64)
        key = derive(self.key, "bands-drawn")
        height, width = levels.shape
        drawn = drawn_bands(len(self.bands), height, width, key, self.region)
        found = np.zeros(levels.shape, np.int64)
        for place, band in enumerate(self.bands):
            np.copyto(found, others_response(others, band), where=drawn == place)
        return found, drawn

    def _gain(self, number: int, band: np.ndarray) -> int:
        """A step's: the second one sees what the first has made stronger.

        By half of what it would be if no change were cut off, which makes both add the
        same on photographs.
        """
        if number == 0:
            return self.gain
        stronger = self.gain * UNIT * own_response(band) // 2
        return (self.gain << GAIN_BITS) // ((1 << GAIN_BITS) + stronger)


def band_pattern(
    image: np.ndarray,
    bands: np.ndarray,
    amplitude: int,
    key: bytes,
    config: BandsConfig = DEFAULT,
) -> np.ndarray:
    """Both steps' change of one image; the arguments are :meth:`Emphasis.of`'s.

    Returns:
        ``(h, w, 1)`` int8 in gray levels, as :meth:`Emphasis.step` gives it.
    """
    emphasis = Emphasis.of(image, bands, amplitude, key, config)
    first = emphasis.step(0, image)
    changed = clipped(image, expand(first, *image.shape[:2]))
    return first + emphasis.step(1, changed)


def _cells(shape: tuple[int, ...], number: int) -> np.ndarray:
    """The cells that a step changes, bool."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows + columns) % STEPS == number


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The record is damaged: what was made stronger can't be read from it"
    )
