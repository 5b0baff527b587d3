"""Folders of images as jobs: ``class/name.ext`` trees, and any heap of suspects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fiftyone_reue.errors import InputError
from fiftyone_reue.items import Item
from fiftyone_reue.media.codec import IMAGE_SUFFIXES
from fiftyone_reue.names import component, portable, shown


def labelled_items(folder: Path) -> list[Item]:
    """The images of an ImageFolder tree, the first folder below being the class.

    Raises:
        InputError: there is no such folder, no image in it, or images outside any
            class folder.
    """
    items = _items(folder, classes=True)
    loose = [item.sample_id for item in items if item.label is None]
    if loose:
        raise InputError(
            f"{folder}: {len(loose)} images are in no class folder, {loose[0]} for "
            "one; put every image into a folder named for its class (class/name.png), "
            "or take clusters of images that look alike as the classes (--clusters N)"
        )
    return items


def image_items(folder: Path) -> list[Item]:
    """Every image file below a folder, sorted by its path; labels where there are.

    A folder below that can't be read stands among them as one more item: reading it
    fails with the reason, and the rest goes on.

    Raises:
        InputError: there is no such folder, it can't be read, or it has no image.
    """
    return _items(folder, classes=False)


def _items(folder: Path, *, classes: bool) -> list[Item]:
    _require_readable(folder)
    items = [_item(folder, path, classes=classes) for path in _walk(folder)]
    if not items:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{folder}: there is no image in it (looked for {kinds})")
    return items


def suspect_items(path: Path) -> list[Item]:
    """A single file, or every image below a folder.

    What is there and is neither is one item, which can't be read.

    Raises:
        InputError: as :func:`image_items`.
    """
    if os.path.isdir(path):
        return image_items(path)
    if not os.path.lexists(path):
        raise InputError(
            f"{shown(path)}: there is no such file or folder; check the path"
        )
    return [Item(shown(path.name), str(path), None, portable(path.stem))]


def whole_path(folder: str | os.PathLike[str]) -> Path:
    """An output folder that means the same wherever a process was started.

    Args:
        folder: absolute, or below somebody's home (``~``).

    Returns:
        The absolute path.

    Raises:
        InputError: it is relative.
    """
    path = Path(folder).expanduser()
    if not path.is_absolute():
        raise InputError(f"{path}: give the output folder's whole path, from / on")
    return path


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


def _item(folder: Path, path: Path, *, classes: bool) -> Item:
    relative = path.relative_to(folder)
    name = shown(relative.as_posix())
    if os.path.isdir(path):
        return Item(f"{name}/", str(path), shown(relative.parts[0]), name)
    *above, last = relative.parts
    label = shown(above[0]) if above else None
    named = [portable(one) for one in above]
    if classes and above:
        named[0] = component(above[0])  # a class has a folder of its own
    output = "/".join([*named, portable(_stem(last))])
    return Item(name, str(path), label, output, keep_name=True)


def _stem(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return stem if stem and f".{suffix.lower()}" in IMAGE_SUFFIXES else name


def _require_readable(folder: Path) -> None:
    if not os.path.exists(folder):
        raise InputError(f"{shown(folder)}: there is no such folder; check the path")
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: this is a file; give the folder that holds it")
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: this folder can't be read ({error.strerror}); allow reading it"
        ) from error


def _walk(folder: Path) -> Iterator[Path]:
    """Image files, and folders that can't be read; links to folders are followed."""
    folders = [(folder, frozenset[str]())]
    while folders:
        here, above = folders.pop()
        real = os.path.realpath(here)
        if real in above:
            continue  # a link to a folder that it lies in
        try:
            with os.scandir(here) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            yield here
            continue
        below = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                below.append((Path(entry.path), above | {real}))
            elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(entry.path)
        folders += reversed(below)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # such as a link to itself
