"""Surroundings: fields of a picture get the band that surrounds them.

What :mod:`~.emphasis` does with single cells, for carriers that can only be changed a
field at a time, such as a JPEG's blocks of 8 x 8 pixels. The picture is a chessboard of
fields. What the fields of one colour show in a class's band goes on, as the band's
filter carries it, into the fields of the other colour, where it is added; then the same
is done the other way round. Each step sees only fields that it leaves alone, so whoever
has the key tells it again from the result, and nothing of it needs to be recorded.

Frequencies are scaled to the picture's size from 224 pixels on: a band has as many
waves over the shorter side whatever that is, so that a picture that is reduced to 224
or 128 pixels before training keeps bands that networks see.

Everything is integers, the same on every machine; the compiled part that reads JPEG
files computes most of it.
"""

from __future__ import annotations

import functools
import math
import struct
from dataclasses import dataclass, replace

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.perturb.rue.bands import (
    BLOCK,
    DEFAULT,
    GAIN_BITS,
    GRID,
    SHORTEST,
    WORKING,
    BandsConfig,
    cell_of,
    drawn_bands,
    gain_of,
    gray_cells,
    most_gain,
    packed_bands,
    sample_noise,
    unpacked_bands,
    within,
)
from fiftyone_reue.prf import derive
from fiftyone_reue.semantics.fixed import ONE, SINES, TURN

STEPS = 2
"""The colours of a chessboard."""

WHOLE = 256
"""Scales are in such parts."""


@dataclass(frozen=True)
class Form:
    """How bands are laid over a picture.

    Attributes:
        version: the first byte, when packed: :mod:`~.emphasis` has another.
        working: what shorter sides are halved to at least.
        width: of a window, in cells at full scale.
        shift: binary places that are cut off what is found, so that products fit.
    """

    version: int
    working: int
    width: int
    shift: int


LONG = Form(version=2, working=WORKING, width=4, shift=12)
"""As many waves as a picture of 128 pixels has."""

SHORT = Form(version=3, working=224, width=7, shift=14)
"""As many waves as a picture of 224 pixels has, which are seen less."""

FORMS = {form.version: form for form in (LONG, SHORT)}

_WAVES = {"long": LONG, "short": SHORT}

_FIXED = struct.Struct(">BBBHHQ")
_SPREAD, _REACH = 2.25, 256
"""How many of its widths a window reaches, and what it is in the middle."""
_PARTS = 4
"""Changes are interpolated in so many binary places of a gray level."""
_FAR = 1 << 14
_LEAST_SCALE = WHOLE // 2


