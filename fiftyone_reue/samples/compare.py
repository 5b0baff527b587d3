"""Pictures that show what a sample's copy changed: side by side, amplified, in turn."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiftyone_reue.errors import InputError, UnreadableImageError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import shown
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.samples import fields
from fiftyone_reue.samples.source import IN_A_STORE
from fiftyone_reue.stores.address import is_url

if TYPE_CHECKING:
    import fiftyone as fo

COPIES = {
    "protected": fields.PROTECTED,
    "restored": fields.RESTORED,
    "revealed": fields.REVEALED,
}
"""The fields with a sample's other files, by what they are."""

ZOOMS = (1, 2, 4, 8)
AMPLIFICATIONS = (1, 4, 8, 16)

SIDE = 400
"""The longer side of a picture, in pixels."""

FLICKER_MS = 400

SHOWN, GAP = 200, 8
"""Pixels a side of what is shown of an image beside its copy, and between them."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Comparison:
    """A sample's original beside another file of it; pictures are data URIs.

    Attributes:
        original: of the part that is looked at.
        copy: likewise; None of a file of another size, as revealed pictures are, which
            is then in ``whole``.
        difference: gray where nothing changed, amplified.
        flicker: original and copy in turn, as an animation.
        whole: the other file, where it can't be laid upon the original.
        psnr: of the whole images, in dB; 99 where nothing changed.
        largest: the largest change of a sample, in gray levels.
        changed: the share of samples that changed, 0 to 1.
    """

    original: str
    copy: str | None = None
    difference: str | None = None
    flicker: str | None = None
    whole: str | None = None
    psnr: float | None = None
    largest: int | None = None
    changed: float | None = None


def copies_of(dataset: fo.Dataset, sample_id: str) -> dict[str, str]:
    """A sample's other files, by what they are: see :data:`COPIES`."""
    present = {k: path for k, path in COPIES.items() if dataset.has_field(path)}
    found = fields.all_samples(dataset).select(sample_id)
    values = found.values(list(present.values()))
    return {
        kind: column[0]
        for kind, column in zip(present, values, strict=True)
        if column and column[0]
    }


def compare(
    original: str,
    copy: str,
    *,
    zoom: int = 1,
    across: float = 0.5,
    down: float = 0.5,
    amplify: int = 8,
) -> Comparison:
    """Lay a copy beside its original.

    Args:
        original: a file.
        copy: another.
        zoom: how many times the part that is looked at is enlarged.
        across: where its middle is, 0 at the left to 1 at the right.
        down: likewise, 0 at the top to 1 at the bottom.
        amplify: by what the difference is multiplied.

    Raises:
        UnreadableImageError: a file isn't there, or is no image.
        InputError: a number is out of its range.
    """
    if zoom < 1 or amplify < 1 or not (0 <= across <= 1 and 0 <= down <= 1):
        raise InputError("Zoom and amplification are 1 or more, places from 0 to 1")
    before, after = _pixels(original), _pixels(copy)
    window = _window(before.shape[:2], zoom, across, down)
    if before.shape != after.shape:
        return Comparison(_png([before[window]]), whole=_png([after]))
    change = after.astype(np.int16) - before.astype(np.int16)
    amplified = np.clip(128 + amplify * change, 0, 255).astype(np.uint8)
    return Comparison(
        original=_png([before[window]]),
        copy=_png([after[window]]),
        difference=_png([amplified[window]]),
        flicker=_png([before[window], after[window]]),
        psnr=float(psnr(before, after, colours=3)),
        largest=int(np.abs(change).max()),
        changed=float((change != 0).mean()),
    )


def side_by_side(original: str, copy: bytes) -> str:
    """A picture of an original and, at its right, a copy: as many pixels as they have.

    Args:
        original: a file.
        copy: a file's bytes, of an image of the same size.

    Returns:
        A data URI. Of larger images than :data:`SHOWN` it is the middle.
    """
    before, after = _pixels(original), _pixels(copy)
    height, width = before.shape[:2]
    top, left = (max(0, (side - SHOWN) // 2) for side in (height, width))
    window = slice(top, top + SHOWN), slice(left, left + SHOWN)
    gap = np.full((before[window].shape[0], GAP, 3), 255, np.uint8)
    both = np.concatenate([before[window], gap, after[window]], axis=1)
    image = Image.fromarray(both)
    # Small ones are enlarged here: the App would blur them.
    times = max(1, SHOWN // max(before[window].shape[:2]))
    data = io.BytesIO()
    size = (times * image.width, times * image.height)
    image.resize(size, Image.Resampling.NEAREST).save(data, "PNG")
    return f"data:image/png;base64,{b64encode(data.getvalue()).decode()}"


def _pixels(source: str | bytes) -> Pixels:
    """A file as it is shown, uint8 RGB ``(h, w, 3)``."""
    if isinstance(source, str) and is_url(source):
        raise UnreadableImageError(IN_A_STORE)
    raster = load(source).raster
    pixels = shown(raster)[:, :, : raster.colour_channels]
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, 2)


def _window(
    size: Sequence[int], zoom: int, across: float, down: float
) -> tuple[slice, slice]:
    """The part of an image that is looked at, within it wherever its middle is."""

    def part(length: int, middle: float) -> slice:
        extent = max(1, round(length / zoom))
        start = round(middle * length - extent / 2)
        start = min(max(start, 0), length - extent)
        return slice(start, start + extent)

    return part(size[0], down), part(size[1], across)


def _png(frames: Sequence[Pixels]) -> str:
    """Frames as a PNG, an animated one of several; enlarged pixels are squares."""
    images = [_scaled(Image.fromarray(frame)) for frame in frames]
    data = io.BytesIO()
    rest = (
        {
            "save_all": True,
            "append_images": images[1:],
            "duration": FLICKER_MS,
            "loop": 0,
        }
        if len(images) > 1
        else {}
    )
    images[0].save(data, "PNG", **rest)
    return f"data:image/png;base64,{b64encode(data.getvalue()).decode()}"


def _scaled(image: Image.Image) -> Image.Image:
    factor = SIDE / max(image.size)
    size = tuple(max(1, round(factor * side)) for side in image.size)
    way = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    return image.resize((size[0], size[1]), way)
