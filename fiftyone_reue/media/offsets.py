"""Add an integer offset to an image's samples, and take it away exactly.

``after = clip(before + offset)`` loses information only where ``after`` sits on a
rail (0 or the peak value) that the offset pushed it towards. :func:`add` returns
what was lost there, one number a railed sample in scan order, zstd-compressed;
:func:`subtract` needs only ``after``, the same offset and those bytes.
"""

from __future__ import annotations

import numpy as np
import zstandard

from fiftyone_reue.errors import DamagedRecordError

UNIT_OF_PEAK = {255: 1, 65535: 257}
"""Samples' steps in one gray level (1/255 of the range), by peak value."""

_PEAKS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
_LEVEL = 9


def expand(pattern: np.ndarray, height: int, width: int) -> np.ndarray:
    """Stretch a small pattern over an image, by whole cells and integers only.

    Args:
        pattern: ``(h, w, c)`` int8.
        height: rows of the image, >= 1.
        width: columns of the image, >= 1.

    Returns:
        ``(height, width, c)`` int8, every cell repeated.
    """
    rows = np.arange(height) * pattern.shape[0] // height
    columns = np.arange(width) * pattern.shape[1] // width
    return pattern.take(rows, axis=0).take(columns, axis=1)


def add(
    samples: np.ndarray, offset: np.ndarray, colours: int
) -> tuple[np.ndarray, bytes]:
    """Add ``offset`` to the colour channels of ``samples`` and clip to the range.

    Args:
        samples: ``(H, W, C)`` uint8 or uint16.
        offset: ``(H, W, 1)`` or ``(H, W, colours)`` int8, in gray levels of 1/255.
        colours: how many leading channels are colour; the rest (alpha) stays.

    Returns:
        The new samples, same shape and dtype, and the bytes that
        :func:`subtract` needs (empty where nothing was lost).
    """
    peak = _PEAKS[samples.dtype]
    step = _scaled(offset, peak)
    exact = samples[..., :colours] + step
    clipped = np.clip(exact, 0, peak).astype(samples.dtype)
    after = clipped
    if colours < samples.shape[2]:
        after = samples.copy()
        after[..., :colours] = clipped
    if not _touches_rail(clipped, peak):
        return after, b""
    railed = _railed(clipped, step, peak)
    lost = np.abs(exact[railed] - clipped[railed])
    return after, _pack(lost.astype(samples.dtype))


def subtract(
    samples: np.ndarray, offset: np.ndarray, colours: int, lost: bytes
) -> np.ndarray:
    """Undo :func:`add`.

    Args:
        samples: ``(H, W, C)`` what :func:`add` returned.
        offset: the offset that was given to it.
        colours: as there.
        lost: the bytes that it returned.

    Returns:
        The samples that were given to :func:`add`.

    Raises:
        DamagedRecordError: ``lost`` doesn't fit these samples and offset.
    """
    peak = _PEAKS[samples.dtype]
    step = _scaled(offset, peak)
    clipped = samples[..., :colours]
    before = clipped - step
    if lost or _touches_rail(clipped, peak):
        railed = _railed(clipped, step, peak)
        amounts = _unpack(lost, samples.dtype, int(np.count_nonzero(railed)))
        amounts = amounts.astype(step.dtype)
        before[railed] += np.where(clipped[railed] == 0, -amounts, amounts)
    if before.size and (before.min() < 0 or before.max() > peak):
        raise DamagedRecordError(
            "The record doesn't fit this image: restored samples leave their range"
        )
    if colours == samples.shape[2]:
        return before.astype(samples.dtype)
    restored = samples.copy()
    restored[..., :colours] = before
    return restored


def _touches_rail(clipped: np.ndarray, peak: int) -> bool:
    """Most images don't, and need no search for where they do."""
    return bool(clipped.min() == 0 or clipped.max() == peak)


def _scaled(offset: np.ndarray, peak: int) -> np.ndarray:
    dtype = np.int16 if peak == 255 else np.int32
    return np.multiply(offset, UNIT_OF_PEAK[peak], dtype=dtype)


def _railed(clipped: np.ndarray, step: np.ndarray, peak: int) -> np.ndarray:
    return ((clipped == 0) & (step < 0)) | ((clipped == peak) & (step > 0))


def _pack(lost: np.ndarray) -> bytes:
    if not lost.any():
        return b""
    raw = lost.astype(lost.dtype.newbyteorder("<")).tobytes()
    return zstandard.ZstdCompressor(level=_LEVEL).compress(raw)


def _unpack(lost: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    if not lost:
        return np.zeros(count, dtype)
    size = count * dtype.itemsize
    try:
        raw = zstandard.ZstdDecompressor().decompress(lost, max_output_size=size)
    except zstandard.ZstdError as error:
        raise DamagedRecordError("The record's rail values are damaged") from error
    if len(raw) != size:
        raise DamagedRecordError("The record's rail values have the wrong length")
    return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype)