@dataclass(frozen=True, eq=False)
class Surroundings:
    """All that both ways need besides the picture.

    Attributes:
        amplitude: of what is added, gray levels, 1..127.
        field: pixels a side of a chessboard's fields, a power of two.
        gain: how much of what is found is added, in ``2**-28`` gray levels.
        scale: of frequencies, in 1/WHOLE.
        region: cells a side of what draws a band.
        bands: ``(n, 2)`` uint8, the class's frequencies.
        key: 32 bytes of this sample.
        form: how bands are laid over the picture.
    """

    amplitude: int
    field: int
    gain: int
    scale: int
    region: int
    bands: np.ndarray
    key: bytes
    form: Form = SHORT

    @classmethod
    def of(
        cls,
        image: np.ndarray,
        bands: np.ndarray,
        amplitude: int,
        key: bytes,
        config: BandsConfig = DEFAULT,
        *,
        field: int = BLOCK,
        where: np.ndarray | None = None,
    ) -> Surroundings:
        """As strong as the configuration says, for one picture.

        Args:
            image: ``(H, W, colours)`` uint8, the shorter side at least
                :data:`~.bands.SHORTEST`.
            bands: ``(n, 2)`` uint8, its class's.
            amplitude: gray levels.
            key: 32 bytes of this sample.
            config: how strong and long, and in which regions.
            field: pixels a side that fields have at least.
            where: which cells it is for, bool; all by default.
        """
        height, width = image.shape[:2]
        form = form_of(config)
        cell = cell_of(height, width, form.working)
        scale = scale_of(height, width, form)
        region = min(config.region, 0xFFFF)
        field = max(field, cell)
        plain = cls(amplitude, field, 0, scale, region, bands, key, form)
        levels = plain._levels(image, cell)
        mine = _board(levels.shape, plain._side(cell), 0)
        found = plain._found(levels, 0, cell)[within(mine, where)]
        return replace(plain, gain=gain_of(found, levels, amplitude, config, where))

    def step(self, number: int, image: np.ndarray) -> np.ndarray:
        """What one step adds.

        Args:
            number: 0 or 1.
            image: ``(H, W, colours)`` uint8, the same before and after this step: only
                fields that it doesn't change are looked at.

        Returns:
            ``(H, W, 1)`` int8 in gray levels, 0 in the fields of the other step.

        Raises:
            DamagedRecordError: the picture is too small for bands.
        """
        height, width = image.shape[:2]
        if min(height, width) < SHORTEST:
            raise DamagedRecordError(
                "The record doesn't fit this image, which is too small for bands"
            )
        cell = cell_of(height, width, self.form.working)
        found = self._found(self._levels(image, cell), number, cell)
        change = (found * self.gain) >> (GAIN_BITS - _PARTS)
        cells = np.clip(change, -_FAR, _FAR).astype(np.int16)
        sides, most = (height, width), self.amplitude << _PARTS
        made = library.fields(cells, cell, sides, most, _PARTS, self.field, number)
        return made[..., None]

    def likely(self, image: np.ndarray) -> np.ndarray:
        """What both steps have added, about, told from what a picture became.

        Args:
            image: ``(H, W, colours)`` uint8.

        Returns:
            As :meth:`step`.
        """
        return self.step(0, image) + self.step(1, image)

    def pack(self) -> bytes:
        """As bytes, for a record."""
        shift = self.field.bit_length() - 1
        numbers = (self.amplitude, shift, self.scale, self.region, self.gain)
        fixed = _FIXED.pack(self.form.version, *numbers)
        return fixed + packed_bands(self.bands, self.key)

    @classmethod
    def unpack(cls, data: bytes) -> Surroundings:
        """Read what :meth:`pack` wrote.

        Raises:
            DamagedRecordError: it isn't that.
        """
        try:
            version, amplitude, shift, scale, region, gain = _FIXED.unpack_from(data)
            bands, key = unpacked_bands(data[_FIXED.size :])
            form = FORMS[version]
        except (struct.error, KeyError, ValueError):
            raise _damaged() from None
        right = (
            1 <= amplitude <= 127
            and shift < 16
            and _LEAST_SCALE <= scale <= WHOLE
            and region
            and gain <= most_gain(amplitude)
        )
        if not right:
            raise _damaged()
        return cls(amplitude, 1 << shift, gain, scale, region, bands, key, form)

    def _side(self, cell: int) -> int:
        """Cells a side of a field."""
        return max(1, self.field // cell)

    def _levels(self, image: np.ndarray, cell: int) -> np.ndarray:
        """Cells with the sample's noise, ``(h, w)`` int64 in 1/UNIT gray levels."""
        levels = gray_cells(image, cell)
        return levels + sample_noise(self.key, levels.shape)

    def _found(self, levels: np.ndarray, number: int, cell: int) -> np.ndarray:
        """What goes on of others' bands, ``(h, w)`` int64."""
        even = window(self.scale, self.form.width)
        side = self._side(cell)
        seen = ~_board(levels.shape, side, number)
        near = _near(levels.shape, side, number, self.scale, self.form.width)
        total = library.filtered(seen * levels, even, even)
        # Rounded down: numbers are so small that no quotient is rounded up to a whole.
        others = seen * (levels - np.floor(total / near).astype(np.int64))
        key = derive(self.key, "bands-drawn")
        height, width = levels.shape
        drawn = drawn_bands(len(self.bands), height, width, key, self.region)
        found = np.zeros(levels.shape, np.int64)
        for place, band in enumerate(self.bands):
            down, across = (
                taps(int(number), self.scale, self.form.width) for number in band
            )
            heard = library.filtered(others, down, across) >> self.form.shift
            np.copyto(found, heard, where=drawn == place)
        return found


def form_of(config: BandsConfig) -> Form:
    """How a configuration lays bands over a picture."""
    return _WAVES[config.waves]


def scale_of(height: int, width: int, form: Form = SHORT) -> int:
    """By how much less than whole frequencies are, in 1/WHOLE."""
    side, working = min(height, width), form.working
    return min(WHOLE, WHOLE * working * cell_of(height, width, working) // side)


def _board(shape: tuple[int, ...], side: int, number: int) -> np.ndarray:
    """The places that a step changes, bool, of fields with so many a side."""
    rows, columns = (np.arange(length) // side % STEPS for length in shape)
    made: np.ndarray = rows[:, None] ^ columns == number
    return made


@functools.lru_cache(maxsize=4)
def _near(
    shape: tuple[int, ...], side: int, number: int, scale: int, wide: int
) -> np.ndarray:
    """How much of each place's window others fill, at least 1."""
    seen = ~_board(shape, side, number)
    even = window(scale, wide)
    return np.maximum(library.filtered(seen, even, even), 1)


@functools.cache
def window(scale: int, wide: int = SHORT.width) -> np.ndarray:
    """Half of a Gaussian as wide as waves are long, ``(reach + 1,)`` int64.

    Args:
        scale: of frequencies, in 1/WHOLE.
        wide: cells at full scale.
    """
    width = wide * WHOLE / scale
    places = range(int(_SPREAD * width) + 1)
    return np.array([round(_REACH * math.exp(-((n / width) ** 2) / 2)) for n in places])


@functools.cache
def taps(number: int, scale: int, wide: int = SHORT.width) -> np.ndarray:
    """A cosine of a frequency within :func:`window`, of the same shape.

    Args:
        number: in 1/GRID half cycles a block, before it is scaled.
        scale: in 1/WHOLE.
        wide: of the window, cells at full scale.
    """
    even = window(scale, wide)
    places = np.arange(len(even))
    angles = TURN * number * scale * places // (2 * BLOCK * GRID * WHOLE)
    cosines = SINES[(angles + TURN // 4) % TURN]
    return (even * cosines + ONE // 2) // ONE


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The record is damaged: what was carried on into its fields can't be read"
    )
