"""How a licensed JPEG becomes a protected one, and what leads back.

As :mod:`fiftyone_reue.perturb.reversal`, where a JPEG's coefficients carry the image:
the method's change in pixels is turned into whole offsets of coefficients, and nothing
is lost at any rail. What leads back is either the method's small pattern, with how much
each block got of it, or the offsets themselves, whichever is shorter.

An :class:`~fiftyone_reue.perturb.base.ExpandingMethod` changes coefficients itself,
where it can, and then what leads back is what it needs, and each block's level.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from fiftyone_reue.errors import DamagedRecordError, EditedImageError
from fiftyone_reue.media import packing
from fiftyone_reue.media.expand import expand
from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.decoding import Beside
from fiftyone_reue.media.jpeg_coefficients.limits import (
    added,
    blocks_reached,
    hold,
    packed_limits,
    subtracted,
    unpacked_limits,
    within,
)
from fiftyone_reue.media.jpeg_coefficients.planes import has_whole_luma, targets
from fiftyone_reue.media.jpeg_coefficients.steps import packed_steps, unpacked_steps
from fiftyone_reue.perturb.base import (
    Expander,
    ExpandingMethod,
    InvertibleMethod,
    Method,
    State,
)
from fiftyone_reue.perturb.reversal import ByPattern as PixelPattern
from fiftyone_reue.perturb.reversal import (
    Content,
    Reversal,
    joined,
    named_method,
    packed_pattern,
    parted,
    require_room,
    unpacked_pattern,
)

VERSION = 3
"""Of records whose digests and offsets are of coefficients."""

_LEVEL, _LARGE_LEVEL, _QUICK_LEVEL = 15, 12, 3
_LARGE = 1 << 18  # bytes: a higher level takes far longer, and saves a tenth
_WELL = 0.6  # of what the quick level leaves the others leave more
_MIDDLE = 128
_MOST_CHANGE = 127
_NOTHING = 255
_MOST = 1023  # what the standard's codes can say of a coefficient


class Way(ABC):
    """One way from P's coefficients back to W's, by what was added."""

    @abstractmethod
    def licensed(self, protected: Coefficients) -> Coefficients:
        """``P -> W``.

        Raises:
            DamagedRecordError, ValueError: it isn't of this picture.
        """

    @abstractmethod
    def protected(self, licensed: Coefficients) -> Coefficients:
        """``W -> P``; the errors are the same."""

    @abstractmethod
    def in_pixels(self, like: np.ndarray) -> Reversal:
        """About the same for changed pixels, of which nothing is exact.

        Args:
            like: ``(H, W, colours)`` uint8.

        Raises:
            EditedImageError: the record doesn't tell.
        """

    @abstractmethod
    def pack(self) -> bytes:
        """The content of the recipient's box."""


class _ByAdding(Way):
    """Something was added that doesn't depend on the coefficients."""

    @abstractmethod
    def offsets(self, coefficients: Coefficients) -> list[np.ndarray]:
        """What was added.

        Args:
            coefficients: of O, W or P: only size, sampling and steps matter.

        Returns:
            Of each component (rows, columns, 8, 8) int16.
        """

    def licensed(self, protected: Coefficients) -> Coefficients:
        return subtracted(protected, self.offsets(protected))

    def protected(self, licensed: Coefficients) -> Coefficients:
        return added(licensed, self.offsets(licensed))


