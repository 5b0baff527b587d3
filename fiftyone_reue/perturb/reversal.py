"""How a licensed image becomes a protected one, and what leads back.

:func:`perturb` makes ``W -> P`` and says which ways back there are. :func:`smallest`
chooses the one that takes the fewest bytes, among those that give W back exactly;
these bytes are sealed for the recipient. :func:`unpack` reads them again.

Most methods add a small pattern, and their records have version 1. A method that
computes its change away again has records of version 2, which begin with a byte for
the way:

1. what :meth:`InvertibleMethod.undo` needs, and the samples that it gets wrong,
2. everything that was added, or
3. W's samples themselves.

The second and third are for images that the first fails on, or takes more bytes for.
A method whose pattern can be told from P step by step has a way of its own, 4: what
:meth:`SteppedMethod.step` needs.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from fiftyone_reue.errors import (
    UPDATE,
    DamagedRecordError,
    InputError,
    ReueError,
    UnsupportedImageError,
    VerificationError,
)
from fiftyone_reue.media import offsets, packing
from fiftyone_reue.media.depth import stretched
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import (
    InvertibleMethod,
    Method,
    State,
    SteppedMethod,
    bounded,
    eight_bit,
)
from fiftyone_reue.perturb.registry import create_method

_SHAPE = struct.Struct(">HHB")
_LENGTH = struct.Struct(">I")
_PATTERN_LEVEL = 9
_LARGEST_TILE = 512  # a method's own, whatever the image's size
_SPARSE_LEVEL = 19
_DENSE_LEVEL = 9  # higher ones save 3 to 10 % and take ten times as long


class Content(NamedTuple):
    """What a recipient's box is to hold, and the version of the record around it."""

    version: int
    data: bytes


class Reversal(ABC):
    """One way from P back to W."""

    version: ClassVar[int] = 2

    @abstractmethod
    def licensed(self, protected: np.ndarray, colours: int) -> np.ndarray:
        """W's samples.

        Args:
            protected: P's samples, ``(H, W, C)`` uint8 or uint16.
            colours: how many leading channels are colour.

        Raises:
            DamagedRecordError: the result can't be an image.
        """

    @abstractmethod
    def approximate(self, edited: np.ndarray, colours: int) -> np.ndarray:
        """Samples near W's, where P's changed since.

        Args:
            edited: what P's samples became, of P's shape and type.
            colours: how many leading channels are colour.
        """

    @abstractmethod
    def change(
        self, licensed: Callable[[], np.ndarray], colours: int
    ) -> np.ndarray | None:
        """What was added to W.

        Args:
            licensed: gives W's samples, if they are needed.
            colours: how many leading channels are colour.

        Returns:
            ``(H, W, c)`` int8 or int16 in gray levels, c 1 or ``colours``; None if
            that takes P as well.
        """

    @abstractmethod
    def pack(self) -> bytes:
        """The content of the recipient's box."""


@dataclass(frozen=True, eq=False)
class ByOffset(Reversal):
    """Everything that was added is known.

    Attributes:
        offset: ``(H, W, c)`` int8 or int16 in gray levels, c 1 or the colours.
        lost: rail values, see :mod:`fiftyone_reue.media.offsets`.
        peak: the largest value of the data's range.
    """

    code: ClassVar[int] = 2
    offset: np.ndarray
    lost: bytes
    peak: int

    def licensed(self, protected: np.ndarray, colours: int) -> np.ndarray:
        return offsets.subtract(protected, self.offset, colours, self.lost, self.peak)

    def approximate(self, edited: np.ndarray, colours: int) -> np.ndarray:
        return offsets.subtract_clipped(edited, self.offset, colours, self.peak)

    def change(self, licensed: Callable[[], np.ndarray], colours: int) -> np.ndarray:
        return self.offset

    def pack(self) -> bytes:
        return bytes([self.code]) + joined(_dense(self.offset), self.lost)

    @classmethod
    def unpack(cls, content: bytes, like: np.ndarray, peak: int) -> ByOffset:
        """Read the content after its first byte; ``like`` has W's colours' shape."""
        packed, lost = parted(content, 2)
        return cls(_from_dense(packed, like.shape), lost, peak)


