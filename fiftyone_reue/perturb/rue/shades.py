"""Shades: the emphasis of bands that are too low for a JPEG's single blocks.

So releases of JPEG files from 512 pixels a side on were made before there was
:mod:`~.surroundings`; it is there to give these back.

In a large photograph a band's wave is several blocks long. So it is the blocks' shades
that carry it, their first coefficients: seen as a small picture they are given more of
their own texture, just as the cells of an image without a JPEG's coefficients are, in
two steps that are told again from the result (:mod:`~.emphasis`).

Everything is integers, the same on every machine.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.perturb.rue.bands import BLOCK, UNIT
from fiftyone_reue.perturb.rue.emphasis import STEPS, Emphasis

VERSION = 2
"""The first byte, when packed: :mod:`~.expansion` has another."""

_FIXED = struct.Struct(">BB")
_PARTS = 4
_MIDDLE, _MOST = 1024, 2047  # of a shade times its step, eight to a gray level
_LARGEST_GROUP = 64


@dataclass(frozen=True, eq=False)
class Shades:
    """All that both ways need besides the coefficients and their levels.

    Attributes:
        group: blocks a side of a cell.
        emphasis: of cells.
    """

    group: int
    emphasis: Emphasis

    def expanded(
        self, blocks: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """Blocks with other shades; see
        :class:`~fiftyone_reue.perturb.base.Expander`."""
        shades = blocks[..., 0, 0].astype(np.int32)
        for number in range(STEPS):
            shades = shades + self._change(number, shades, steps, levels)
        return _with_shades(blocks, shades)

    def contracted(
        self, blocks: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """What they were; see :class:`~fiftyone_reue.perturb.base.Expander`."""
        shades = blocks[..., 0, 0].astype(np.int32)
        for number in reversed(range(STEPS)):
            shades = shades - self._change(number, shades, steps, levels)
        return _with_shades(blocks, shades)

    def likely(
        self, luma: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """What changed them; see :class:`~fiftyone_reue.perturb.base.Expander`."""
        step = int(steps[0, 0])
        shades = np.rint(luma.mean(axis=(2, 3)) * BLOCK / step).astype(np.int32)
        change = self._changed(0, 1, shades, step, levels)
        change += self._changed(1, 1, shades, step, levels)
        even = np.ones(luma.shape[2:])
        return (change * step / BLOCK)[..., None, None] * even

    def pack(self) -> bytes:
        """As bytes, for a record."""
        return _FIXED.pack(VERSION, self.group) + self.emphasis.pack()

    @classmethod
    def unpack(cls, data: bytes) -> Shades:
        """Read what :meth:`pack` wrote.

        Raises:
            DamagedRecordError: it isn't that.
        """
        try:
            version, group = _FIXED.unpack_from(data)
        except struct.error:
            raise _damaged() from None
        if version != VERSION or not 1 <= group <= _LARGEST_GROUP:
            raise _damaged()
        return cls(group, Emphasis.unpack(data[_FIXED.size :]))

    def _change(
        self, number: int, shades: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        return self._changed(number, number, shades, int(steps[0, 0]), levels)

    def _changed(
        self, colour: int, number: int, shades: np.ndarray, step: int, less: np.ndarray
    ) -> np.ndarray:
        """By how many steps shades change, ``(rows, columns)`` int32."""
        levels = _cells(shades, step, self.group)
        change = self.emphasis.change(colour, number, levels, _PARTS)
        rows, columns = shades.shape
        wide = change.repeat(self.group, 0).repeat(self.group, 1)[:rows, :columns]
        size = (BLOCK * np.abs(wide) + (step << _PARTS - 1)) // (step << _PARTS)
        return (np.sign(wide) * np.maximum(size - less, 0)).astype(np.int32)


def _cells(shades: np.ndarray, step: int, group: int) -> np.ndarray:
    """The mean shade of each cell, int64 in 1/UNIT gray levels."""
    values = np.clip(shades.astype(np.int64) * step + _MIDDLE, 0, _MOST)
    rows, columns = values.shape
    values = np.pad(values, ((0, -rows % group), (0, -columns % group)), mode="edge")
    high, wide = (side // group for side in values.shape)
    total = values.reshape(high, group, wide, group).sum(axis=(1, 3))
    return total * (UNIT // BLOCK) // group**2


def _with_shades(blocks: np.ndarray, shades: np.ndarray) -> np.ndarray:
    made = blocks.astype(np.int32)
    made[..., 0, 0] = shades
    return made


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The record is damaged: how shades were changed can't be read from it"
    )
