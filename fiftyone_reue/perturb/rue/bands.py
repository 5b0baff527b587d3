"""Bands: a picture's own texture, made stronger in a few of its frequencies.

A class has a frequency of the plane, drawn by the key from a continuum, and what the
picture itself has in that band is added to it once more, up to the amplitude. Little is
put where the picture is smooth, so that little stands out there, for eyes or for
filters; and where there is texture, nobody can say how much of it was there before
without knowing the band. Whoever trains on it finds the bands first: they tell the
classes apart on every image, and without exception.

More classes than there are frequencies apart get two or three each, of which every
region of an image draws one by the key.

Frequencies are in 1/:data:`GRID` half cycles per :data:`BLOCK` pixels down and across,
so that whole ones are those of the cosine transform of JPEG's blocks; regions are two
of its blocks wide. Everything is integers, the same on every machine; samples are in
1/:data:`UNIT` gray levels.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.options import option
from fiftyone_reue.perturb.base import keyed_order
from fiftyone_reue.prf import KEY_SIZE, derive, keystream
from fiftyone_reue.semantics.fixed import ONE, SINES, TURN

BLOCK = 8
"""Pixels a side of JPEG's blocks."""

GRID = 16
"""Steps of a frequency in one half cycle a block."""

LOWEST, HIGHEST = 20, 59
"""How far from even a frequency is, in steps: below, pictures are too strong, and
above, a blur takes it."""

ALONE = 16
"""The most classes that have a frequency of their own each."""

SHARED = 20
"""How many frequencies more classes share."""

MOST_BANDS = 3
"""That a class has."""

UNIT = 48
"""Parts of a gray level, 16 for each of three colours."""

REACH = 9
"""Pixels to both sides that a band's filter looks at."""

GAIN_BITS = 28
"""Gains are in so many binary places."""

SHORTEST, WORKING = 64, 128
"""Shorter sides: the least that has enough regions, and what images are halved to at
least."""

_WINDOW = np.array([256, 248, 226, 193, 155, 117, 83, 55, 35, 20], np.int64)
"""A Gaussian of 4 pixels, from the middle to :data:`REACH`."""

_AROUND = 9
"""Pixels a side of the mean that a picture's texture is measured against."""


@dataclass(frozen=True)
class BandsConfig:
    """How bands are drawn."""

    region: int = option(
        16,
        "Pixels a side of what draws one, a multiple of 8.",
        least=8,
    )
    strength: int = option(
        150,
        "Of the mean change to the picture's mean texture, in percent, "
        "before it is cut off at the amplitude.",
        least=1,
        most=1000,
    )
    least: int = option(
        4,
        "Mean texture in gray levels that every image is taken to have.",
        least=0,
    )
    waves: str = option(
        "short",
        "In a JPEG of more than 128 pixels: short ones are seen less, long ones "
        "outlast being compressed again.",
        choices=("short", "long"),
    )
    expand: bool = option(
        True,
        "In a JPEG, change blocks by what is seen in others, of which little has to be "
        "recorded; else the pattern of pixels is made of them and recorded, and files "
        "get a third larger.",
    )


DEFAULT = BandsConfig()


def class_bands(classes: int, key: bytes) -> np.ndarray:
    """Every class's frequencies, as far apart and as few as they can be.

    Args:
        classes: at least 1.
        key: 32 bytes; it draws the frequencies, and which class has which.

    Returns:
        ``(classes, n, 2)`` uint8 in 1/GRID half cycles down and across a block; n is 1
        for up to :data:`ALONE` classes, 2 up to 190, 3 up to 1,140.

    Raises:
        InputError: there are more classes than sets of frequencies.
    """
    if classes <= ALONE:
        return apart(classes, key)[:, None]
    for each in (2, 3):
        sets = list(itertools.combinations(range(SHARED), each))
        if classes <= len(sets):
            order = keyed_order(derive(key, "bands-of-classes"), len(sets))
            chosen = [sets[place] for place in order[:classes]]
            return apart(SHARED, key)[np.array(chosen)]
    raise InputError(
        f"{classes} classes are more than the {len(sets)} that can be told apart by "
        "bands; choose another method, such as lsp"
    )


def apart(count: int, key: bytes) -> np.ndarray:
    """Frequencies that the key draws, far from one another.

    Args:
        count: how many, up to :data:`SHARED`.
        key: 32 bytes.

    Returns:
        ``(count, 2)`` uint8 in 1/GRID half cycles.
    """
    places = np.indices((HIGHEST + 1, HIGHEST + 1)).reshape(2, -1).T
    far = (places**2).sum(axis=1)
    places = places[(far >= LOWEST**2) & (far <= HIGHEST**2)]
    places = places[keyed_order(derive(key, "bands"), len(places))]
    for least in range(HIGHEST, 0, -1):
        left = places
        chosen: list[np.ndarray] = []
        while len(left) and len(chosen) < count:
            chosen.append(left[0])
            left = left[((left - left[0]) ** 2).sum(axis=1) >= least**2]
        if len(chosen) == count:
            return np.array(chosen, np.uint8)
    raise InputError(f"{count} frequencies are more than there are")