@dataclass(frozen=True, eq=False)
class ByPattern(ByOffset):
    """A small pattern was stretched over the image: ``offset``.

    Attributes:
        pattern: ``(h, w, c)`` int8, before it was stretched.
    """

    version: ClassVar[int] = 1
    pattern: np.ndarray

    def pack(self) -> bytes:
        return packed_pattern(self.pattern, self.lost)

    @classmethod
    def unpack(cls, content: bytes, like: np.ndarray, peak: int) -> ByPattern:
        pattern, lost = unpacked_pattern(content, like.shape[:2], (1, like.shape[2]))
        return cls(expand(pattern, *like.shape[:2]), lost, peak, pattern)


@dataclass(frozen=True, eq=False)
class ByUndo(Reversal):
    """The method computes its change away.

    Attributes:
        method: which did it.
        secret: what it needs.
        repair: ``(H, W, colours)`` int16, what was cut off of what the method made.
        residual: ``(H, W, colours)`` int16, W minus what the method finds.
    """

    code: ClassVar[int] = 1
    method: InvertibleMethod
    secret: bytes
    repair: np.ndarray
    residual: np.ndarray

    @classmethod
    def of(
        cls,
        method: InvertibleMethod,
        secret: bytes,
        image: np.ndarray,
        moved: np.ndarray,
        after: np.ndarray,
    ) -> ByUndo:
        """The way back from ``after``, which ``moved`` was cut off to.

        Args:
            method: the method.
            secret: what it moved with.
            image: ``(H, W, colours)`` uint8, what it moved.
            moved: ``(H, W, colours)`` int16, what it made.
            after: ``(H, W, colours)`` int16 within 0..255.
        """
        found = method.undo(secret, moved)
        return cls(method, secret, moved - after, image.astype(np.int16) - found)

    def licensed(self, protected: np.ndarray, colours: int) -> np.ndarray:
        found = self._found(protected, colours)
        if found.min() < 0 or found.max() > 255:
            raise DamagedRecordError(
                "The record doesn't fit this image: restored samples leave their range"
            )
        return _with_colours(protected, found)

    def approximate(self, edited: np.ndarray, colours: int) -> np.ndarray:
        # What is corrected is right wherever nothing changed, and hardly matters
        # elsewhere: after JPEG-75 and -90 it is worth 0.00 to 0.15 dB.
        return _with_colours(edited, self._found(edited, colours).clip(0, 255))

    def _found(self, protected: np.ndarray, colours: int) -> np.ndarray:
        moved = protected[..., :colours].astype(np.int16) + self.repair
        return self.method.undo(self.secret, moved) + self.residual

    def change(self, licensed: Callable[[], np.ndarray], colours: int) -> np.ndarray:
        image = _colours_of(licensed(), colours)
        moved = self.method.move(self.secret, image)
        return bounded(moved, image, self.method.amplitude(self.secret)) - image

    def pack(self) -> bytes:
        name = self.method.info.name.encode()
        arrays = (_sparse(self.repair), _sparse(self.residual))
        return bytes([self.code]) + joined(name, self.secret, *arrays)

    @classmethod
    def unpack(cls, content: bytes, like: np.ndarray, peak: int) -> ByUndo:
        """Read the content after its first byte; ``like`` has W's colours' shape."""
        name, secret, repair, residual = parted(content, 4)
        if like.dtype != np.uint8:
            raise ValueError("only 8-bit images are moved")
        method = _invertible(name.decode())
        if not method.takes(*like.shape[:2]):
            raise ValueError(f"the method moves no images of {like.shape[:2]}")
        return cls(
            method,
            secret,
            _from_sparse(repair, like.shape),
            _from_sparse(residual, like.shape),
        )


