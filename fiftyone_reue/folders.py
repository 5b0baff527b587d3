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
            "one; put every image into a folder named for its class (class/name.png), "
            "or take clusters of images that look alike as the classes (--clusters N)"
        )
    return items


def image_items(folder: Path) -> list[Item]:
    """Every image file below a folder, sorted by its path; labels where there are.

    A folder below that can't be read stands among them as one more item: reading it
    fails with the reason, and the rest goes on.

    Raises:
        InputError: there is no such folder, it can't be read, it has no image, or a
            name in it can't be kept.
    """
    _require_readable(folder)
    items = [_item(folder, path) for path in _walk(folder, frozenset())]
    if not items:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{folder}: there is no image in it (looked for {kinds})")
    return items


def suspect_items(path: Path) -> list[Item]:
    """A single file, or every image below a folder.

    Raises:
        InputError: as :func:`image_items`.
    """
    if os.path.isfile(path):
        return [Item(path.name, str(path), None, path.stem)]
    if not os.path.exists(path):
        raise InputError(f"{path}: there is no such file or folder; check the path")
    return image_items(path)


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


def _item(folder: Path, path: Path) -> Item:
    relative = path.relative_to(folder)
    try:
        str(relative).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise InputError(f"{shown}: the name isn't valid UTF-8; rename it") from None
    if os.path.isdir(path):
        name = relative.as_posix()
        return Item(f"{name}/", str(path), relative.parts[0], name)
    label = relative.parts[0] if len(relative.parts) > 1 else None
    output = relative.with_suffix("").as_posix()
    return Item(relative.as_posix(), str(path), label, output)


def _require_readable(folder: Path) -> None:
    if not os.path.exists(folder):
        raise InputError(f"{folder}: there is no such folder; check the path")
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: this is a file; give the folder that holds it")
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: this folder can't be read ({error.strerror}); allow reading it"
        ) from error


def _walk(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Image files, and folders that can't be read; links to folders are followed."""
    real = os.path.realpath(folder)
    if real in above:
        return  # a link to a folder that it lies in
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    below = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            below.append(Path(entry.path))
        elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
            yield Path(entry.path)
    for inner in below:
        yield from _walk(inner, above | {real})
