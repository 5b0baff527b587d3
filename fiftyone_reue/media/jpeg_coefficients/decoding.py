"""What a usual decoder shows of a picture, and of changes of its luma.

:func:`decoded` asks one. Where nothing but luma changes, and that has the picture's own
resolution, :class:`Beside` computes the same: decoders agree in every bit of it, and it
takes a fraction of the time. Numbers so large that decoders may differ are left to
them, and so is a colour that is cut off at black or white.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.planes import shrinking
from fiftyone_reue.media.jpeg_coefficients.writing import in_one_go, write

_SIDE = np.arange(8)
# What a blue and a red difference add to red, green and blue, in parts of 2^16.
_BLUE = np.array([0, -22554, 116130])
_RED = np.array([91881, -46802, 0])
_HALF = 1 << 15


def decoded(data: bytes) -> np.ndarray:
    """What a usual decoder shows: libjpeg-turbo's with its defaults, by Pillow.

    Returns:
        (height, width) or (height, width, channels) uint8, not turned.
    """
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


class Beside:
    """Changes, beside the original.

    Args:
        coefficients: of the original.
        before: what the decoder shows of it, where that is known.
        decoder: gives (height, width, ...) uint8; by default a usual one.
    """

    def __init__(
        self,
        coefficients: Coefficients,
        before: np.ndarray | None = None,
        decoder: Callable[[bytes], np.ndarray] = decoded,
    ) -> None:
        self._coefficients = coefficients
        self._known = before
        self._decoder = decoder

    def tells(self, *offsets: Sequence[np.ndarray | None]) -> bool:
        """Whether a change is one that :meth:`excess` can compute.

        Args:
            offsets: of each component what changes, or None; each of these.
        """
        return (
            self._decoder is decoded
            and self._coefficients.colour in ("gray", "ycbcr")
            and shrinking(self._coefficients, self._coefficients.components[0])
            == (1, 1)
            and not any(
                one is not None and one.any() for each in offsets for one in each[1:]
            )
        )

    def shown_excess(self, copy: Coefficients, epsilon: int) -> np.ndarray:
        """Where a copy's samples, as the decoder shows them, differ by more.

        Args:
            copy: the original's coefficients, changed.
            epsilon: gray levels.

        Returns:
            (height, width) bool.
        """
        after = self._decoder(write(in_one_go(copy))).astype(np.int16)
        excess = np.abs(after - self._before.reshape(after.shape)) > epsilon
        return excess if excess.ndim == 2 else np.any(excess, axis=2)

    @functools.cached_property
    def _before(self) -> np.ndarray:
        """(height, width, channels) uint8."""
        before = self._known
        if before is None:
            before = self._decoder(write(in_one_go(self._coefficients)))
        return before.reshape(self._coefficients.height, self._coefficients.width, -1)

    def excess(
        self, base: np.ndarray | None, offsets: np.ndarray, epsilon: int
    ) -> np.ndarray | None:
        """Where a sample changes by more than epsilon, if luma alone changes.

        Args:
            base: luma's (rows, columns, 8, 8) int16 that are there already, or None.
            offsets: the same shape, what is added to them.
            epsilon: gray levels.

        Returns:
            (rows, columns) bool, of luma's blocks; None where decoders may differ.
        """
        luma = self._coefficients.components[0]
        largest = library.changed(luma.blocks, base, offsets, luma.quantisation)
        if largest is None:
            return None
        found = np.zeros(largest.shape, bool)
        rows, columns = np.nonzero(largest > epsilon)
        if not len(rows):
            return found
        blocks = luma.blocks[rows, columns]
        copies = blocks + offsets[rows, columns]
        if base is not None:
            copies += base[rows, columns]
        old = library.shown(blocks, luma.quantisation)
        new = library.shown(copies, luma.quantisation)
        if old is None or new is None:
            return None
        down = rows[:, None, None] * 8 + _SIDE[:, None]
        across = columns[:, None, None] * 8 + _SIDE
        height, width = self._coefficients.height, self._coefficients.width
        over = np.abs(new.astype(np.int16) - old) > epsilon
        over &= (down < height) & (across < width)
        which, y, x = np.nonzero(over)
        place = down[which, y, 0], across[which, 0, x]
        far = self._is_far(place, old[over].astype(int), new[over].astype(int), epsilon)
        found[rows[which[far]], columns[which[far]]] = True
        return found

    def _is_far(
        self,
        place: tuple[np.ndarray, np.ndarray],
        old: np.ndarray,
        new: np.ndarray,
        epsilon: int,
    ) -> np.ndarray:
        """Of pixels whose luma changes by more than epsilon, where a colour does."""
        if self._coefficients.colour == "gray":
            return np.ones(len(old), bool)
        before = self._before[place].astype(int)
        step = (new - old)[:, None]
        after = np.clip(before + step, 0, 255)
        cut_off = np.where(step > 0, before == 0, before == 255)
        far = np.any((np.abs(after - before) > epsilon) & ~cut_off, axis=1)
        unsure = ~far & cut_off.any(axis=1)
        if unsure.any():
            blue, red = self._differences[place][unsure].astype(int).T - 128
            colours = (blue[:, None] * _BLUE + red[:, None] * _RED + _HALF) >> 16
            was, becomes = (
                np.clip(one[unsure, None] + colours, 0, 255) for one in (old, new)
            )
            far[unsure] = np.any(np.abs(becomes - was) > epsilon, axis=1)
        return far

    @functools.cached_property
    def _differences(self) -> np.ndarray:
        """(height, width, 2) uint8: blue and red difference, as decoders enlarge them.

        Luma's change leaves them as they are.
        """
        data = write(in_one_go(self._coefficients))
        with Image.open(io.BytesIO(data)) as image:
            image.draft("YCbCr", image.size)
            return np.asarray(image)[..., 1:]