@dataclass(frozen=True, eq=False)
class BySamples(Reversal):
    """W's samples are known.

    Attributes:
        image: ``(H, W, colours)`` uint8 or uint16.
    """

    code: ClassVar[int] = 3
    image: np.ndarray

    def licensed(self, protected: np.ndarray, colours: int) -> np.ndarray:
        return _with_colours(protected, self.image)

    def approximate(self, edited: np.ndarray, colours: int) -> np.ndarray:
        """W itself, and nothing of what changed but alpha."""
        return _with_colours(edited, self.image)

    def change(self, licensed: Callable[[], np.ndarray], colours: int) -> None:
        return None

    def pack(self) -> bytes:
        return bytes([self.code]) + _dense(_differences(self.image))

    @classmethod
    def unpack(cls, content: bytes, like: np.ndarray, peak: int) -> BySamples:
        """Read the content after its first byte; ``like`` has W's colours' shape."""
        return cls(_summed(_from_dense(content, like.shape), like.dtype))


@dataclass(frozen=True, eq=False)
class BySteps(Reversal):
    """The pattern's steps are told from P, the last one first.

    Attributes:
        method: whose they are.
        secret: what it needs.
        lost: rail values of each step, told from inside; see
            :mod:`fiftyone_reue.media.offsets`.
        peak: the largest value of the data's range.
    """

    code: ClassVar[int] = 4
    method: SteppedMethod
    secret: bytes
    lost: tuple[bytes, ...]
    peak: int

    @classmethod
    def of(
        cls,
        method: SteppedMethod,
        secret: bytes,
        licensed: np.ndarray,
        colours: int,
        peak: int,
    ) -> tuple[np.ndarray, BySteps]:
        """P's samples, and the way back from them.

        Args:
            method: whose steps are added.
            secret: what it needs.
            licensed: W's samples.
            colours: how many leading channels are colour.
            peak: the largest value of the data's range.
        """
        samples, lost = licensed, []
        for number in range(method.steps):
            offset = _step_of(method, secret, number, samples, colours, peak)
            samples, some = offsets.add(samples, offset, colours, peak, inside=True)
            lost.append(some)
        return samples, cls(method, secret, tuple(lost), peak)

    def licensed(self, protected: np.ndarray, colours: int) -> np.ndarray:
        samples = protected
        for number, lost in reversed(list(enumerate(self.lost))):
            offset = self._step(number, samples, colours)
            samples = offsets.subtract(
                samples, offset, colours, lost, self.peak, inside=True
            )
        return samples

    def approximate(self, edited: np.ndarray, colours: int) -> np.ndarray:
        """Without what was most likely added; nowhere exact."""
        shown = stretched(edited[..., :colours], self.peak, colours)
        likely = self.method.likely(self.secret, shown)
        offset = expand(likely, *edited.shape[:2])
        return offsets.subtract_clipped(edited, offset, colours, self.peak)

    def change(self, licensed: Callable[[], np.ndarray], colours: int) -> np.ndarray:
        samples = licensed()
        total = np.zeros((*samples.shape[:2], 1), np.int8)
        for number in range(len(self.lost)):
            offset = self._step(number, samples, colours)
            samples, _ = offsets.add(samples, offset, colours, self.peak)
            total += offset
        return total

    def pack(self) -> bytes:
        name = self.method.info.name.encode()
        return bytes([self.code]) + joined(name, self.secret, *self.lost)

    @classmethod
    def unpack(cls, content: bytes, like: np.ndarray, peak: int) -> BySteps:
        """Read the content after its first byte; ``like`` has W's colours' shape."""
        name, rest = parted(content, 2)
        method = named_method(name.decode())
        if not isinstance(method, SteppedMethod):
            raise ValueError(f"method {name!r} has no steps")
        secret, *lost = parted(rest, 1 + method.steps)
        return cls(method, secret, tuple(lost), peak)

    def _step(self, number: int, samples: np.ndarray, colours: int) -> np.ndarray:
        return _step_of(self.method, self.secret, number, samples, colours, self.peak)


_WAYS = {way.code: way for way in (ByUndo, ByOffset, BySamples, BySteps)}


@dataclass(frozen=True, eq=False)
class Perturbed:
    """A protected image, and how it goes back.

    Attributes:
        samples: ``(H, W, C)`` of the licensed image's type.
        reversals: every way back there is, at least one.
    """

    samples: np.ndarray
    reversals: tuple[Reversal, ...]


