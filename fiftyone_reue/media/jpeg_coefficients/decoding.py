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
from dataclasses import replace

import numpy as np
from PIL import Image

from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.planes import Target, has_whole_luma
from fiftyone_reue.media.jpeg_coefficients.writing import in_one_go, write

_SIDE = np.arange(8)
_BAND, _BEYOND = 72, 12
"""Rows of luma's blocks whose colours are looked at together, and so many more above
and below; whole units of up to four rows each."""
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
        self._bands: dict[int, tuple[int, tuple[np.ndarray, ...]]] = {}

    def tells(
        self, wanted: Sequence[np.ndarray | Target | None], base: Coefficients
    ) -> bool:
        """Whether a change is one that :meth:`excess` can compute.

        Args:
            wanted: of each component what changes, or None.
            base: what is changed, with the original's components.
        """
        others = self._coefficients.components[1:]
        return (
            self._decoder is decoded
            and self._coefficients.colour != "ycck"
            and has_whole_luma(self._coefficients)
            and not any(one is not None and one.any() for one in wanted[1:])
            and all(
                one.stored is other.stored or np.array_equal(one.blocks, other.blocks)
                for one, other in zip(others, base.components[1:], strict=True)
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
        self,
        base: np.ndarray,
        offsets: np.ndarray,
        epsilon: int,
        looked: np.ndarray | None = None,
    ) -> np.ndarray | None:
        """Where a sample changes by more than epsilon, if luma alone changes.

        Args:
            base: luma's (rows, columns, 8, 8) int16, the original's with what was
                changed before.
            offsets: the same shape, what is added to them.
            epsilon: gray levels.
            looked: (rows, columns) bool: the blocks to look at; None: all.

        Returns:
            (rows, columns) bool, of luma's blocks; None where decoders may differ.
        """
        luma = self._coefficients.components[0]
        steps, before = luma.quantisation, self._before
        far = library.changed(
            luma.blocks, base, offsets, steps, before, epsilon, looked
        )
        if far is None:
            return None
        rows, columns = np.nonzero(far == library.CUT_OFF)
        found = far == library.FAR
        if len(rows):
            blocks = luma.blocks[rows, columns]
            copies = base[rows, columns] + offsets[rows, columns]
            old, new = (library.shown(one, steps) for one in (blocks, copies))
            assert old is not None
            assert new is not None
            found[rows, columns] = self._colours_far(rows, columns, old, new, epsilon)
        return found

    def _colours_far(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        old: np.ndarray,
        new: np.ndarray,
        epsilon: int,
    ) -> np.ndarray:
        """In which of some blocks a colour changes by more than epsilon.

        Args:
            rows: (n,), where the blocks are.
            columns: the same.
            old: (n, 8, 8) uint8, their luma.
            new: the same, changed.
            epsilon: gray levels.

        Returns:
            (n,) bool.
        """
        found = np.zeros(len(rows), bool)
        for band in np.unique(rows // _BAND):
            mine = rows // _BAND == band
            first, differences = self._differences(int(band))
            found[mine] = _far(
                rows[mine] - first,
                columns[mine],
                old[mine],
                new[mine],
                epsilon,
                differences,
            )
        return found

    def _differences(self, band: int) -> tuple[int, tuple[np.ndarray, ...]]:
        """Blue and red difference of some rows, as decoders enlarge them.

        Luma's change leaves them as they are.

        Args:
            band: which rows of luma's blocks: this times :data:`_BAND`, and so many.

        Returns:
            The first row of blocks that is there, and (height, width) uint8 each.
        """
        known = self._bands.get(band)
        if known is None:
            known = self._bands[band] = _differences(self._coefficients, band)
        return known


def _differences(
    coefficients: Coefficients, band: int
) -> tuple[int, tuple[np.ndarray, ...]]:
    """See :meth:`Beside._differences`.

    A picture of its own is made of the rows, with some above and below, over whose
    border decoders smooth.
    """
    rows, unit = coefficients.components[0].rows, coefficients.components[0].v
    first = max(0, band * _BAND - _BEYOND)
    last = min(rows, (band + 1) * _BAND + _BEYOND)
    some = replace(
        coefficients,
        height=min(8 * last, coefficients.height) - 8 * first,
        components=tuple(
            replace(
                one,
                rows=min(-(-last * one.v // unit), one.rows) - first * one.v // unit,
                stored=one.stored[first * one.v // unit : -(-last // unit) * one.v],
            )
            for one in coefficients.components
        ),
    )
    with Image.open(io.BytesIO(write(in_one_go(some)))) as image:
        image.draft("YCbCr", image.size)
        made = tuple(np.asarray(image.getchannel(place)) for place in (1, 2))
    return first, made


def _far(
    rows: np.ndarray,
    columns: np.ndarray,
    old: np.ndarray,
    new: np.ndarray,
    epsilon: int,
    differences: tuple[np.ndarray, ...],
) -> np.ndarray:
    """In which of some blocks a colour changes by more than epsilon.

    Args:
        rows: (n,), where the blocks are in the differences.
        columns: the same.
        old: (n, 8, 8) uint8, their luma.
        new: the same, changed.
        epsilon: gray levels.
        differences: blue and red, (height, width) uint8.

    Returns:
        (n,) bool.
    """
    height, width = differences[0].shape
    down = np.minimum(rows[:, None, None] * 8 + _SIDE[:, None], height - 1)
    across = np.minimum(columns[:, None, None] * 8 + _SIDE, width - 1)
    blue, red = (plane[down, across].astype(int) for plane in differences)
    colours = (blue - 128)[..., None] * _BLUE + (red - 128)[..., None] * _RED
    was, becomes = (
        np.clip(one[..., None] + (colours + _HALF >> 16), 0, 255) for one in (old, new)
    )
    far = np.any(np.abs(becomes - was) > epsilon, axis=-1)
    inside = rows[:, None, None] * 8 + _SIDE[:, None] < height
    inside = inside & (columns[:, None, None] * 8 + _SIDE < width)
    return np.any(far & inside, axis=(1, 2))
