"""Patterns: secret mid-band cosines, one set an image, that carry a mark's bits.

Spread spectrum (Cox et al., IEEE TIP 1997) on a canonical grid: an image of any
size is described by the same low and middle cosine frequencies, counted in half
cycles across the image, so a mark survives resizing. Every frequency belongs to one
code bit and has a secret sign from a keyed stream. Patterns are never shared between
images: two colluders could estimate a shared set from their differences.

The cosines are whole numbers, and what is summed of them stays below 2**24: products
in float32 are exact in any order, so a mark can be regenerated on any machine.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.prf import derive, keystream

LARGEST_GRID = 256
SMALLEST_SIDE = 8
LOW, HIGH = 0.06, 0.62
"""The band's edges, as shares of the grid's Nyquist frequency."""

SCALE = 64
"""The cosines' amplitude as whole numbers."""

_ROWS = 4096
_MOST_KEPT = 1 << 19
"""Numbers in a table of cosines that is kept for the next image, 2 MB."""


@dataclass(frozen=True)
class Band:
    """The frequencies in use for one grid.

    Attributes:
        size: half cycles per image, exclusive bound: frequencies are 0..size-1.
        rows: ``(n,)`` vertical frequency of each coefficient.
        columns: ``(n,)`` horizontal frequency.
        bits: ``(n,)`` the code bit that each coefficient carries.
        bit_count: how many code bits there are.
    """

    size: int
    rows: np.ndarray
    columns: np.ndarray
    bits: np.ndarray
    bit_count: int


def grid_side(height: int, width: int) -> int:
    """The canonical grid's side: a power of two, at most LARGEST_GRID.

    Raises:
        InputError: no image has these sides.
    """
    if min(height, width) < 1:
        raise InputError(
            f"An image of {width} x {height} pixels carries no mark; if the ledger "
            "says so, it was changed"
        )
    shorter = min(height, width, LARGEST_GRID)
    return 1 << (shorter.bit_length() - 1)


@functools.lru_cache(maxsize=16)
def band(grid: int) -> Band:
    """The band of a grid; the same for every image of that grid."""
    size = int(np.ceil(HIGH * grid))
    rows, columns = np.divmod(np.arange(size * size), size)
    radius = np.hypot(rows, columns)
    used = (radius >= LOW * grid) & (radius < HIGH * grid) & (radius > 0)
    rows, columns = rows[used], columns[used]
    order = np.lexsort((columns, rows, np.hypot(rows, columns)))
    rows, columns = rows[order], columns[order]
    bit_count = 32 if grid <= 64 else 128
    bits = np.arange(len(rows)) % bit_count
    return Band(size, rows, columns, bits, bit_count)


def bit_count(height: int, width: int) -> int:
    """How many code bits an image of this size carries."""
    return band(grid_side(height, width)).bit_count


def cosines(length: int, size: int) -> np.ndarray:
    """``(length, size)`` whole numbers: SCALE * cos(pi k (2y+1) / (2 length))."""
    if length * size <= _MOST_KEPT:
        return _kept_cosines(length, size)
    return _cosines(length, size)


@functools.lru_cache(maxsize=64)
def _kept_cosines(length: int, size: int) -> np.ndarray:
    return _cosines(length, size)


def _cosines(length: int, size: int) -> np.ndarray:
    made = np.empty((length, size), np.float32)
    for start in range(0, length, _ROWS):  # doubles of a whole long side are large
        rows = np.arange(start, min(start + _ROWS, length))
        positions = 2 * rows[:, None] + 1
        angles = np.pi * positions * np.arange(size)[None] / (2 * length)
        made[start : start + _ROWS] = np.round(SCALE * np.cos(angles))
    return made


def carrier_key(key: bytes, image_id: str) -> bytes:
    """What the signs of one image's coefficients follow from, 32 bytes.

    Args:
        key: 32 bytes, the vault's watermark key.
        image_id: which original.
    """
    return derive(key, "carrier", image_id)


def signs(key: bytes, image_id: str, grid: int) -> np.ndarray:
    """The secret signs of an image's coefficients.

    Args:
        key: 32 bytes, the vault's watermark key.
        image_id: which original.
        grid: from :func:`grid_side`.

    Returns:
        ``(n,)`` float32, -1 or 1, in :func:`band`'s order.
    """
    return carrier_signs(carrier_key(key, image_id), grid)


def carrier_signs(carrier: bytes, grid: int) -> np.ndarray:
    """The same from the image's own key alone, see :func:`carrier_key`."""
    count = len(band(grid).rows)
    stream = keystream(carrier, (count + 7) // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8))[:count]
    return bits.astype(np.float32) * 2 - 1
