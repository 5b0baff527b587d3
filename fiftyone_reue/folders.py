"""Folders of images as jobs: ``class/name.ext`` trees, and any heap of suspects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fiftyone_reue.errors import InputError
from fiftyone_reue.items import Item
from fiftyone_reue.media.codec import IMAGE_SUFFIXES


def labelled_items(folder: Path) -> list[Item]:
    """The images of an ImageFolder tree, the first folder below being the class.

    Raises:
        InputError: there is no such folder, no image in it, or images outside any
            class folder.
    """
    items = image_items(folder)
    loose = [item.sample_id for item in items if item.label is None]
    if loose:
        raise InputError(
            f"{folder}: {len(loose)} images are in no class folder, {loose[0]} for "
            "one; put every image into a folder named for its class (class/name.png)"
        )
    return items


def image_items(folder: Path) -> list[Item]:
    """Every image file below a folder, sorted by its path; labels where there are.

    Raises:
        InputError: there is no such folder, it can't be read, or it has no image.
    """
    if not folder.exists():
        raise InputError(f"{folder}: there is no such folder")
    if not folder.is_dir():
        raise InputError(f"{folder}: this is a file; give the folder that holds it")
    items = [_item(folder, path) for path in _image_files(folder)]
    if not items:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{folder}: there is no image in it (looked for {kinds})")
    return items


def suspect_items(path: Path) -> list[Item]:
    """A single file, or every image below a folder.

    Raises:
        InputError: as :func:`image_items`.
    """
    if path.is_file():
        return [Item(path.name, str(path), None, path.stem)]
    return image_items(path)


def check_apart(source: Path, output: Path) -> None:
    """Make sure that neither folder lies within the other.

    Raises:
        InputError: one does; results would be taken for sources.
    """
    one, other = source.resolve(), output.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise InputError(
            f"{output} and {source} lie within one another; choose an output folder "
            "outside the source"
        )


def _item(folder: Path, path: Path) -> Item:
    relative = path.relative_to(folder)
    label = relative.parts[0] if len(relative.parts) > 1 else None
    output = relative.with_suffix("").as_posix()
    return Item(relative.as_posix(), str(path), label, output)


def _image_files(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(
            f"{error.filename}: this folder can't be read ({error.strerror}); "
            "allow reading it or leave it out"
        ) from error

    for current, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(current) / name