def packed_pattern(pattern: np.ndarray, more: bytes) -> bytes:
    """A pattern, ``(h, w, c)`` int8, and what belongs to it."""
    packed = packing.pack(pattern.tobytes(), _PATTERN_LEVEL)
    return _SHAPE.pack(*pattern.shape) + joined(packed, more)


def unpacked_pattern(
    content: bytes, sides: tuple[int, ...], channels: tuple[int, ...]
) -> tuple[np.ndarray, bytes]:
    """Undo :func:`packed_pattern`.

    Args:
        content: what it gave.
        sides: the image's height and width.
        channels: that the pattern may have.

    Raises:
        ValueError, struct.error: it can't be read, or isn't of this image.
    """
    shape = _SHAPE.unpack_from(content)
    packed, more = parted(content[_SHAPE.size :], 2)
    most = [max(side, _LARGEST_TILE) for side in sides]
    if not all(shape) or shape[2] not in channels:
        raise ValueError(f"no pattern has the shape {shape}")
    if shape[0] > most[0] or shape[1] > most[1]:
        # Nothing of its size is allocated: whoever has a recipient's key can
        # write any here.
        raise ValueError(f"a pattern of {shape[:2]} is larger than its image")
    raw = packing.unpack(packed, int(np.prod(shape)))
    return np.frombuffer(raw, np.int8).reshape(shape), more


def perturb(
    method: Method,
    state: State,
    licensed: np.ndarray,
    colours: int,
    label: str,
    sample_key: bytes,
    *,
    name: str,
    peak: int | None = None,
) -> Perturbed:
    """``W -> P`` with a method of either kind.

    Args:
        method: which.
        state: what it was fitted to.
        licensed: W's samples, ``(H, W, C)`` uint8 or uint16.
        colours: how many leading channels are colour; the rest (alpha) stays.
        label: the image's class.
        sample_key: at least 32 pseudo-random bytes of this release and sample.
        name: what to call the image in an error.
        peak: the largest value of the data's range; by default the samples' type's.

    Raises:
        InputError: the class is not among those fitted.
        UnsupportedImageError: the image is too small for the method.
        VerificationError: the method didn't keep within its amplitude.
    """
    peak = peak or int(np.iinfo(licensed.dtype).max)
    if isinstance(method, InvertibleMethod):
        return _moved(method, state, licensed, colours, label, sample_key, name, peak)
    shown = stretched(licensed[..., :colours], peak, colours)
    if isinstance(method, SteppedMethod):
        secret = method.secret(state, shown, label, sample_key)
        if secret is not None:
            protected, way = BySteps.of(method, secret, licensed, colours, peak)
            return Perturbed(protected, (way,))
    pattern = method.pattern(state, shown, label, sample_key)
    offset = expand(pattern, *licensed.shape[:2])
    protected, lost = offsets.add(licensed, offset, colours, peak)
    return Perturbed(protected, (ByPattern(offset, lost, peak, pattern),))


def smallest(
    perturbed: Perturbed,
    licensed: np.ndarray,
    colours: int,
    *,
    name: str,
    peak: int | None = None,
) -> Content:
    """The shortest content that gives W back exactly, as tried here.

    Args:
        perturbed: what :func:`perturb` returned.
        licensed: W's samples.
        colours: how many leading channels are colour.
        name: what to call the image in an error.
        peak: as for :func:`perturb`.

    Raises:
        VerificationError: none does.
    """
    contents = [Content(way.version, way.pack()) for way in perturbed.reversals]
    for content in sorted(contents, key=lambda content: len(content.data)):
        if _leads_back(content, perturbed.samples, licensed, colours, peak):
            return content
    raise VerificationError(
        f"{name}: it would not restore exactly, so it was not written"
    )