@dataclass(frozen=True, eq=False)
class ByPattern(_ByAdding):
    """A small pattern was stretched over the image.

    Attributes:
        pattern: ``(h, w, c)`` int8, before it was stretched, c 1 or 3.
        limits: :func:`packed_limits` of how much each block got.
    """

    code: ClassVar[int] = 1
    pattern: np.ndarray
    limits: bytes

    def offsets(self, coefficients: Coefficients) -> list[np.ndarray]:
        if self.pattern.shape[2] == 3 and len(coefficients.components) == 1:
            raise ValueError("a pattern of colours can't be of a gray picture")
        wanted = _wanted(coefficients, self.pattern)
        return within(coefficients, wanted, unpacked_limits(self.limits, coefficients))

    def in_pixels(self, like: np.ndarray) -> Reversal:
        if self.pattern.shape[2] not in (1, like.shape[2]):
            raise _untold()
        offset = expand(self.pattern, *like.shape[:2])
        return PixelPattern(offset, b"", 255, self.pattern)

    def pack(self) -> bytes:
        return bytes([self.code]) + packed_pattern(self.pattern, self.limits)

    @classmethod
    def unpack(cls, content: bytes, sides: tuple[int, int]) -> ByPattern:
        """Read the content after its first byte."""
        return cls(*unpacked_pattern(content, sides, (1, 3)))


@dataclass(frozen=True, eq=False)
class ByOffsets(_ByAdding):
    """All offsets are known.

    Attributes:
        packed: of each component its offsets, packed; empty where there are none.
    """

    code: ClassVar[int] = 2
    packed: tuple[bytes, ...]

    @classmethod
    def of(cls, offsets: list[np.ndarray], least: int | None = None) -> ByOffsets:
        """All of them.

        Args:
            offsets: of each component (rows, columns, 8, 8) int16.
            least: bytes; what won't get shorter than that needn't be packed well.
        """
        numbers = [_numbers(one) for one in offsets]
        if least is not None:
            quick = cls(tuple(_packed(one, _QUICK_LEVEL) for one in numbers))
            if _WELL * len(quick.pack()) >= least:
                return quick
        levels = [_LEVEL if len(one) <= _LARGE else _LARGE_LEVEL for one in numbers]
        return cls(tuple(map(_packed, numbers, levels)))

    def offsets(self, coefficients: Coefficients) -> list[np.ndarray]:
        if len(self.packed) != len(coefficients.components):
            raise ValueError("the offsets are of other components")
        return [
            _unpacked_offsets(packed, one.blocks.shape)
            for packed, one in zip(self.packed, coefficients.components, strict=True)
        ]

    def in_pixels(self, like: np.ndarray) -> Reversal:
        raise _untold()

    def pack(self) -> bytes:
        count = bytes([len(self.packed)])
        return bytes([self.code]) + count + joined(*self.packed)

    @classmethod
    def unpack(cls, content: bytes, sides: tuple[int, int]) -> ByOffsets:
        """Read the content after its first byte."""
        count = content[0]
        if not 1 <= count <= 4:
            raise ValueError("no picture has so many components")
        return cls(tuple(parted(content[1:], count)))


