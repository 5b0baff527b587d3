"""Small pictures of what was found, for people: nothing is computed from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_reue.errors import ReueError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import shown as displayed
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.watermark import codes, embed, patterns

SIDE = 256
"""The longer side of a picture, pixels."""

STRONGER = 16
"""How many times a difference of gray levels is enlarged."""

_AMPLITUDE = 2


def mark(
    key: bytes, image_id: str, code_seed: bytes, height: int, width: int
) -> np.ndarray:
    """A recipient's mark on an image, ``(height, width)`` int8 gray levels."""
    code = codes.code(code_seed, image_id, patterns.bit_count(height, width))
    return embed.mark(key, image_id, code, height, width, _AMPLITUDE)[..., 0]


def draw(
    folder: Path,
    name: str,
    *,
    suspect: Path,
    box: tuple[int, int, int, int] | None,
    original: Raster | None,
    left: np.ndarray,
    mark: np.ndarray | None,
) -> dict[str, str]:
    """Write the pictures of one suspect.

    Args:
        folder: where to.
        name: what their names begin with.
        suspect: its file.
        box: left, top, right and bottom of what is shown of it; None for all.
        original: its original, or None where it is gone.
        left: ``(H, W)`` float gray levels, the suspect without the original.
        mark: ``(H, W)`` gray levels, or None where nobody is named.

    Returns:
        The files' names by what they show: "suspect", "original", "difference", "mark".
        What can't be read isn't shown.
    """
    found: dict[str, Image.Image | None] = {
        "suspect": _of_file(suspect, box),
        "original": None if original is None else _photograph(original),
        "difference": _change(left),
        "mark": None if mark is None else _change(mark),
    }
    names = {}
    for what, picture in found.items():
        if picture is not None:
            names[what] = f"{name}-{what}.png"
            picture.save(folder / names[what])
    return names


def _of_file(path: Path, box: tuple[int, int, int, int] | None) -> Image.Image | None:
    try:
        return _photograph(load(path, ignore_record=True, any_kind=True).raster, box)
    except ReueError:
        return None


def _photograph(
    raster: Raster, box: tuple[int, int, int, int] | None = None
) -> Image.Image:
    samples = displayed(raster)[..., : raster.colour_channels]
    picture = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if box is not None:
        picture = picture.crop(box)
    picture.thumbnail((SIDE, SIDE))
    return picture


def _change(values: np.ndarray) -> Image.Image:
    gray = (128 + STRONGER * values.astype(np.float32)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(gray)
    picture.thumbnail((SIDE, SIDE))
    return picture