def unpack(
    content: Content, like: np.ndarray, colours: int, peak: int | None = None
) -> Reversal:
    """Read what :func:`smallest` returned.

    Args:
        content: what a recipient's box holds.
        like: samples of the image's shape and type; their values don't matter.
        colours: how many leading channels are colour.
        peak: as for :func:`perturb`.

    Raises:
        DamagedRecordError: it can't be read, or isn't this image's, or takes a method
            that this program doesn't have.
    """
    like = like[..., :colours]
    peak = peak or int(np.iinfo(like.dtype).max)
    try:
        if content.version == ByPattern.version:
            return ByPattern.unpack(content.data, like, peak)
        return _WAYS[content.data[0]].unpack(content.data[1:], like, peak)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise DamagedRecordError(
            "The record is damaged: what its box holds can't be read"
        ) from error


def require_room(
    method: InvertibleMethod, height: int, width: int, *, name: str
) -> None:
    """Make sure that a method can move an image of this size.

    Raises:
        UnsupportedImageError: it can't; ``name`` says which image.
    """
    if min(height, width) < method.smallest_side:
        raise UnsupportedImageError(
            f"{name}: {width} x {height} pixels are too few for method "
            f"{method.info.name!r}; use images of at least {method.smallest_side} "
            "pixels a side, or another method"
        )
    if not method.takes(height, width):
        raise UnsupportedImageError(
            f"{name}: {width} x {height} pixels are too narrow for method "
            f"{method.info.name!r}, which would take too much memory; cut the image "
            "up, or use another method"
        )


def _moved(
    method: InvertibleMethod,
    state: State,
    licensed: np.ndarray,
    colours: int,
    label: str,
    sample_key: bytes,
    name: str,
    peak: int,
) -> Perturbed:
    require_room(method, *licensed.shape[:2], name=name)
    image = _colours_of(licensed, colours)
    small = eight_bit(stretched(image, peak, colours))
    secret = method.secret(state, small, label, sample_key)
    amplitude = method.amplitude(secret)
    moved = method.move(secret, small)
    after = bounded(moved, small, amplitude)
    protected, lost = offsets.add(licensed, after - small, colours, peak)
    _require_within(protected, licensed, amplitude, name, peak)
    reversals = (ByOffset(after - small, lost, peak), BySamples(image))
    if licensed.dtype == np.uint8:
        undo = ByUndo.of(method, secret, image, moved, after)
        return Perturbed(protected, (undo, *reversals))
    return Perturbed(protected, reversals)


def _require_within(
    protected: np.ndarray,
    licensed: np.ndarray,
    amplitude: int | None,
    name: str,
    peak: int,
) -> None:
    if amplitude is None:
        return
    most = amplitude * offsets.unit(peak)
    higher, lower = np.maximum(protected, licensed), np.minimum(protected, licensed)
    if (higher - lower).max() > most:
        raise VerificationError(
            f"{name}: a sample would change by more than {amplitude} gray levels, so "
            "it was not written; please report this method"
        )


def _leads_back(
    content: Content,
    protected: np.ndarray,
    licensed: np.ndarray,
    colours: int,
    peak: int | None,
) -> bool:
    try:
        way = unpack(content, protected, colours, peak)
        return np.array_equal(way.licensed(protected, colours), licensed)
    except ReueError:
        return False


def _step_of(
    method: SteppedMethod,
    secret: bytes,
    number: int,
    samples: np.ndarray,
    colours: int,
    peak: int,
) -> np.ndarray:
    """A step's offset for every pixel."""
    shown = stretched(samples[..., :colours], peak, colours)
    return expand(method.step(secret, number, shown), *samples.shape[:2])


def _invertible(name: str) -> InvertibleMethod:
    method = named_method(name)
    if not isinstance(method, InvertibleMethod):
        raise ValueError(f"method {name!r} can't be undone")
    return method


def named_method(name: str) -> Method:
    try:
        return create_method(name)
    except InputError:
        raise DamagedRecordError(
            f"The record takes method {name!r}, which this program doesn't have; "
            f"{UPDATE}"
        ) from None


def _colours_of(samples: np.ndarray, colours: int) -> np.ndarray:
    return np.ascontiguousarray(samples[..., :colours])


