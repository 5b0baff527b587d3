"""The images of the watermark interaction benchmark, and what happens to them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_reue.errors import InputError
from fiftyone_reue.media.quality import psnr

Pixels = np.ndarray
"""``(H, W, 3)`` uint8."""

EDITS: dict[str, int | None] = {"unchanged": None, "JPEG-75": 75, "JPEG-50": 50}
"""What happens to a suspect before it is read: JPEG qualities."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one size.

    Attributes:
        name: for the tables.
        images: what is protected.
        labels: indices into CIFAR-10's classes; photographs, which have no class of
            their own, are given one in turn.
    """

    name: str
    images: list[Pixels]
    labels: list[int]

    def first(self, count: int | None) -> ImageSet:
        """So many of them; None for all."""
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    @staticmethod
    def in_turn(name: str, images: list[Pixels], classes: int) -> ImageSet:
        """With classes given in turn."""
        return ImageSet(name, images, [n % classes for n in range(len(images))])


def edited(image: Pixels, quality: int | None) -> Pixels:
    """After JPEG of that quality; None leaves the image as it is."""
    if quality is None:
        return image
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def mean_psnr(originals: Sequence[Pixels], changed: Sequence[Pixels]) -> float:
    """Mean over the images, dB."""
    pairs = zip(originals, changed, strict=True)
    return mean([psnr(before, after, 3) for before, after in pairs])


def read_photos(path: Path) -> Iterator[Image.Image]:
    """The images of a zip archive or a folder, by name.

    Raises:
        InputError: it isn't there.
    """
    if not path.exists():
        raise InputError(f"{path}: not there; say where photographs are (--photos)")
    if path.is_dir():
        for file in sorted(path.rglob("*.png")):
            yield Image.open(file).convert("RGB")
        return
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".png"):
                yield Image.open(io.BytesIO(archive.read(name))).convert("RGB")


def photo_sets(photos: Sequence[Image.Image], classes: int) -> list[ImageSet]:
    """The largest square of each at 256 px; 512 px of those that have them."""
    small = [_square(photo, min(photo.size)).resize((256, 256)) for photo in photos]
    large = [_square(photo, 512) for photo in photos if min(photo.size) >= 512]
    sets = []
    for size, chosen in ((512, large), (256, small)):
        if chosen:
            images = [np.asarray(image) for image in chosen]
            name = f"photographs, {size} px"
            sets.append(ImageSet.in_turn(name, images, classes))
    return sets


def _square(photo: Image.Image, side: int) -> Image.Image:
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side))


def mean(values: Sequence[float]) -> float:
    """As a plain number, for JSON."""
    return float(np.mean(values))