def cell_of(height: int, width: int, working: int = WORKING) -> int:
    """Pixels a side of a pattern's cells, so that a reduced image keeps its bands.

    Args:
        height: pixels.
        width: pixels.
        working: what images are halved to at least.

    Returns:
        A power of two: after so many halvings the shorter side is still ``working``
        pixels, and it wouldn't be after one more; 1 for smaller ones.
    """
    cell = 1
    while min(height, width) // (2 * cell) >= working:
        cell *= 2
    return cell


def gray_cells(image: np.ndarray, cell: int) -> np.ndarray:
    """The mean of each cell's samples.

    Args:
        image: ``(H, W, colours)`` uint8, colours 1 or 3.
        cell: pixels a side; the last cells repeat the border.

    Returns:
        ``(ceil(H / cell), ceil(W / cell))`` int64 in 1/UNIT gray levels.
    """
    height, width, colours = image.shape
    if height % cell or width % cell:
        beyond = (0, -height % cell), (0, -width % cell), (0, 0)
        image = np.pad(image, beyond, mode="edge")
    # Row by row and then place by place, which is many times faster than over axes.
    flat = image.reshape(len(image), -1)
    rows = flat[::cell].astype(np.int32)
    for row in range(1, cell):
        rows += flat[row::cell]
    each = cell * colours
    total = rows[:, ::each].astype(np.int64)
    for place in range(1, each):
        total += rows[:, place::each]
    return total * (UNIT // colours) // cell**2


def response(levels: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """What a picture has in a band, place by place.

    Args:
        levels: ``(h, w)`` int64, h and w over :data:`REACH`.
        frequency: ``(2,)`` in 1/GRID half cycles down and across a block.

    Returns:
        ``(h, w)`` int64; its scale is the same for all places of a band, 0 where the
        picture is even.
    """
    padded = np.pad(levels, REACH, mode="reflect")
    down, across = (_taps(int(number)) for number in frequency)
    found = _filtered(_filtered(padded, down, 0), across, 1)
    even = _filtered(_filtered(padded, _WINDOW, 0), _WINDOW, 1)
    # Without its share of the mean: what is even has no band.
    share = _sum(down) * _sum(across)
    return (found - even * share // _sum(_WINDOW) ** 2) >> 10


def others_response(others: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """What half of a picture has in a band, as seen from the other half.

    Args:
        others: ``(h, w)`` int64 as :func:`gray_cells` gives, h and w over
            :data:`REACH`; 0 in the cells of one colour of a chessboard.
        frequency: ``(2,)`` in 1/GRID half cycles down and across a block.

    Returns:
        ``(h, w)`` int64, at the cells of that colour half of :func:`response`, about.
    """
    padded = np.pad(others.astype(np.int32), REACH, mode="reflect")
    down, across = (_taps(int(number)) for number in frequency)
    # With five places less, nothing of 8-bit samples leaves 32 bits.
    found, even = (one >> 5 for one in _both_filtered(padded, (down, _WINDOW)))
    (found,) = _both_filtered(np.ascontiguousarray(found.T), (across,))
    (even,) = _both_filtered(np.ascontiguousarray(even.T), (_WINDOW,))
    share = _others_sum(down, across)
    plain = even.T.astype(np.int64) * share // _others_sum(_WINDOW, _WINDOW)
    return (found.T - plain) >> 5


def own_response(frequency: np.ndarray) -> int:
    """What :func:`others_response` gives at the top of a wave of its own frequency.

    Args:
        frequency: ``(2,)`` in 1/GRID half cycles down and across a block.

    Returns:
        For a wave of one level's height.
    """
    down, across = (
        _taps(int(number)) * _cosines(int(number)) // ONE for number in frequency
    )
    return max(0, _others_sum(down, across)) >> 10


def texture(levels: np.ndarray, where: np.ndarray | None = None) -> int:
    """The mean distance from the mean around, in the levels' own unit.

    Args:
        levels: ``(h, w)`` int64.
        where: of which places, ``(h, w)`` bool; all by default.
    """
    near = np.pad(levels, _AROUND // 2, mode="reflect")
    ones = np.ones(_AROUND // 2 + 1, np.int64)
    mean = _filtered(_filtered(near, ones, 0), ones, 1) // _AROUND**2
    apart = np.abs(levels - mean)
    return int(apart.sum(where=True if where is None else where)) // (
        levels.size if where is None else max(1, int(where.sum()))
    )


def gain_of(
    found: np.ndarray,
    levels: np.ndarray,
    amplitude: int,
    config: BandsConfig,
    where: np.ndarray | None = None,
) -> int:
    """As much gain as the configuration asks for, for one picture.

    Args:
        found: integers, what is found of a band in the cells that are to be changed.
        levels: ``(h, w)`` int64 in 1/UNIT gray levels.
        amplitude: gray levels.
        config: how strong.
        where: the places that are to be changed, ``(h, w)`` bool; all by default.

    Returns:
        In ``2**-GAIN_BITS`` gray levels; at most :func:`most_gain`.
    """
    size = np.abs(found)
    mean = int(size.sum()) // max(size.size, 1)
    much = max(texture(levels, where), config.least * UNIT) * config.strength
    gain = (much << GAIN_BITS) // (mean * UNIT * 100) if mean else 0
    return min(gain, most_gain(amplitude))


def within(mine: np.ndarray, where: np.ndarray | None) -> np.ndarray:
    """Those of a step's places that a class has, or all if it has none of them."""
    if where is None or not (mine & where).any():
        return mine
    return mine & where


def most_gain(amplitude: int) -> int:
    """The largest gain; with a larger one products would overflow."""
    return amplitude << GAIN_BITS


def sample_noise(key: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """What is even gets a texture too, one that nobody without the key can repeat.

    Args:
        key: 32 bytes of this sample.
        shape: of the cells.

    Returns:
        int8 of that shape, in 1/UNIT gray levels.
    """
    noise = keystream(derive(key, "bands-noise"), math.prod(shape))
    return np.frombuffer(noise, np.int8).reshape(shape)


def packed_bands(bands: np.ndarray, key: bytes) -> bytes:
    """A class's bands and a sample's key, for a record.

    Args:
        bands: ``(n, 2)`` uint8.
        key: 32 bytes.
    """
    return bytes([len(bands)]) + bands.astype(np.uint8).tobytes() + key


def unpacked_bands(data: bytes) -> tuple[np.ndarray, bytes]:
    """Undo :func:`packed_bands`.

    Raises:
        ValueError: it isn't that.
    """
    count = data[0] if data else 0
    end = 1 + 2 * count
    if not 1 <= count <= MOST_BANDS or len(data) != end + KEY_SIZE:
        raise ValueError("no bands and key are packed like this")
    return np.frombuffer(data[1:end], np.uint8).reshape(count, 2), data[end:]


def drawn_bands(
    count: int, height: int, width: int, key: bytes, region: int = DEFAULT.region
) -> np.ndarray:
    """Which of the bands each place of an image has.

    Args:
        count: how many the class has.
        height: cells.
        width: cells.
        key: 32 bytes of this sample, for this one draw.
        region: cells a side.

    Returns:
        ``(height, width)`` int64, 0..count-1.
    """
    high, wide = -(-height // region), -(-width // region)
    draw = np.frombuffer(keystream(key, 2 * high * wide), "<u2").astype(np.int64)
    regions = (draw % count).reshape(high, wide)
    # A region larger than the image would take a lot of memory for nothing.
    tall, broad = min(region, height), min(region, width)
    return regions.repeat(tall, 0).repeat(broad, 1)[:height, :width]


def _taps(number: int) -> np.ndarray:
    """Half of a cosine's filter, from the middle to :data:`REACH`."""
    return (_WINDOW * _cosines(number) + ONE // 2) // ONE


def _cosines(number: int) -> np.ndarray:
    """From the middle to :data:`REACH`, in 1/ONE."""
    angles = TURN * number * np.arange(REACH + 1) // (2 * BLOCK * GRID)
    return SINES[(angles + TURN // 4) % TURN]


def _sum(half: np.ndarray) -> int:
    return int(2 * half.sum() - half[0])


def _others_sum(down: np.ndarray, across: np.ndarray) -> int:
    """Of a filter's weights at an odd distance, which have the other colour."""
    signs = 1 - 2 * (np.arange(REACH + 1) % 2)
    turned = _sum(down * signs) * _sum(across * signs)
    return (_sum(down) * _sum(across) - turned) // 2


def _filtered(levels: np.ndarray, half: np.ndarray, axis: int) -> np.ndarray:
    """An even filter along an axis, which gets shorter by its reach at both ends."""
    reach = len(half) - 1
    length = levels.shape[axis] - 2 * reach

    def shifted(by: int) -> np.ndarray:
        start = reach + by
        whole = [slice(None), slice(None)]
        whole[axis] = slice(start, start + length)
        return levels[tuple(whole)]

    total = half[0] * shifted(0)
    for place in range(1, reach + 1):
        total += half[place] * (shifted(place) + shifted(-place))
    return total


def _both_filtered(
    levels: np.ndarray, halves: tuple[np.ndarray, ...]
) -> list[np.ndarray]:
    """Even filters of one reach along the first axis, int32, as :func:`_filtered`."""
    length = len(levels) - 2 * REACH
    middle = np.ascontiguousarray(levels[REACH : REACH + length])
    totals = [middle * np.int32(half[0]) for half in halves]
    pair, part = np.empty_like(middle), np.empty_like(middle)
    for place in range(1, REACH + 1):
        before, after = REACH - place, REACH + place
        np.add(
            levels[before : before + length], levels[after : after + length], out=pair
        )
        for half, total in zip(halves, totals, strict=True):
            np.multiply(pair, np.int32(half[place]), out=part)
            total += part
    return totals
