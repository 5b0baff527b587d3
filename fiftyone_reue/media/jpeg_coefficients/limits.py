"""No decoded pixel changes by more than epsilon.

What offsets do is computed first, block by block, as a decoder does before it rounds.
Then the changed picture is compared with the original, both as a usual decoder shows
them (:mod:`~.decoding`); where rounding, or colours together, take a pixel too far, its
blocks get less.

How much each block got is a whole number of gray levels. These numbers, with what was
wanted and the file's steps, give the same offsets again, see :func:`within`: they are
all that a record has to keep of offsets that come from a key or a small pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.jpeg_coefficients import library, limit_coding
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients, Component
from fiftyone_reue.media.jpeg_coefficients.decoding import Beside
from fiftyone_reue.media.jpeg_coefficients.planes import (
    Target,
    planes_of,
    shrinking,
)
from fiftyone_reue.media.jpeg_coefficients.rounding import fitted
from fiftyone_reue.media.jpeg_coefficients.transform import inverse

_MOST_ROUNDS, _MOST_LIMIT = 12, 255
_LEVEL = 12
# Of each colour difference the share that reaches a channel at most.
_REACH = {"ycbcr": (1.0, 1.772, 1.402), "ycck": (1.0, 1.772, 1.402, 1.0)}


Wanted = np.ndarray | Target
"""What is wanted of a component, or what computes it."""


@dataclass(frozen=True)
class Held:
    """Offsets that hold the limit.

    Attributes:
        offsets: of each component (rows, columns, 8, 8) int16.
        limits: of each component (rows, columns) uint8, what each block's change was
            limited to; None where none was wanted. See :func:`within`.
        rounds: how often the two pictures were compared.
    """

    offsets: list[np.ndarray]
    limits: list[np.ndarray | None]
    rounds: int


def hold(
    coefficients: Coefficients,
    wanted: Sequence[Wanted | None],
    epsilon: int,
    *,
    base: Coefficients | None = None,
    start: int | None = None,
    beside: Beside | None = None,
) -> Held:
    """Fit offsets to a wanted change so that no decoded pixel changes too much.

    Args:
        coefficients: of the original.
        wanted: of each component (rows, columns, 8, 8) int32, or what computes it, or
            None; see :func:`~.planes.targets`.
        epsilon: the largest change of a sample, gray levels, that of ``base`` included.
        base: what is changed, by default the original itself: the original's
            coefficients after other changes, which hold epsilon by themselves.
        start: what a block's change is limited to at first, 1 to 255 gray levels; by
            default epsilon.
        beside: the original, as a decoder shows it; by default a usual one's.

    Raises:
        ValueError: epsilon isn't positive, or what is wanted is far too large.
    """
    if epsilon < 1:
        raise ValueError("epsilon must be 1 at least")
    start = min(epsilon if start is None else start, _MOST_LIMIT)
    components = coefficients.components
    begun = coefficients if base is None else base
    original = Beside(coefficients) if beside is None else beside
    reach = _REACH.get(coefficients.colour, (1.0,) * 4)
    limits = [
        None
        if target is None
        else np.full(one.blocks.shape[:2], int(start / share), np.uint8)
        for one, target, share in zip(components, wanted, reach, strict=False)
    ]
    computed = original.tells(wanted, begun)
    held = within(coefficients, wanted, limits)
    masks: list[np.ndarray | None] = [None] * len(components)  # all blocks at first
    for rounds in range(1, _MOST_ROUNDS + 3):
        _stop_out_of_range(begun.components, held, limits, masks)
        luma = None
        if computed:
            there = begun.components[0].blocks
            luma = original.excess(there, held[0], epsilon, masks[0])
            computed = luma is not None
        if luma is not None:
            masks = [luma, *[None] * (len(components) - 1)]
        else:
            excess = original.shown_excess(added(begun, held), epsilon)
            masks = _reaching(coefficients, excess)
        if not any(mask is not None and mask.any() for mask in masks):
            return Held(held, limits, rounds)
        for one, target, limit, offset, mask in zip(
            components, wanted, limits, held, masks, strict=True
        ):
            if target is None or limit is None or mask is None:
                continue
            if rounds > _MOST_ROUNDS:  # blocks that reach far into others
                limit[mask if rounds == _MOST_ROUNDS + 1 else slice(None)] = 0
            # Large limits in larger steps, or there would be many rounds.
            limit[mask] -= np.minimum(np.maximum(limit[mask] // 8, 1), limit[mask])
            some = target.chosen(mask) if isinstance(target, Target) else target[mask]
            offset[mask] = _fitted(some, one, limit[mask])
            offset[limit == 0] = 0
    raise ValueError("what was changed before doesn't hold epsilon")


def within(
    coefficients: Coefficients,
    wanted: Sequence[Wanted | None],
    limits: list[np.ndarray | None],
) -> list[np.ndarray]:
    """The offsets that a wanted change gives within limits, the same everywhere.

    Args:
        coefficients: of any file with the same steps and sampling.
        wanted: as for :func:`hold`.
        limits: of each component (rows, columns) uint8 gray levels, or None where
            nothing is wanted; :func:`hold` finds them.

    Returns:
        Of each component (rows, columns, 8, 8) int16.
    """
    return [
        np.zeros(one.blocks.shape, np.int16)
        if target is None or limit is None
        else _all_fitted(target, one, limit)
        for one, target, limit in zip(
            coefficients.components, wanted, limits, strict=True
        )
    ]


def of_change(
    coefficients: Coefficients, change: np.ndarray, limits: list[np.ndarray | None]
) -> list[np.ndarray]:
    """:func:`within` of a change of pixels, in less memory.

    Args:
        coefficients: of any file with the same steps and sampling.
        change: as for :func:`~.planes.targets`.
        limits: as for :func:`within`.

    Returns:
        Of each component (rows, columns, 8, 8) int16.
    """
    planes = planes_of(coefficients, change)
    return [
        np.zeros(one.blocks.shape, np.int16)
        if plane is None or limit is None
        else of_plane(plane, one, limit, shrinking(coefficients, one))
        for one, plane, limit in zip(
            coefficients.components, planes, limits, strict=True
        )
    ]


def of_plane(
    plane: np.ndarray,
    component: Component,
    limit: np.ndarray,
    by: tuple[int, int] = (1, 1),
) -> np.ndarray:
    """The offsets of one component; a few rows of blocks at a time.

    Args:
        plane: what is wanted, see :func:`~.planes.wanted_of`.
        component: which.
        limit: (rows, columns) uint8 gray levels.
        by: how much lower its resolution is, down and across.

    Returns:
        (rows, columns, 8, 8) int16.
    """
    blocks = component.rows, component.columns
    return _all_fitted(Target(plane, by, blocks), component, limit)


def added(
    coefficients: Coefficients,
    *offsets: list[np.ndarray],
    keep: Sequence[Coefficients] | None = None,
) -> Coefficients:
    """The same with offsets added.

    Args:
        coefficients: what they are added to.
        offsets: of each component (rows, columns, 8, 8) int16, each list.
        keep: those whose arrays must stay as they are. Others' are changed in place,
            for they may be large. By default ``coefficients`` themselves.

    Raises:
        ValueError: a shape doesn't fit, or a sum isn't of 16 bits.
    """
    return _with_added(coefficients, offsets, 1, keep)


def subtracted(
    coefficients: Coefficients,
    offsets: list[np.ndarray],
    *,
    keep: Sequence[Coefficients] | None = None,
) -> Coefficients:
    """The same with offsets taken away.

    Args:
        coefficients: what they are taken from.
        offsets: of each component (rows, columns, 8, 8) int16.
        keep: as for :func:`added`.

    Raises:
        DamagedRecordError: a difference isn't of 16 bits, or a shape doesn't fit.
    """
    try:
        return _with_added(coefficients, (offsets,), -1, keep)
    except ValueError as error:
        raise DamagedRecordError(
            "The record doesn't fit this image: restored coefficients leave their range"
        ) from error


def _with_added(
    coefficients: Coefficients,
    offsets: Sequence[list[np.ndarray]],
    sign: int,
    keep: Sequence[Coefficients] | None,
) -> Coefficients:
    """Components that nothing is added to are shared, for they may be large."""
    made = []
    keep = (coefficients,) if keep is None else keep
    kept = {id(one.stored) for each in keep for one in each.components}
    for component, *each in zip(coefficients.components, *offsets, strict=True):
        changes = [one for one in each if one.any()]
        if not changes and all(one.shape == component.blocks.shape for one in each):
            made.append(component)
            continue
        stored = component.stored
        if id(stored) in kept:
            stored = stored.copy()
        for one in changes or each:
            blocks = stored[: component.rows, : component.columns]
            if not library.add(blocks, one, sign):
                raise ValueError("a coefficient is out of range")
        made.append(replace(component, stored=stored))
    return replace(coefficients, components=tuple(made))


def packed_limits(limits: list[np.ndarray | None]) -> bytes:
    """Limits in few bytes: which components have some, and these, packed."""
    there = sum(1 << i for i, one in enumerate(limits) if one is not None)
    raw = b"".join(one.tobytes() for one in limits if one is not None)
    return bytes((there,)) + limit_coding.packed(raw, _LEVEL)


def unpacked_limits(
    packed: bytes, coefficients: Coefficients
) -> list[np.ndarray | None]:
    """Undo :func:`packed_limits`.

    Args:
        packed: what it gave.
        coefficients: of the picture that they are of.

    Raises:
        DamagedRecordError: they can't be read, or are of another picture.
    """
    shapes = [one.blocks.shape[:2] for one in coefficients.components]
    there = [bool(packed[:1]) and packed[0] >> i & 1 for i in range(len(shapes))]
    sizes = [
        rows * columns if has else 0
        for (rows, columns), has in zip(shapes, there, strict=True)
    ]
    raw = limit_coding.unpacked(packed[1:], sum(sizes))
    if len(raw) != sum(sizes) or packed[0] >> len(shapes):
        raise DamagedRecordError(
            "The record is damaged: it is of a picture of another size or kind"
        )
    values = np.split(np.frombuffer(raw, np.uint8), np.cumsum(sizes)[:-1])
    return [
        one.reshape(shape) if has else None
        for one, shape, has in zip(values, shapes, there, strict=True)
    ]


def _all_fitted(target: Wanted, component: Component, limit: np.ndarray) -> np.ndarray:
    if not isinstance(target, Target):
        return _fitted(target, component, limit)
    offsets = np.empty(component.blocks.shape, np.int16)
    for there, wanted in target.rows():
        offsets[there] = _fitted(wanted, component, limit[there])
    return offsets


def _fitted(target: np.ndarray, component: Component, limit: np.ndarray) -> np.ndarray:
    offsets = fitted(target, component.quantisation, limit)
    offsets[limit == 0] = 0
    return offsets


def _reaching(
    coefficients: Coefficients, excess: np.ndarray
) -> list[np.ndarray | None]:
    """Of each component the blocks that reach these pixels, (height, width) bool."""
    if not excess.any():
        return [None] * len(coefficients.components)
    return [
        blocks_reached(coefficients, one, excess) for one in coefficients.components
    ]


def _stop_out_of_range(
    components: tuple[Component, ...],
    held: list[np.ndarray],
    limits: list[np.ndarray | None],
    looked: list[np.ndarray | None],
) -> None:
    """Leave blocks as they are whose coefficients would get out of range.

    Args:
        components: what is changed.
        held: the offsets, which are changed.
        limits: which are changed as well.
        looked: of each component (rows, columns) bool, what has changed; None: all.
    """
    for one, offset, limit, mask in zip(components, held, limits, looked, strict=True):
        if limit is not None:
            limit[library.stop(one.blocks, offset, mask)] = 0


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


def blocks_reached(
    coefficients: Coefficients, component: Component, where: np.ndarray
) -> np.ndarray:
    """The blocks of a component that reach certain pixels.

    Args:
        coefficients: of the file.
        component: one of its.
        where: (height, width) bool, the pixels.

    Returns:
        (rows, columns) bool.
    """
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
