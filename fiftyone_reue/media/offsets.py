"""Add an integer offset to an image's samples, and take it away exactly.

``after = clip(before + offset)`` loses information only where ``after`` sits on a
rail (0 or the peak value) that the offset pushed it towards. :func:`add` returns
what was lost there, one number a railed sample in scan order, zstd-compressed;
:func:`subtract` needs only ``after``, the same offset and those bytes.

What was lost can be told in two ways: by how far ``before + offset`` is beyond the
rail, or by how far ``before`` is from it. The latter is 0 for whatever is plain white
or black, and takes no byte there even where the offset varies.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.packing import pack, unpack

_LEVEL, _SMALL_LEVEL = 3, 19
_SMALL = 1 << 15  # bytes: a higher level takes 20 ms for them, and saves a seventh
_BLOCK = 1 << 18


def unit(peak: int) -> int:
    """Samples' steps in one gray level, which is 1/255 of the range 0..peak."""
    return max(1, peak // 255)


def add(
    samples: np.ndarray,
    offset: np.ndarray,
    colours: int,
    peak: int | None = None,
    *,
    inside: bool = False,
) -> tuple[np.ndarray, bytes]:
    """Add ``offset`` to the colour channels of ``samples`` and clip to the range.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        offset: ``(H, W, 1)`` or ``(H, W, colours)`` int8, or int16 within -255..255,
            in gray levels of 1/255.
        colours: how many leading channels are colour; the rest (alpha) stays.
        peak: the largest value of the data's range; by default the samples' type's.
        inside: what is kept is how far samples were from the rail, not how far they
            would be beyond it.

    Returns:
        The new samples, same shape and dtype, and the bytes that
        :func:`subtract` needs (empty where nothing was lost).
    """
    peak = _peak(samples, peak)
    after = samples.copy()
    lost = []
    for rows in _blocks(samples):
        step = _scaled(offset[rows], samples, peak)
        exact = samples[rows, :, :colours] + step
        clipped = np.clip(exact, 0, peak)
        after[rows, :, :colours] = clipped
        railed, _ = _railed(clipped, step, peak)
        far = samples[rows, :, :colours] if inside else exact
        lost.append(np.abs(far - clipped).ravel()[railed])
    return after, _pack(np.concatenate(lost).astype(samples.dtype))


def subtract(
    samples: np.ndarray,
    offset: np.ndarray,
    colours: int,
    lost: bytes,
    peak: int | None = None,
    *,
    inside: bool = False,
) -> np.ndarray:
    """Undo :func:`add`.

    Args:
        samples: ``(H, W, C)`` what :func:`add` returned.
        offset: the offset that was given to it.
        colours: as there.
        lost: the bytes that it returned.
        peak: as there.
        inside: as there.

    Returns:
        The samples that were given to :func:`add`.

    Raises:
        DamagedRecordError: ``lost`` doesn't fit these samples and offset.
    """
    peak = _peak(samples, peak)
    amounts = _unpack(lost, samples[..., :colours])
    used = 0
    restored = samples.copy()
    for rows in _blocks(samples):
        step = _scaled(offset[rows], samples, peak)
        clipped = samples[rows, :, :colours]
        before = clipped - step
        if inside:
            railed, _ = _railed(clipped, step, peak)
            before.ravel()[railed] = clipped.ravel()[railed]
        if amounts is not None:
            railed, downwards = _railed(clipped, step, peak)
            part = amounts[used : used + len(railed)].astype(step.dtype)
            used += len(railed)
            if len(part) != len(railed):
                raise _wrong_length()
            outwards = np.where(downwards, -part, part)
            before.ravel()[railed] += -outwards if inside else outwards
        if before.min() < 0 or before.max() > peak:
            raise DamagedRecordError(
                "The record doesn't fit this image: restored samples leave their range"
            )
        restored[rows, :, :colours] = before
    if amounts is not None and used != len(amounts):
        raise _wrong_length()
    return restored


def subtract_clipped(
    samples: np.ndarray, offset: np.ndarray, colours: int, peak: int | None = None
) -> np.ndarray:
    """Take an offset away from samples that changed since it was added.

    What was lost on the rails can't be told any more.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        offset: as for :func:`add`.
        colours: as there.
        peak: as there.
    """
    peak = _peak(samples, peak)
    result = samples.copy()
    for rows in _blocks(samples):
        exact = samples[rows, :, :colours] - _scaled(offset[rows], samples, peak)
        result[rows, :, :colours] = exact.clip(0, peak)
    return result


def _blocks(samples: np.ndarray) -> Iterator[slice]:
    """Rows in portions that a processor's cache holds."""
    height = max(1, _BLOCK // (samples.shape[1] * samples.shape[2]))
    for start in range(0, samples.shape[0], height):
        yield slice(start, start + height)


def _peak(samples: np.ndarray, peak: int | None) -> int:
    return int(np.iinfo(samples.dtype).max) if peak is None else peak


def _scaled(offset: np.ndarray, samples: np.ndarray, peak: int) -> np.ndarray:
    """The offset in the samples' steps, in a type that holds their sum."""
    dtype = np.int16 if samples.itemsize == 1 else np.int32
    return np.multiply(offset, unit(peak), dtype=dtype)


def _railed(
    clipped: np.ndarray, step: np.ndarray, peak: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where, in scan order, an offset pushed towards the rail that a sample is on.

    Returns:
        Flat indices, and which of them are on the lower rail.
    """
    indices = np.flatnonzero((clipped == 0) | (clipped == peak))
    steps = step.ravel()[indices // (clipped.shape[2] // step.shape[2])]
    low = clipped.ravel()[indices] == 0
    towards = np.where(low, steps < 0, steps > 0)
    return indices[towards], low[towards]


def _pack(lost: np.ndarray) -> bytes:
    if not lost.any():
        return b""
    raw = lost.astype(lost.dtype.newbyteorder("<")).tobytes()
    return pack(raw, _SMALL_LEVEL if len(raw) <= _SMALL else _LEVEL)


def _unpack(lost: bytes, samples: np.ndarray) -> np.ndarray | None:
    """At most one number a sample, in the samples' own type.

    Returns:
        None where nothing was lost at all, however many samples are railed.
    """
    if not lost:
        return None
    dtype = samples.dtype
    raw = unpack(lost, samples.nbytes)
    if len(raw) % dtype.itemsize:
        raise _wrong_length()
    return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype)


def _wrong_length() -> DamagedRecordError:
    return DamagedRecordError("The record's rail values have the wrong length")