@dataclass(frozen=True, eq=False)
class ByExpansion(Way):
    """A method made coefficients of the luma larger.

    Attributes:
        method: which.
        expansion: what it needs.
        levels: ``(rows, columns)`` uint8, each block's.
        steps: ``(8, 8)`` uint16, the luma's quantisation.
    """

    code: ClassVar[int] = 3
    method: ExpandingMethod
    expansion: bytes
    levels: np.ndarray
    steps: np.ndarray

    def licensed(self, protected: Coefficients) -> Coefficients:
        return self._changed(protected, self._expander.contracted)

    def protected(self, licensed: Coefficients) -> Coefficients:
        return self._changed(licensed, self._expander.expanded)

    def in_pixels(self, like: np.ndarray) -> Reversal:
        rows, columns = self.levels.shape
        if (-(-like.shape[0] // 8), -(-like.shape[1] // 8)) != (rows, columns):
            raise _untold()
        levels = like.mean(axis=2) - _MIDDLE
        wide = ((0, 8 * rows - like.shape[0]), (0, 8 * columns - like.shape[1]))
        luma = np.rint(np.pad(levels, wide, mode="edge")).astype(np.int64)
        blocks = luma.reshape(rows, 8, columns, 8).swapaxes(1, 2)
        growth = self._expander.likely(blocks, self.steps, self.levels)
        change = growth.swapaxes(1, 2).reshape(8 * rows, 8 * columns, 1)
        whole = np.rint(change[: like.shape[0], : like.shape[1]])
        pattern = whole.clip(-_MOST_CHANGE, _MOST_CHANGE).astype(np.int8)
        return PixelPattern(pattern, b"", 255, pattern)

    def pack(self) -> bytes:
        name = self.method.info.name.encode()
        rows = struct.pack(">H", len(self.levels))
        steps = packed_steps(self.steps)
        levels = packing.pack(self.levels.tobytes(), _LEVEL)
        return bytes([self.code]) + joined(name, self.expansion, rows, steps, levels)

    @classmethod
    def unpack(cls, content: bytes, sides: tuple[int, int]) -> ByExpansion:
        """Read the content after its first byte."""
        name, expansion, packed_rows, steps, packed = parted(content, 5)
        method = named_method(name.decode())
        if not isinstance(method, ExpandingMethod):
            raise ValueError(f"method {name!r} expands nothing")
        (rows,) = struct.unpack(">H", packed_rows)
        most = -(-sides[0] // 8) * -(-sides[1] // 8)
        raw = np.frombuffer(packing.unpack(packed, most), np.uint8)
        if len(raw) != most or rows != -(-sides[0] // 8):
            raise ValueError("the levels are of another picture")
        levels = raw.reshape(rows, -1)
        return cls(
            method,
            expansion,
            levels,
            unpacked_steps(steps),
        )

    @cached_property
    def _expander(self) -> Expander:
        return self.method.expander(self.expansion)

    def _changed(
        self, coefficients: Coefficients, change: Callable[..., np.ndarray]
    ) -> Coefficients:
        luma = coefficients.components[0]
        if luma.blocks.shape[:2] != self.levels.shape:
            raise ValueError("the levels are of another picture")
        changed = change(luma.blocks, luma.quantisation, self.levels)
        return _with_luma(coefficients, changed)


_WAYS = {way.code: way for way in (ByPattern, ByOffsets, ByExpansion)}


def perturb(
    method: Method,
    state: State,
    coefficients: Coefficients,
    mark: list[np.ndarray],
    shown: np.ndarray,
    label: str,
    sample_key: bytes,
    *,
    name: str,
    epsilon: int,
    amplitude: int,
    beside: Beside | None = None,
) -> tuple[Coefficients, Content]:
    """``W -> P`` with a method of any kind.

    Args:
        method: which.
        state: what it was fitted to.
        coefficients: O's.
        mark: the offsets that make W of them.
        shown: W's samples, ``(H, W, colours)`` uint8.
        label: the image's class.
        sample_key: at least 32 pseudo-random bytes of this release and sample.
        name: what to call the image in an error.
        epsilon: by how much P may differ from O, gray levels.
        amplitude: what a block's change is limited to at first, gray levels.
        beside: O as a decoder shows it, where that is known.

    Returns:
        P's, and the shortest content that leads back.

    Raises:
        InputError: the class is not among those fitted.
        UnsupportedImageError: the image is too small for the method.
    """
    if isinstance(method, InvertibleMethod):
        require_room(method, *shown.shape[:2], name=name)
    licensed = added(coefficients, mark)
    if isinstance(method, ExpandingMethod) and has_whole_luma(coefficients):
        sides = coefficients.height, coefficients.width
        luma = licensed.components[0]
        expansion = method.expansion(
            state, sides, luma.blocks, luma.quantisation, label, sample_key
        )
        if expansion is not None:
            original = Beside(coefficients) if beside is None else beside
            copy, way = _expanded(method, expansion, licensed, mark, epsilon, original)
            return copy, Content(VERSION, way.pack())
    pattern = method.pattern(state, shown, label, sample_key)
    wanted = _wanted(coefficients, pattern)
    held = hold(
        coefficients, wanted, epsilon, base=mark, start=amplitude, beside=beside
    )
    if pattern.dtype == np.int8:
        content = ByPattern(pattern, packed_limits(held.limits)).pack()
        every = ByOffsets.of(held.offsets, len(content)).pack()
        content = min(content, every, key=len)
    else:
        content = ByOffsets.of(held.offsets).pack()
    return added(licensed, held.offsets), Content(VERSION, content)


def unpack(content: bytes, sides: tuple[int, int]) -> Way:
    """Read what :func:`perturb` returned.

    Args:
        content: what a recipient's box holds.
        sides: the image's height and width.

    Raises:
        DamagedRecordError: it can't be read, or isn't this image's.
    """
    try:
        return _WAYS[content[0]].unpack(content[1:], sides)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise _damaged() from error


def licensed_of(way: Way, protected: Coefficients) -> Coefficients:
    """:meth:`Way.licensed`, whatever the record holds.

    Raises:
        DamagedRecordError: it isn't of this picture.
    """
    try:
        return way.licensed(protected)
    except ValueError as error:
        raise _damaged() from error


def protected_of(way: Way, licensed: Coefficients) -> Coefficients:
    """:meth:`Way.protected`, whatever the record holds.

    Raises:
        DamagedRecordError: it isn't of this picture.
    """
    try:
        return way.protected(licensed)
    except ValueError as error:
        raise _damaged() from error


def _expanded(
    method: ExpandingMethod,
    expansion: bytes,
    licensed: Coefficients,
    mark: list[np.ndarray],
    epsilon: int,
    original: Beside,
) -> tuple[Coefficients, ByExpansion]:
    """As much as there can be without a decoded pixel changing too much."""
    luma = licensed.components[0]
    levels = np.zeros((luma.rows, luma.columns), np.uint8)
    expander = method.expander(expansion)

    def lowered(where: np.ndarray) -> bool:
        where = where & (levels < _NOTHING)
        levels[where] += np.minimum(1 + levels[where] // 8, _NOTHING - levels[where])
        return bool(where.any())

    computed = original.tells(mark)
    while True:
        after = expander.expanded(luma.blocks, luma.quantisation, levels)
        if lowered((np.abs(after) > _MOST).any(axis=(2, 3))):
            continue
        far = None
        if computed:
            offsets = (after - luma.blocks).astype(np.int16)
            far = original.excess(mark[0], offsets, epsilon)
        if far is None:
            excess = original.shown_excess(_with_luma(licensed, after), epsilon)
            far = blocks_reached(licensed, luma, excess)
        if not lowered(far):
            way = ByExpansion(method, expansion, levels, luma.quantisation)
            return _with_luma(licensed, after), way


def _with_luma(coefficients: Coefficients, blocks: np.ndarray) -> Coefficients:
    others = [one.blocks for one in coefficients.components[1:]]
    return coefficients.with_blocks([blocks, *others])


def _wanted(coefficients: Coefficients, pattern: np.ndarray) -> list[np.ndarray | None]:
    change = expand(pattern, coefficients.height, coefficients.width)
    return targets(coefficients, change[..., 0] if change.shape[2] == 1 else change)


def _numbers(offsets: np.ndarray) -> bytes:
    """Of each coefficient all blocks, one after the other: zeros come together."""
    if not offsets.any():
        return b""
    return library.spread(offsets)


def _packed(numbers: bytes, level: int) -> bytes:
    return packing.pack(numbers, level) if numbers else b""


def _unpacked_offsets(packed: bytes, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    if not packed:
        return np.zeros(shape, np.int16)
    return library.gathered(packing.unpack(packed, 2 * size), shape)


def _untold() -> EditedImageError:
    return EditedImageError(
        "The file was changed since it was delivered, and its record doesn't tell what "
        "was added to its pixels; give the release as it was delivered as well "
        "(--records)"
    )


def _damaged() -> DamagedRecordError:
    return DamagedRecordError(
        "The record is damaged: what its box holds can't be read, or is of another "
        "picture"
    )
