"""Expansion: a JPEG's own coefficients, made larger so that they can be told again.

So releases of JPEG files up to 511 pixels a side were made before there was
:mod:`~.surroundings`; it is there to give these back.

What :mod:`fiftyone_reue.perturb.rue.emphasis` does with pixels, on the quantised
coefficients of a JPEG's luma. A class's frequency has a few coefficients of each block
near it. In each block the key draws one of them, the likelier the nearer it is, and by
how much it grows: a positive one upwards, a negative one downwards, and a zero as the
key says. Then no two values become one, so whoever has the key reads backwards what
they were, as in histogram shifting (Ni et al., 2006), and nothing has to be recorded
but where blocks got less than was drawn: their levels.

One coefficient a block is a wave of one frequency, which gives most for what a pixel
may change by. Where there is no texture it grows by less. How much there is, is told
from coefficients that never change.

Everything is integers, the same on every machine.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fiftyone_reue.errors import DamagedRecordError, EditedImageError
from fiftyone_reue.media.jpeg_coefficients.transform import (
    BASIS,
    SCALE_BITS,
    forward,
    inverse,
)
from fiftyone_reue.perturb.rue.bands import (
    GRID,
    drawn_bands,
    packed_bands,
    unpacked_bands,
)
from fiftyone_reue.prf import derive, keystream

ONE = 256
"""Parts that weights are counted in."""

LARGEST_CELL = 2
"""Of images with larger cells a band is too low for single blocks."""

_LEAST_WEIGHT = ONE // 7
_PEAKS = np.abs(BASIS).max(axis=1).astype(np.int64).reshape(8, 8)
"""By how much a coefficient of one changes a pixel at most, in 2**-SCALE_BITS."""

_LEAST_SHARE, _SHARE = 224, 128
"""Of the amplitude, in 1/ONE: what is drawn at least, and how much more at most."""

_FLAT = 32
"""Of the full growth the share that a block without texture has, of 54."""

_FULL = 54
"""Coefficients beside zero in a block and the eight around it that make it one of
full texture."""

LEAST_LEFT = 0.85
"""So much of the growth must be left in an image before it is taken off. Of six
photographs, 224 and 480 pixels a side, JPEG-50 keeps at least 0.96 and a blur 0.94; a
crop scaled to the same size shows at most 0.81, the original 0.76."""

VERSION = 1
"""The first byte, when packed: :mod:`~.shades` has another."""

_FIXED = struct.Struct(">BBBB")
_DRAWS = 5


@dataclass(frozen=True, eq=False)
class Expansion:
    """All that both ways need besides the coefficients and their levels.

    Attributes:
        amplitude: of a pixel's change, gray levels; what is drawn is around it.
        cell: pixels a side that the bands' block of eight cells has, see
            :func:`~.bands.cell_of`.
        region: cells a side of what draws a band, where a class has several.
        bands: ``(n, 2)`` uint8, the class's frequencies.
        key: 32 bytes of this sample.
    """

    amplitude: int
    cell: int
    region: int
    bands: np.ndarray
    key: bytes

    def expanded(
        self, blocks: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """Larger coefficients; see :class:`~fiftyone_reue.perturb.base.Expander`."""
        draw = self._draw(blocks, steps)
        size = draw.sizes(levels)
        before = draw.chosen(blocks).astype(np.int32)
        sign = np.where(before == 0, draw.signs, np.sign(before))
        return draw.replaced(blocks, before + sign * size)

    def contracted(
        self, blocks: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """What they were; see :class:`~fiftyone_reue.perturb.base.Expander`."""
        draw = self._draw(blocks, steps)
        size = draw.sizes(levels)
        after = draw.chosen(blocks).astype(np.int32)
        filled = (np.abs(after) == size) & (size > 0)
        if (np.abs(after) < size).any() or (np.sign(after) != draw.signs)[filled].any():
            raise DamagedRecordError(
                "The record doesn't fit this image: nothing gives its coefficients"
            )
        return draw.replaced(blocks, after - np.sign(after) * size)

    def likely(
        self, luma: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """What made them larger; see :class:`~fiftyone_reue.perturb.base.Expander`."""
        values = forward(luma)
        draw = self._draw(np.rint(values / steps).astype(np.int32), steps)
        there = draw.chosen(values)
        grown = draw.sizes(levels) * draw.steps
        added = np.minimum(grown, np.abs(there))
        if added.sum() < LEAST_LEFT * grown.sum():
            raise EditedImageError(
                "What was added to protect this image can't be found in it: it was "
                "cropped, scaled or changed too much for an approximation. Of a crop, "
                "give the release as it was delivered as well (--records)"
            )
        change = np.zeros(values.shape)
        return inverse(np.rint(draw.replaced(change, np.sign(there) * added)))

    def pack(self) -> bytes:
        """As bytes, for a record."""
        fixed = _FIXED.pack(VERSION, self.amplitude, self.cell, self.region)
        return fixed + packed_bands(self.bands, self.key)

    @classmethod
    def unpack(cls, data: bytes) -> Expansion:
        """Read what :meth:`pack` wrote.

        Raises:
            DamagedRecordError: it isn't that.
        """
        try:
            version, amplitude, cell, region = _FIXED.unpack_from(data)
            bands, key = unpacked_bands(data[_FIXED.size :])
        except (struct.error, ValueError):
            raise _damaged() from None
        right = (
            version == VERSION
            and 1 <= amplitude <= 127
            and 1 <= cell <= LARGEST_CELL
            and region
        )
        if not right:
            raise _damaged()
        found = cls(amplitude, cell, region, bands, key)
        if not found._weights.any(axis=(1, 2)).all():  # a band without coefficients
            raise _damaged()
        return found

    @cached_property
    def _weights(self) -> np.ndarray:
        """``(n, 8, 8)`` int64: of each band what its coefficients count, up to ONE."""
        unit = GRID * self.cell
        away = np.abs(np.arange(8) * unit - self.bands[..., None].astype(np.int64))
        near = np.maximum(unit - away, 0)
        found = near[:, 0, :, None] * near[:, 1, None, :]
        found[:, 0, 0] = 0
        most = np.maximum(found.max(axis=(1, 2), keepdims=True), 1)
        weights = found * ONE // most
        return np.where(weights > _LEAST_WEIGHT, weights, 0)

    def _draw(self, blocks: np.ndarray, steps: np.ndarray) -> _Draw:
        """What the key draws for each block, and what it depends on."""
        shape = blocks.shape[:2]
        count = int(np.prod(shape))
        raw = keystream(derive(self.key, "expansion"), count * _DRAWS)
        drawn = np.frombuffer(raw, np.uint8).reshape(*shape, _DRAWS).astype(np.int64)
        at = self._coefficients(drawn[..., 0] << 8 | drawn[..., 1])
        step = steps.reshape(64).astype(np.int64)[at]
        texture = np.minimum(self._texture(blocks) + _FLAT, _FULL)
        share = _LEAST_SHARE + (drawn[..., 2] * _SHARE >> 8)
        most = self.amplitude * share * texture << SCALE_BITS
        one = step * _PEAKS.reshape(64)[at] * _FULL * ONE
        # Rounded up or down by chance, or coarse steps would never be made.
        sizes = (most + (drawn[..., 3] * one >> 8)) // one
        return _Draw(at, step, sizes, np.where(drawn[..., 4] & 1, 1, -1))

    def _coefficients(self, drawn: np.ndarray) -> np.ndarray:
        """Which coefficient each block has, ``(rows, columns)``, from 16 bits each."""
        sums = np.cumsum(self._weights.reshape(-1, 64) ** 2, axis=1)
        key = derive(self.key, "expansion-bands")
        region = max(1, self.region * self.cell // 8)
        rows, columns = drawn.shape
        band = drawn_bands(len(self.bands), rows, columns, key, region)
        found = np.empty(drawn.shape, np.int64)
        for number, sum_ in enumerate(sums):
            mine = band == number
            at = drawn[mine] * sum_[-1] >> 16
            found[mine] = np.searchsorted(sum_, at, side="right")
        return found

    def _texture(self, blocks: np.ndarray) -> np.ndarray:
        """``(rows, columns)``: coefficients beside zero in a block and around it, of
        those that never change."""
        others = blocks != 0
        others[..., self._weights.any(axis=0)] = False
        others[..., 0, 0] = False
        count = np.pad(others.sum(axis=(2, 3), dtype=np.int64), 1, mode="edge")
        lines = count[:-2] + count[1:-1] + count[2:]
        return lines[:, :-2] + lines[:, 1:-1] + lines[:, 2:]


@dataclass(frozen=True, eq=False)
class _Draw:
    """Of each block, ``(rows, columns)``: which coefficient, its step, by how many
    steps it grows, and the sign of what becomes of zero."""

    at: np.ndarray
    steps: np.ndarray
    most: np.ndarray
    signs: np.ndarray

    def sizes(self, levels: np.ndarray) -> np.ndarray:
        return np.maximum(self.most - levels, 0).astype(np.int32)

    def chosen(self, blocks: np.ndarray) -> np.ndarray:
        flat = blocks.reshape(*self.at.shape, 64)
        return np.take_along_axis(flat, self.at[..., None], 2)[..., 0]

    def replaced(self, blocks: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Blocks with other values there, int32 or as the values."""
        flat = blocks.reshape(*self.at.shape, 64).astype(values.dtype)
        np.put_along_axis(flat, self.at[..., None], values[..., None], 2)
        return flat.reshape(blocks.shape)


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The record is damaged: how coefficients were made larger can't be read from it"
    )
