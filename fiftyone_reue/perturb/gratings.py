"""Gratings: keyed stripes, one kind a class, that networks learn before anything else.

A grating is ``sign(cos)`` of one spatial frequency, along rows or columns, at the full
amplitude. It is achromatic, so a grayscale conversion changes nothing; it is the same
texture wherever it begins, so every sample can have a phase of its own: nothing is
left of it in a class's average, and a linear model of the pixels can't see it, which
are the two ways to find an ordinary class pattern. All of its energy is in one line of
the spectrum, where a photograph has little: that is why a few hundred steps suffice to
learn it, and why fitted tables, which spread theirs, are learned more slowly
(``benchmarks/results/rue_ablation.md``).

More classes than there are separate lines get a sum of two waves, one along rows and
one along columns, before the sign is taken, and more than there are pairs (121) get
two along the one and one along the other (1,210).

Where not the largest change is limited but its energy, as by a PSNR that is to be kept,
:func:`soft_grating` leaves the sign out: a sine has all of its energy in its line.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.prf import keystream
from fiftyone_reue.semantics.fixed import ONE, SINES, TURN, root

CELLS = 32
"""The tile's side; frequencies are in cycles a tile."""
LOWEST, HIGHEST = 5, 15
"""The lower, the more of the same frequency photographs have themselves."""
COMFORTABLE = 7
"""The lowest that is used before there are too many classes for it."""

STRENGTH_UNIT = 16
"""Steps of a soft grating's strength in one gray level."""

_LINES = range(LOWEST, HIGHEST + 1)

Wave = tuple[int, int]
"""Cycles a tile down and across; one of them is 0."""
Code = tuple[Wave, ...]
"""What tells a class: the waves that its grating is the sum of."""


def class_codes(classes: int) -> list[Code]:
    """A code for each of so many classes, as far apart as they go.

    Raises:
        InputError: there are more classes than codes.
    """
    axis = math.ceil(classes / 2)
    if axis <= len(_LINES):
        lines = _spread(axis)
        lone: list[Code] = [((line, 0),) for line in lines]
        lone += [((0, line),) for line in lines]
        return lone[:classes]
    side = math.ceil(math.sqrt(classes))
    if side <= len(_LINES):
        crossings = itertools.product(_spread(side), repeat=2)
        pairs: list[Code] = [((down, 0), (0, across)) for down, across in crossings]
        return pairs[:classes]
    # One with two lines down, then one with two across, and so on.
    codes: list[Code] = []
    for single_line, (one, two) in itertools.product(
        _LINES, itertools.combinations(_LINES, 2)
    ):
        codes.append(((one, 0), (two, 0), (0, single_line)))
        codes.append(((single_line, 0), (0, one), (0, two)))
    if classes > len(codes):
        raise InputError(
            f"{classes} classes are more than the {len(codes)} that can be told apart "
            "by gratings; choose another method, such as lsp"
        )
    return codes[:classes]


def grating(
    waves: Sequence[Wave], phases: np.ndarray, side: int, amplitude: int
) -> np.ndarray:
    """The sign of a sum of waves.

    Args:
        waves: cycles a tile.
        phases: ``(len(waves),)`` in turns, 0..1.
        side: cells; the tile repeats seamlessly whatever it is.
        amplitude: gray levels.

    Returns:
        ``(side, side, 1)`` int8, every cell ``amplitude`` or ``-amplitude``.
    """
    position = np.arange(side) / side
    down, across = position[:, None], position[None, :]
    total = np.zeros((side, side))
    for (rows, columns), phase in zip(waves, phases, strict=True):
        turns = rows * down + columns * across + phase
        total += np.cos(2 * np.pi * turns)
    signs = np.where(total >= 0, amplitude, -amplitude)
    return signs[..., None].astype(np.int8)


def summed_waves(
    waves: Sequence[Wave],
    phases: Sequence[int],
    height: int,
    width: int,
    turned: np.ndarray | int = 0,
) -> np.ndarray:
    """A sum of cosines in whole numbers, the same on every machine.

    Args:
        waves: cycles over the height and over the width.
        phases: one for each wave, in parts of a turn, of which there are
            :data:`fiftyone_reue.semantics.fixed.TURN`.
        height: rows.
        width: columns.
        turned: added to all phases, one for all places or ``(height, width)``.

    Returns:
        ``(height, width)`` int64 in units of 1/``fixed.ONE``.
    """
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    total = np.zeros((height, width), np.int64)
    for (down, across), phase in zip(waves, phases, strict=True):
        turns = TURN * down * rows // height + TURN * across * columns // width
        total += SINES[(turns + phase + turned + TURN // 4) % TURN]
    return total


def keyed_phases(key: bytes, waves: Sequence[Wave]) -> tuple[int, ...]:
    """A phase for each wave, in parts of a turn as in :func:`summed_waves`.

    Args:
        key: 32 bytes, derived for these phases.
        waves: only how many they are matters.
    """
    stream = keystream(key, 2 * len(waves))
    return tuple(int(number) % TURN for number in np.frombuffer(stream, "<u2"))


def soft_grating(
    waves: Sequence[Wave], phases: Sequence[int], side: int, strength: int
) -> np.ndarray:
    """A sum of waves as it is.

    Args:
        waves: cycles a tile.
        phases: see :func:`summed_waves`.
        side: cells.
        strength: root mean square in 1/:data:`STRENGTH_UNIT` gray levels, before
            rounding to whole ones.

    Returns:
        ``(side, side, 1)`` int8.
    """
    # One cosine's mean square is 1/2, so that a sum of n has n/2.
    peak = strength * int(root(np.array(2 * ONE * ONE // len(waves))))
    unit = STRENGTH_UNIT * ONE * ONE
    levels = (peak * summed_waves(waves, phases, side, side) + unit // 2) // unit
    return levels[..., None].astype(np.int8)


def grating_tables(
    classes: int,
    variants: int,
    amplitude: int,
    generator: np.random.Generator,
    side: int = CELLS,
) -> np.ndarray:
    """Tables of gratings, a code for each class in an order that the generator draws.

    Args:
        classes: at least 2.
        variants: tables a class; they differ in their phases.
        amplitude: gray levels, 1..127.
        generator: keyed.
        side: cells of a tile; frequencies stay in cycles a tile.

    Returns:
        ``(classes, variants, side, side, 1)`` int8.

    Raises:
        InputError: there are more classes than codes.
    """
    codes = class_codes(classes)
    order = generator.permutation(classes)
    tables = np.empty((classes, variants, side, side, 1), np.int8)
    for index, code in zip(order, codes, strict=True):
        for variant in range(variants):
            phases = generator.random(len(code))
            tables[index, variant] = grating(code, phases, side, amplitude)
    return tables


def _spread(count: int) -> list[int]:
    """So many of the lines, as far apart as they go."""
    if count > HIGHEST - COMFORTABLE + 1:
        return list(_LINES[-count:])
    if count == 1:
        return [(COMFORTABLE + HIGHEST) // 2]
    return [int(line) for line in np.linspace(COMFORTABLE, HIGHEST, count).round()]
