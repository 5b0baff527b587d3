"""Pictures to make awkward files from: crops of photographs that are installed."""

import functools
import io
import itertools

import numpy as np
from PIL import Image

from fiftyone_reue.demo.tiles import load_photo

SIDES = 80, 96
"""Height and width of a picture."""

_PHOTOS = "astronaut", "coffee", "camera", "cat", "rocket", "motorcycle", "retina"
_numbers = itertools.count()


@functools.cache
def _whole(name: str) -> Image.Image:
    return load_photo(name).convert("RGB")


def photo() -> np.ndarray:
    """Another crop each time, in the same order in every run: ``(80, 96, 3)`` uint8."""
    number = next(_numbers)
    whole = _whole(_PHOTOS[number % len(_PHOTOS)])
    draw = np.random.default_rng(number)
    while True:
        side = int(draw.integers(160, 300))
        left = int(draw.integers(0, whole.width - side))
        top = int(draw.integers(0, whole.height - side))
        crop = whole.crop((left, top, left + side, top + side))
        made = np.asarray(crop.resize(SIDES[::-1], Image.Resampling.LANCZOS))
        if made.std() > 30:  # sky and shadow say little about a picture
            return made


def gray() -> np.ndarray:
    """``(80, 96)`` uint8."""
    return np.asarray(Image.fromarray(photo()).convert("L"))


def wide(samples: np.ndarray) -> np.ndarray:
    """Eight bits to sixteen, with something in the lower ones."""
    low = np.random.default_rng(0).integers(0, 256, samples.shape)
    return (samples.astype(np.uint16) << 8) | low.astype(np.uint16)


def cutout() -> np.ndarray:
    """A disc of a photograph, soft at its edge, on nothing: ``(80, 96, 4)`` uint8."""
    height, width = SIDES
    y, x = np.mgrid[:height, :width]
    away = np.hypot(y - height / 2, x - width / 2)
    alpha = np.clip((36 - away) * 64, 0, 255).astype(np.uint8)
    return np.dstack([photo(), alpha])


def mask() -> np.ndarray:
    """Indices 0 to 3 in large areas, as an annotation has them: ``(80, 96)`` uint8."""
    height, width = SIDES
    y, x = np.mgrid[:height, :width]
    return ((y > 30).astype(np.uint8) + (x > 40) + ((x - 60) ** 2 + y**2 < 900)) % 4


def saved(image: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    """A file as Pillow writes it."""
    file = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(file, format, **options)
    return file.getvalue()


def thumbnail(image: np.ndarray, format: str = "JPEG") -> bytes:
    """A small file of a picture, as cameras and editors put into metadata."""
    small = Image.fromarray(image)
    small.thumbnail((48, 48))
    return saved(small, format)


def noise(size: int) -> bytes:
    """Bytes that no compression makes fewer."""
    return np.random.default_rng(size).bytes(size)
