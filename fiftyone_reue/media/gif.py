"""GIF of one frame, read only.

The blocks are walked here, and of Pillow only its decoder is used: Pillow's own reader
does as the process's settings say, and passes over what isn't the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.carrier import Carrier, begins
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Raster, note_left_out

_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, 0x3B
_PLAIN_TEXT, _CONTROL, _COMMENT, _APPLICATION = 0x01, 0xF9, 0xFE, 0xFF

_MOST_FRAMES = 10_000
_LARGEST_RATIO = 1 << 14
"""Pixels in a byte: a code has 2 bits at least, and stands for up to 4096."""


@dataclass
class _Frame:
    """One picture, and where its coded indices lie."""

    left: int
    top: int
    width: int
    height: int
    palette: bytes
    interlaced: bool
    bits: int
    start: int
    end: int


@dataclass
class _Found:
    """What the blocks hold."""

    frames: list[_Frame] = field(default_factory=list)
    transparent: int | None = None
    left_out: list[str] = field(default_factory=list)


def decode(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a GIF of one frame as gray, RGB or RGBA.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: an animation, or too large.
    """
    del want_record
    if len(data) < 13:
        raise _damaged("it is cut short")
    width, height = (int.from_bytes(data[at : at + 2], "little") for at in (6, 8))
    check_size(width, height, max_pixels)
    found = _walk(data)
    if len(found.frames) > 1:
        raise UnsupportedImageError(
            f"has {len(found.frames)} frames; save the frames as images of their own"
        )
    if not found.frames:
        raise _damaged("it holds no picture")
    (frame,) = found.frames
    if frame.width * frame.height > _LARGEST_RATIO * (frame.end - frame.start):
        raise _damaged("its picture is cut short")
    key = found.transparent
    # What a frame leaves open shows what is behind it, or the first colour.
    indices = np.full((height, width), key or 0, np.uint8)
    inside = indices[frame.top :, frame.left :][: frame.height, : frame.width]
    if inside.shape != (frame.height, frame.width):
        raise _damaged("its picture is larger than its canvas")
    inside[:] = _indices(data, frame)
    samples = _coloured(indices, frame.palette, key)
    stored = "a palette and interlacing" if frame.interlaced else "a palette"
    return Loaded(
        Raster(samples, "GIF"),
        left_out=tuple(dict.fromkeys(found.left_out)),
        stored=stored,
    )


def _walk(data: bytes) -> _Found:
    found = _Found()
    palette, at = _palette(data, 10, 13)
    while at < len(data):
        kind = data[at]
        if kind == _TRAILER:
            if at + 1 < len(data):
                found.left_out.append("bytes after the end")
            return found
        if kind == _EXTENSION and at + 2 < len(data):
            label, first = data[at + 1], data[at + 3 : at + 3 + data[at + 2]]
            _note(label, first, found)
            at = _skip(data, at + 2)
        elif kind == _FRAME and at + 10 < len(data):
            at = _read_frame(data, at, palette, found)
        else:
            break
    # Without its closing byte the picture is complete all the same.
    if not found.frames or at < len(data):
        raise _damaged("it is cut short")
    return found


def _palette(data: bytes, flags_at: int, at: int) -> tuple[bytes, int]:
    """The palette that a flags byte announces (or none), and what comes behind."""
    flags = data[flags_at]
    size = 3 * (2 << (flags & 7)) if flags & 0x80 else 0
    if at + size > len(data):
        raise _damaged("its palette is cut short")
    return data[at : at + size], at + size


def _read_frame(data: bytes, at: int, palette: bytes, found: _Found) -> int:
    left, top, width, height = (
        int.from_bytes(data[at + n : at + n + 2], "little") for n in (1, 3, 5, 7)
    )
    own, start = _palette(data, at + 9, at + 10)
    if start >= len(data):
        raise _damaged("it is cut short")
    end = _skip(data, start + 1)
    frame = _Frame(
        left,
        top,
        width,
        height,
        own or palette,
        bool(data[at + 9] & 0x40),
        data[start],
        start + 1,
        end,
    )
    found.frames.append(frame)
    if len(found.frames) > _MOST_FRAMES:
        raise UnsupportedImageError(
            f"has more than {_MOST_FRAMES} frames; save the frames as images of their "
            "own"
        )
    return end


def _skip(data: bytes, at: int) -> int:
    """The end of a run of sub-blocks."""
    while at < len(data):
        size = data[at]
        at += 1 + size
        if not size:
            return at
    raise _damaged("it is cut short")


def _note(label: int, first: bytes, found: _Found) -> None:
    if label == _CONTROL and len(first) == 4:
        if first[0] & 1 and not found.frames:
            found.transparent = first[3]
    elif label == _COMMENT:
        note_left_out(found.left_out, "GIF comment")
    elif label == _APPLICATION:
        name = first[:11].decode("latin-1")
        note_left_out(found.left_out, f"GIF application extension {name!r}")
    elif label == _PLAIN_TEXT:
        note_left_out(found.left_out, "GIF plain text")
    else:
        note_left_out(found.left_out, f"GIF extension {label:#04x}")


def _indices(data: bytes, frame: _Frame) -> np.ndarray:
    check_size(frame.width, frame.height, frame.width * frame.height)
    if not 1 <= frame.bits <= 11:
        raise _damaged("its picture is of an unknown coding")
    args = (frame.bits, int(frame.interlaced), -1)
    try:
        image = Image.frombytes(
            "L", (frame.width, frame.height), data[frame.start : frame.end], "gif", args
        )
    except Exception as error:
        raise _damaged(str(error)) from None
    return np.asarray(image)


def _coloured(indices: np.ndarray, palette: bytes, key: int | None) -> np.ndarray:
    """``(H, W, 1, 3 or 4)`` uint8."""
    table = np.zeros((256, 3), np.uint8)
    if palette:
        colours = np.frombuffer(palette, np.uint8).reshape(-1, 3)
        table[: len(colours)] = colours
    else:
        table[:] = np.arange(256, dtype=np.uint8)[:, None]
    samples = table[indices]
    if key is not None:
        alpha = np.where(indices == key, 0, 255).astype(np.uint8)
        return np.dstack([samples, alpha])
    used = len(palette) // 3 or 256
    ramp = (table[:used] == np.arange(used, dtype=np.uint8)[:, None]).all()
    return np.ascontiguousarray(samples[:, :, :1]) if ramp else samples


def _damaged(why: str) -> UnreadableImageError:
    return UnreadableImageError(f"damaged GIF: {why}; replace or remove it")


CARRIER = Carrier("GIF", (".gif",), begins(b"GIF87a", b"GIF89a"), decode)
