"""No decoded pixel changes by more than epsilon.

What offsets do is computed first, block by block, as a decoder does before it rounds.
Then the changed file is written and decoded, and compared with the decoded original;
where rounding, or colours together, take a pixel too far, its blocks get less.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients, Component
from fiftyone_reue.media.jpeg_coefficients.planes import shrinking
from fiftyone_reue.media.jpeg_coefficients.rounding import fitted, within_range
from fiftyone_reue.media.jpeg_coefficients.transform import inverse
from fiftyone_reue.media.jpeg_coefficients.writing import write

_MOST_ROUNDS = 12
_LESS, _BELOW = 0.9, 0.25
# Of each colour difference the share that reaches a channel at most.
_REACH = {"ycbcr": (1.0, 1.772, 1.402), "ycck": (1.0, 1.772, 1.402, 1.0)}


@dataclass(frozen=True)
class Held:
    """Offsets that hold the limit.

    Attributes:
        offsets: of each component (rows, columns, 8, 8) int16.
        largest: the largest change of a decoded sample, at most epsilon.
        rounds: how often the file was written and decoded.
        data: the file as it was written last.
    """

    offsets: list[np.ndarray]
    largest: int
    rounds: int
    data: bytes


def decoded(data: bytes) -> np.ndarray:
    """What a usual decoder shows: libjpeg-turbo's with its defaults, by Pillow.

    Returns:
        (height, width) or (height, width, channels) uint8, not turned.
    """
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def hold(
    coefficients: Coefficients,
    wanted: list[np.ndarray | None],
    epsilon: int,
    *,
    writer: Callable[[Coefficients], bytes] = write,
    decoder: Callable[[bytes], np.ndarray] = decoded,
) -> Held:
    """Fit offsets to a wanted change so that no decoded pixel changes too much.

    Args:
        coefficients: of the original.
        wanted: of each component (rows, columns, 8, 8) float64, coefficients times
            steps, or None; see :func:`~.planes.targets`.
        epsilon: the largest change of a sample, gray levels.
        writer: writes the file that is decoded.
        decoder: gives (height, width, ...) uint8.

    Raises:
        ValueError: epsilon isn't positive, or what is wanted is far too large.
    """
    if epsilon < 1:
        raise ValueError("epsilon must be 1 at least")
    components = coefficients.components
    before = decoder(writer(coefficients)).astype(np.int16)
    reach = _REACH.get(coefficients.colour, (1.0,) * 4)
    limits = [
        np.full(one.blocks.shape[:2], epsilon / share)
        for one, share in zip(components, reach, strict=False)
    ]
    held = [
        np.zeros(one.blocks.shape, np.int16)
        if target is None
        else fitted(target, one.quantisation, limit)
        for one, target, limit in zip(components, wanted, limits, strict=True)
    ]
    for rounds in range(1, _MOST_ROUNDS + 3):
        held = within_range(coefficients, held)
        blocks = [
            one.blocks + offset for one, offset in zip(components, held, strict=True)
        ]
        data = writer(coefficients.with_blocks(blocks))
        change = np.abs(decoder(data) - before)
        excess: np.ndarray = np.greater(change, epsilon)
        if not excess.any():
            return Held(held, int(change.max(initial=0)), rounds, data)
        where = excess if excess.ndim == 2 else np.any(excess, axis=2)
        for one, target, limit, offset in zip(
            components, wanted, limits, held, strict=True
        ):
            if target is None:
                continue
            mask = _blocks_of(coefficients, one, where)
            if rounds > _MOST_ROUNDS:  # blocks that reach far into others
                limit[mask if rounds == _MOST_ROUNDS + 1 else slice(None)] = 0
            limit[mask] = np.maximum(limit[mask] * _LESS - _BELOW, 0)
            offset[mask] = fitted(target[mask], one.quantisation, limit[mask])
            offset[limit == 0] = 0
    raise AssertionError("a file without any change has changed")


def largest_change(offsets: np.ndarray, quantisation: np.ndarray) -> np.ndarray:
    """Of each block the largest change of a pixel, before a decoder rounds.

    Decoded, it is at most one more: both pictures are rounded by half at most.

    Args:
        offsets: (..., 8, 8) int16.
        quantisation: (8, 8), the steps.

    Returns:
        (...) float64.
    """
    values = offsets * quantisation.astype(np.int32)
    return np.abs(inverse(values)).max((-1, -2), initial=0)


def _blocks_of(
    coefficients: Coefficients, component: Component, where: np.ndarray
) -> np.ndarray:
    """(rows, columns) bool: the blocks that reach a pixel, (height, width) bool."""
    down, across = shrinking(coefficients, component)
    wide = where.copy()
    # Decoders smooth what they enlarge, over a neighbour's border.
    for axis, by in ((0, down), (1, across)):
        for step in range(1, by):
            wide |= _moved(where, axis, step) | _moved(where, axis, -step)
        where = wide.copy()
    rows, columns = component.rows, component.columns
    height, width = 8 * rows * down, 8 * columns * across
    filled = np.zeros((height, width), bool)
    high, broad = min(height, wide.shape[0]), min(width, wide.shape[1])
    filled[:high, :broad] = wide[:high, :broad]
    return np.any(filled.reshape(rows, 8 * down, columns, 8 * across), axis=(1, 3))


def _moved(where: np.ndarray, axis: int, by: int) -> np.ndarray:
    moved = np.roll(where, by, axis)
    edge = slice(None, by) if by > 0 else slice(by, None)
    moved[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = False
    return moved
