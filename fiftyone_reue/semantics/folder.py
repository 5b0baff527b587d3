"""The user's own images to hide, one folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.media.codec import IMAGE_SUFFIXES, load
from fiftyone_reue.media.depth import shown
from fiftyone_reue.media.square import to_square


def folder_images(
    folder: Path, class_names: Sequence[str], variants: int, size: int
) -> np.ndarray:
    """The images to hide that a folder holds in sub-folders named as the classes.

    Of each class the first images in the order of their names are taken; too few
    repeat. Of an image that isn't square the centre is taken.

    Args:
        folder: holds one folder a class.
        class_names: at least 1; other sub-folders are left alone.
        variants: images a class, at least 1.
        size: side in pixels.

    Returns:
        ``(classes, variants, size, size, 3)`` uint8.

    Raises:
        InputError: the folder can't be read, a class has no folder or no image in it,
            or one of the images taken can't be read.
    """
    homes = {entry.name: entry for entry in _entries(folder) if entry.is_dir()}
    images = np.empty((len(class_names), variants, size, size, 3), np.uint8)
    for index, name in enumerate(class_names):
        if name not in homes:
            raise InputError(
                f"{folder}: class {name!r} has no folder there; make a folder of that "
                "name with at least one image to hide"
            )
        paths = _image_paths(homes[name], name)[:variants]
        own = [_centre(path, name, size) for path in paths]
        for number in range(variants):
            images[index, number] = own[number % len(own)]
    return images


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, by name."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        why = error.strerror or "can't be read"
        raise InputError(
            f"{folder}: {why}; give a folder of images to hide that can be read, with "
            "one folder a class"
        ) from None


def _image_paths(home: Path, name: str) -> list[Path]:
    """A class's image files by name; at least one."""
    paths = [
        path
        for path in _entries(home)
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    ]
    if not paths:
        raise InputError(
            f"{home}: there is no image to hide for class {name!r}; put at least one "
            "there, such as a PNG"
        )
    return paths


def _centre(path: Path, name: str, size: int) -> np.ndarray:
    """The middle of an image file, ``(size, size, 3)`` uint8."""
    try:
        # A damaged record is no matter here: the image is only looked at.
        raster = load(path, ignore_record=True).raster
    except ReueError as error:
        raise InputError(
            f"{error}; it was to be hidden for class {name!r}: replace or remove it"
        ) from None
    side = min(raster.height, raster.width)
    top, left = (raster.height - side) // 2, (raster.width - side) // 2
    square = shown(raster)[top : top + side, left : left + side]
    return to_square(square, raster.colour_channels, size)