def _with_colours(samples: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The samples with other values in the colour channels, alpha as it is."""
    changed = samples.copy()
    changed[..., : values.shape[2]] = values
    return changed


def joined(*parts: bytes) -> bytes:
    """Each but the last with its length before it."""
    *named, last = parts
    return b"".join(_LENGTH.pack(len(part)) + part for part in named) + last


def parted(content: bytes, count: int) -> list[bytes]:
    parts = []
    for _ in range(count - 1):
        (length,) = _LENGTH.unpack_from(content)
        end = _LENGTH.size + length
        if len(content) < end:
            raise ValueError("a part is cut short")
        parts.append(content[_LENGTH.size : end])
        content = content[end:]
    return [*parts, content]


def _sparse(values: np.ndarray) -> bytes:
    """Numbers that are mostly 0: where they aren't, and what they are there.

    Args:
        values: ``(H, W, c)`` int16.

    Returns:
        Nothing at all where all are 0.
    """
    flat = values.transpose(2, 0, 1).ravel()
    there = flat != 0
    if not there.any():
        return b""
    raw = np.packbits(there).tobytes() + packed_numbers(flat[there])
    return packing.pack(raw, _SPARSE_LEVEL)


def _from_sparse(packed: bytes, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    flat = np.zeros(size, np.int16)
    if packed:
        marks = (size + 7) // 8
        raw = packing.unpack(packed, marks + 2 * size)
        if len(raw) < marks:
            raise ValueError("the places are cut short")
        there = np.unpackbits(np.frombuffer(raw[:marks], np.uint8), count=size)
        flat[there.view(bool)] = numbers_of(raw[marks:], int(there.sum()))
    return _planes_last(flat, shape)


def _dense(values: np.ndarray) -> bytes:
    """Small numbers, few of them 0.

    Args:
        values: ``(H, W, c)`` int16.

    Returns:
        Nothing at all where all are 0.
    """
    if not values.any():
        return b""
    return packing.pack(packed_numbers(values.transpose(2, 0, 1).ravel()), _DENSE_LEVEL)


def _from_dense(packed: bytes, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    if not packed:
        return np.zeros(shape, np.int16)
    return _planes_last(numbers_of(packing.unpack(packed, 2 * size), size), shape)


def _planes_last(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    height, width, channels = shape
    planes = flat.reshape(channels, height, width)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def packed_numbers(numbers: np.ndarray) -> bytes:
    """int16 as bytes: 0, -1, 1, -2 ... as 0, 1, 2, 3 ..., all low bytes first.

    So the high bytes of small numbers are all 0, whatever the sign.
    """
    folded = ((numbers << 1) ^ (numbers >> 15)).view(np.uint16)
    low, high = folded & 255, folded >> 8
    return low.astype(np.uint8).tobytes() + high.astype(np.uint8).tobytes()


def numbers_of(raw: bytes, count: int) -> np.ndarray:
    if len(raw) != 2 * count:
        raise ValueError("there are too few or too many numbers")
    low, high = np.frombuffer(raw, np.uint8).reshape(2, count).astype(np.uint16)
    folded = (high << 8) | low
    return (folded >> 1).view(np.int16) ^ -(folded & 1).view(np.int16)


def _differences(image: np.ndarray) -> np.ndarray:
    """Samples as differences, red and blue from green and each from its left.

    Args:
        image: ``(H, W, colours)`` uint8 or uint16.

    Returns:
        ``(H, W, colours)`` int16, the differences modulo the samples' range.
    """
    left = image.copy()
    left[..., ::2] -= _green(left)
    left[:, 1:] -= left[:, :-1].copy()
    return left.view(f"i{image.itemsize}").astype(np.int16)


def _summed(differences: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Undo :func:`_differences`, to samples of this type."""
    image = differences.astype(f"i{dtype.itemsize}").view(dtype)
    image = np.cumsum(image, axis=1, dtype=dtype)
    image[..., ::2] += _green(image)
    return image


def _green(image: np.ndarray) -> np.ndarray | int:
    """What the other channels are told by; a gray image has nothing of the kind."""
    return image[..., 1:2] if image.shape[2] == 3 else 0
