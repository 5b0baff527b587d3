"""How a licensed JPEG becomes a protected one, and what leads back.

As :mod:`fiftyone_reue.perturb.reversal`, where a JPEG's coefficients carry the image:
the method's change in pixels is turned into whole offsets of coefficients, and nothing
is lost at any rail. What leads back is either the method's small pattern, with how much
each block got of it, or the offsets themselves, whichever is shorter.

A :class:`~fiftyone_reue.perturb.base.SteppedMethod` changes blocks by what it sees in
others, where it can, and then what leads back is what it needs, and how much each block
got. An :class:`~fiftyone_reue.perturb.base.ExpandingMethod` changed coefficients
itself.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from fiftyone_reue.errors import DamagedRecordError, EditedImageError
from fiftyone_reue.media import packing
from fiftyone_reue.media.expand import expand
from fiftyone_reue.media.jpeg_coefficients import library, limit_coding
from fiftyone_reue.media.jpeg_coefficients.coefficients import (
    Coefficients,
    Component,
)
from fiftyone_reue.media.jpeg_coefficients.decoding import Beside
from fiftyone_reue.media.jpeg_coefficients.limits import (
    added,
    hold,
    of_change,
    of_plane,
    packed_limits,
    subtracted,
    unpacked_limits,
)
from fiftyone_reue.media.jpeg_coefficients.planes import (
    Target,
    gray_count,
    has_whole_gray,
    some_rows,
    targets,
)
from fiftyone_reue.media.jpeg_coefficients.steps import packed_steps, unpacked_steps
from fiftyone_reue.perturb.base import (
    Expander,
    ExpandingMethod,
    InvertibleMethod,
    Method,
    State,
    SteppedMethod,
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

VERSION = 4
"""Of records whose digests and offsets are of coefficients, since 0.2.dev3."""

_LEVEL, _LARGE_LEVEL, _QUICK_LEVEL = 15, 12, 3
_LARGE = 1 << 18  # bytes: a higher level takes far longer, and saves a tenth
_WELL = 0.6  # of what the quick level leaves the others leave more
_MIDDLE = 128
_MOST_CHANGE = 127
_LUMA = 0.299, 0.587, 0.114
_MOST_SHARE = (1 << 15) - 1


class Way(ABC):
    """One way from P's coefficients back to W's, by what was added."""

    @abstractmethod
    def licensed(self, protected: Coefficients, *, own: bool = False) -> Coefficients:
        """``P -> W``.

        Args:
            protected: P's.
            own: whether its arrays may be changed, for large ones take much memory.

        Raises:
            DamagedRecordError, ValueError: it isn't of this picture.
        """

    @abstractmethod
    def protected(self, licensed: Coefficients, *, own: bool = False) -> Coefficients:
        """``W -> P``; the rest is the same."""

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

    def licensed(self, protected: Coefficients, *, own: bool = False) -> Coefficients:
        return subtracted(
            protected, self.offsets(protected), keep=_kept(protected, own)
        )

    def protected(self, licensed: Coefficients, *, own: bool = False) -> Coefficients:
        return added(licensed, self.offsets(licensed), keep=_kept(licensed, own))


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
        change = _change(coefficients, self.pattern)
        limits = unpacked_limits(self.limits, coefficients)
        return of_change(coefficients, change, limits)

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

    def licensed(self, protected: Coefficients, *, own: bool = False) -> Coefficients:
        return self._changed(protected, self._expander.contracted)

    def protected(self, licensed: Coefficients, *, own: bool = False) -> Coefficients:
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
        packed = limit_coding.packed(self.levels.tobytes(), _LEVEL)
        return bytes([self.code]) + joined(name, self.expansion, rows, steps, packed)

    @classmethod
    def unpack(cls, content: bytes, sides: tuple[int, int]) -> ByExpansion:
        """Read the content after its first byte."""
        name, expansion, packed_rows, steps, packed = parted(content, 5)
        method = named_method(name.decode())
        if not isinstance(method, ExpandingMethod):
            raise ValueError(f"method {name!r} expands nothing")
        (rows,) = struct.unpack(">H", packed_rows)
        levels = _of_blocks(packed, rows, sides, (1,))[0]
        return cls(method, expansion, levels, unpacked_steps(steps))

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


@dataclass(frozen=True, eq=False)
class BySteps(Way):
    """A method changed blocks by what it saw in others.

    It sees what a gray change is in: the luma, or of RGB and CMYK files the first three
    components, which are changed alike.

    Attributes:
        method: which.
        secret: what its steps need.
        limits: ``(1 or 3, rows, columns)`` uint8: of each of these components how much
            each block got, gray levels.
        before: how much of what the first step adds seemed to be in W, in 1/256.
        after: how much of what the last one added is seen in P.
    """

    code: ClassVar[int] = 4
    method: SteppedMethod
    secret: bytes
    limits: np.ndarray
    before: int
    after: int

    @classmethod
    def of(
        cls,
        method: SteppedMethod,
        state: State,
        original: Coefficients,
        licensed: Coefficients,
        label: str,
        sample_key: bytes,
        *,
        epsilon: int,
        amplitude: int,
        beside: Beside | None,
    ) -> tuple[Coefficients, BySteps] | None:
        """``W -> P``, and the way back; see :func:`perturb`.

        Returns:
            None where the method has no steps for this picture, or decoders may show
            its blocks in different ways.
        """
        copy, sides = licensed, (licensed.height, licensed.width)
        blocks = original.components[0].blocks.shape[:2]
        limits = np.zeros((gray_count(original), *blocks), np.uint8)

        def changed(change: np.ndarray) -> Coefficients:
            """The copy with a step's change, as much as may be."""
            wanted = Target(change, (1, 1), blocks)
            held = hold(
                original,
                _of_gray(original, [wanted] * len(limits)),
                epsilon,
                base=copy,
                start=amplitude,
                beside=beside,
            )
            where = _changes_something(wanted)
            for limit, got in zip(limits, held.limits, strict=False):
                limit[where] = got[where]  # type: ignore[index]
            return added(copy, held.offsets, keep=(original, licensed))

        try:
            seen = _seen(copy)
            secret = method.block_secret(state, seen, sides, label, sample_key)
            if secret is None:
                return None
            for number in range(method.steps):
                change = _step_of(method, secret, number, seen)
                if number == 0:
                    before = _share(change, seen)
                del seen  # what follows takes much memory of its own
                copy = changed(change)
                seen = _seen(copy)
            after = _share(change, seen)
        except _UnsureError:
            return None
        return copy, cls(method, secret, limits, before, after)

    def licensed(self, protected: Coefficients, *, own: bool = False) -> Coefficients:
        found, keep = protected, _kept(protected, own)
        for number in reversed(range(self.method.steps)):
            found = subtracted(found, self._offsets(number, found), keep=keep)
        return found

    def protected(self, licensed: Coefficients, *, own: bool = False) -> Coefficients:
        found, keep = licensed, _kept(licensed, own)
        for number in range(self.method.steps):
            found = added(found, self._offsets(number, found), keep=keep)
        return found

    def in_pixels(self, like: np.ndarray) -> Reversal:
        rows, columns = self.limits.shape[1:]
        height, width = like.shape[:2]
        if (-(-height // 8), -(-width // 8)) != (rows, columns):
            raise _untold()
        beyond = (0, 8 * rows - height), (0, 8 * columns - width), (0, 0)
        seen = np.pad(self._seen_in(like), beyond, mode="edge")
        first, last = (
            _share(_step_of(self.method, self.secret, number, seen), seen)
            for number in (0, self.method.steps - 1)
        )
        if abs(first - self.before) < abs(last - self.after):
            raise EditedImageError(
                "What was added to protect this image can't be found in it: it was "
                "changed too much, or never protected. Of a crop, give the release as "
                "it was delivered as well (--records)"
            )
        likely = self.method.likely(self.secret, seen)
        change = expand(likely, *seen.shape[:2])[..., 0].astype(np.int16)
        limits = self.limits.max(axis=0)
        most = limits.repeat(8, 0).repeat(8, 1).astype(np.int16)
        pattern = np.clip(change, -most, most)[:height, :width, None].astype(np.int8)
        return PixelPattern(pattern, b"", 255, pattern)

    def pack(self) -> bytes:
        name = self.method.info.name.encode()
        limits = limit_coding.packed(self.limits.tobytes(), _LEVEL)
        fixed = struct.pack(">hhH", self.before, self.after, self.limits.shape[1])
        return bytes([self.code]) + joined(name, self.secret, fixed, limits)

    @classmethod
    def unpack(cls, content: bytes, sides: tuple[int, int]) -> BySteps:
        """Read the content after its first byte."""
        name, secret, fixed, packed = parted(content, 4)
        method = named_method(name.decode())
        if not isinstance(method, SteppedMethod):
            raise ValueError(f"method {name!r} has no steps")
        before, after, rows = struct.unpack(">hhH", fixed)
        limits = _of_blocks(packed, rows, sides, (1, 3))
        return cls(method, secret, limits, before, after)

    def _offsets(self, number: int, coefficients: Coefficients) -> list[np.ndarray]:
        count, *blocks = self.limits.shape
        components = coefficients.components
        if list(components[0].blocks.shape[:2]) != blocks:
            raise ValueError("the limits are of another picture")
        if not has_whole_gray(coefficients) or gray_count(coefficients) != count:
            raise ValueError("the steps are of a picture of other components")
        change = _step_of(self.method, self.secret, number, _seen(coefficients))
        return [
            of_plane(change, one, self.limits[place])
            if place < count
            else np.zeros(one.blocks.shape, np.int16)
            for place, one in enumerate(components)
        ]

    def _seen_in(self, like: np.ndarray) -> np.ndarray:
        """About what :func:`_seen` is of the file that pixels are from."""
        if like.shape[2] == 1 or len(self.limits) == like.shape[2]:
            return like
        luma = np.rint((like * _LUMA).sum(axis=2))
        return luma.astype(np.uint8)[..., None]


_WAYS = {way.code: way for way in (ByPattern, ByOffsets, ByExpansion, BySteps)}


def perturb(
    method: Method,
    state: State,
    original: Coefficients,
    licensed: Coefficients,
    shown: Callable[[], np.ndarray],
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
        original: O's.
        licensed: W's.
        shown: gives W's samples, ``(H, W, colours)`` uint8, for methods that ask.
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
        require_room(method, licensed.height, licensed.width, name=name)
    if isinstance(method, SteppedMethod) and has_whole_gray(original):
        found = BySteps.of(
            method,
            state,
            original,
            licensed,
            label,
            sample_key,
            epsilon=epsilon,
            amplitude=amplitude,
            beside=beside,
        )
        if found is not None:
            copy, way = found
            return copy, Content(VERSION, way.pack())
    pattern = method.pattern(state, shown(), label, sample_key)
    wanted = targets(original, _change(original, pattern))
    held = hold(
        original, wanted, epsilon, base=licensed, start=amplitude, beside=beside
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


def licensed_of(
    way: Way, protected: Coefficients, *, own: bool = False
) -> Coefficients:
    """:meth:`Way.licensed`, whatever the record holds.

    Raises:
        DamagedRecordError: it isn't of this picture.
    """
    with _of_this_picture():
        return way.licensed(protected, own=own)


def protected_of(
    way: Way, licensed: Coefficients, *, own: bool = False
) -> Coefficients:
    """:meth:`Way.protected`, whatever the record holds.

    Raises:
        DamagedRecordError: it isn't of this picture.
    """
    with _of_this_picture():
        return way.protected(licensed, own=own)


def _kept(coefficients: Coefficients, own: bool) -> tuple[Coefficients, ...]:
    """Whose arrays may not be changed."""
    return () if own else (coefficients,)


@contextmanager
def _of_this_picture() -> Iterator[None]:
    """What a way can't do to coefficients is the record's fault."""
    try:
        yield
    except ValueError as error:
        raise _damaged() from error


def _step_of(
    method: SteppedMethod, secret: bytes, number: int, seen: np.ndarray
) -> np.ndarray:
    """What a step changes of all blocks' pixels, ``(height, width)`` int8."""
    change: np.ndarray = expand(method.step(secret, number, seen), *seen.shape[:2])
    return change[..., 0]


def _changes_something(wanted: Target) -> np.ndarray:
    """(rows, columns) bool: the blocks in which anything is wanted."""
    found = np.empty(wanted.blocks, bool)
    for there, some in wanted.rows():
        found[there] = some.any(axis=(2, 3))
    return found


def _of_gray(coefficients: Coefficients, each: list[Target]) -> list[Target | None]:
    """What is of the components that a gray change is in, and None of the others."""
    return [*each, *[None] * (len(coefficients.components) - len(each))]


class _UnsureError(ValueError):
    """Decoders may show blocks in different ways."""


def _seen(coefficients: Coefficients) -> np.ndarray:
    """What decoders show of all blocks of what a gray change is in.

    Returns:
        ``(height, width, 1 or 3)`` uint8.
    """
    planes = [
        _plane(one) for one in coefficients.components[: gray_count(coefficients)]
    ]
    return planes[0][..., None] if len(planes) == 1 else np.stack(planes, axis=-1)


def _plane(component: Component) -> np.ndarray:
    blocks = component.blocks
    rows, columns = blocks.shape[:2]
    whole = np.empty((rows, 8, columns, 8), np.uint8)
    for there in some_rows(rows, columns):
        shown = library.shown(blocks[there].reshape(-1, 8, 8), component.quantisation)
        if shown is None:
            raise _UnsureError("no usual file has such blocks")
        whole[there] = shown.reshape(-1, columns, 8, 8).swapaxes(1, 2)
    return whole.reshape(8 * rows, 8 * columns)


def _share(change: np.ndarray, seen: np.ndarray) -> int:
    """How much of a change is in what is seen, in 1/256: its projection, by blocks."""
    there, added = library.share(seen, change)
    whole = seen.shape[2] * added
    found = 256 * there // whole if whole else 0
    return max(-_MOST_SHARE, min(found, _MOST_SHARE))


def _of_blocks(
    packed: bytes, rows: int, sides: tuple[int, int], counts: tuple[int, ...]
) -> np.ndarray:
    """A byte for each block of some components.

    Returns:
        ``(n, rows, columns)`` uint8, n one of ``counts``.
    """
    blocks = -(-sides[0] // 8) * -(-sides[1] // 8)
    raw = np.frombuffer(limit_coding.unpacked(packed, max(counts) * blocks), np.uint8)
    if len(raw) not in (count * blocks for count in counts) or rows != -(
        -sides[0] // 8
    ):
        raise ValueError("what is of blocks is of another picture")
    return raw.reshape(len(raw) // blocks, rows, -1)


def _with_luma(coefficients: Coefficients, blocks: np.ndarray) -> Coefficients:
    others = [one.blocks for one in coefficients.components[1:]]
    return coefficients.with_blocks([blocks, *others])


def _change(coefficients: Coefficients, pattern: np.ndarray) -> np.ndarray:
    """A pattern as a change of pixels, gray or of three colours."""
    change = expand(pattern, coefficients.height, coefficients.width)
    return change[..., 0] if change.shape[2] == 1 else change


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
