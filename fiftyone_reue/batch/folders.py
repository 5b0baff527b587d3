"""Folders of images as jobs: ``class/name.ext`` trees, and any heap of suspects."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from fiftyone_reue.batch.classes import Layout, find_layout, layout_at
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.litter import OTHER_SUFFIXES, Judged, judged
from fiftyone_reue.batch.stored import Met, walk
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import IMAGE_SUFFIXES, READABLE_SUFFIXES, is_image
from fiftyone_reue.names.display import count
from fiftyone_reue.names.filenames import component, portable, shown
from fiftyone_reue.stores.address import Address, Place, is_folder

MOST_WAYS = 16
"""By so many ways, through links, one folder is taken; a person needs few.

Each level of folders with two links to the next one doubles the ways.
"""


@dataclass(frozen=True)
class Tree:
    """The images of a folder tree.

    Attributes:
        items: one for each image file, sorted by its path. A folder below that can't
            be read stands among them as one more item: reading it fails with the
            reason, and the rest goes on.
        layout: which folders are the classes.
        others: how many other files were passed over, by suffix.
        hidden: the images that were passed over since a dot begins their name, or
            that of a folder they lie in.
    """

    items: list[Item]
    layout: Layout
    others: dict[str, int]
    hidden: tuple[str, ...] = ()

    def passed_over(self) -> str | None:
        """What was passed over, in a sentence or two; None if nothing was."""
        return _passed_over(self.others, self.hidden)


def read_tree(folder: Place, classes_at: int | None = None) -> Tree:
    """Find the images of a tree, and their classes.

    Args:
        folder: the tree, or its address in a store.
        classes_at: how many folders down the classes are; by default that is found
            out, see :func:`fiftyone_reue.batch.classes.find_layout`.

    Raises:
        InputError: there is no such folder, no image in it, images outside any class
            folder, or it isn't plain which folders are the classes.
    """
    tree = _tree(folder, classes_at, strict=True)
    loose = [item.sample_id for item in tree.items if item.label is None]
    if loose:
        raise InputError(
            f"{shown(str(folder))}: {count(len(loose), 'image')} in no class folder, "
            f"such as {loose[0]}; put every image into a folder named for its class "
            "(class/name.png), or take clusters of images that look alike as the "
            "classes (--clusters N)"
        )
    if tree.layout.problem is not None:
        raise InputError(
            f"{shown(str(folder))}: {tree.layout.problem}, or take clusters of images "
            "that look alike as the classes (--clusters N)"
        )
    return tree


def read_source(
    folder: Place,
    output: Place,
    classes_at: int | None = None,
    *,
    clustered: bool = False,
) -> Tree:
    """Find the images to protect into another folder.

    Args:
        folder: the tree.
        output: where the copies go; neither lies within the other.
        classes_at: as for :func:`read_tree`.
        clustered: whether clusters will be the classes, so that folders needn't be.

    Raises:
        InputError: as :func:`read_tree` and :func:`check_apart`.
    """
    check_apart(folder, output)
    return read_tree_of(folder, classes_at, clustered=clustered)


def read_tree_of(
    folder: Place, classes_at: int | None = None, *, clustered: bool = False
) -> Tree:
    """As :func:`read_source`, of a folder that nothing is made of."""
    return read_heap(folder) if clustered else read_tree(folder, classes_at)


def labelled_items(folder: Place, classes_at: int | None = None) -> list[Item]:
    """The images of an ImageFolder tree with their classes; see :func:`read_tree`."""
    return read_tree(folder, classes_at).items


def image_items(folder: Place) -> list[Item]:
    """Every image file below a folder, sorted by its path; labels where there are.

    As :func:`read_tree`, but it need not be a tree of classes.

    Raises:
        InputError: there is no such folder, it can't be read, or it has no image.
    """
    return read_heap(folder).items


def read_heap(folder: Place) -> Tree:
    """As :func:`image_items`, with what else is there."""
    return _tree(folder, None, strict=False)


def suspect_items(path: Place) -> list[Item]:
    """A single file, or every image below a folder.

    What is there and is neither is one item, which can't be read.

    Raises:
        InputError: as :func:`image_items`.
    """
    return image_items(path) if is_folder(path) else [_single(path)]


def _single(path: Place) -> Item:
    return Item(shown(path.name), str(path), None, portable(path.stem))


def all_suspects(
    paths: Iterable[Place],
    *,
    apart_from: Place | None = None,
    find: Callable[[Place], list[Item]] = suspect_items,
) -> list[Item]:
    """The images of several files and folders; see :func:`suspect_items`.

    What is given twice is there once. Files of one name, in different places, are
    called by their paths.

    Args:
        paths: of files and folders.
        apart_from: where results go, which no folder may hold or lie in.
        find: gives the images of one of the paths.

    Raises:
        InputError: as :func:`suspect_items` and :func:`check_apart`.
    """
    items: list[Item] = []
    for path in paths:
        if apart_from is not None and (isinstance(path, Address) or path.is_dir()):
            check_apart(path, apart_from)
        items += find(path)
    items = list({one.path: one for one in items}.values())
    names = Counter(one.sample_id for one in items)
    return [
        one if names[one.sample_id] == 1 else replace(one, sample_id=shown(one.path))
        for one in items
    ]


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


def check_apart(source: Place, output: Place) -> None:
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


def _tree(folder: Place, classes_at: int | None, *, strict: bool) -> Tree:
    others: Counter[str] = Counter()
    passed_by: list[tuple[str, ...]] = []
    if isinstance(folder, Address):
        found = list(walk(folder, others, passed_by))
    else:
        found = _walk_folder(folder, others, passed_by)
    hidden = tuple(sorted(shown("/".join(parts)) for parts in passed_by))
    if not found:
        kinds = ", ".join(sorted(READABLE_SUFFIXES))
        passed = _passed_over(others, hidden)
        raise InputError(
            f"{shown(str(folder))}: there is no image in it (looked for {kinds})"
            + (f". {passed}" if passed else "")
        )
    folders = [
        tuple(map(shown, one.parts[:-1]))
        for one in found
        if not one.closed and len(one.parts) > 1
    ]
    layout = (
        find_layout(folders) if classes_at is None else layout_at(classes_at, folders)
    )
    depth = layout.depth
    # A folder above the classes that can't be read is of none of them: it is put with
    # one that there is, since whoever reads it next reports it.
    some_class = next((p[depth - 1] for p in folders if len(p) >= depth), None)
    items = [
        _closed(one.path, one.parts, depth, some_class)
        if one.closed
        else _item(one, depth, strict=strict)
        for one in found
    ]
    return Tree(items, layout, dict(sorted(others.items())), hidden)


def _walk_folder(
    folder: Path, others: Counter[str], hidden: list[tuple[str, ...]]
) -> list[Met]:
    _require_readable(folder)
    passed_by: list[Path] = []
    found = [
        Met(str(path), path.relative_to(folder).parts, os.path.isdir(path))
        for path in _walk(folder, others, passed_by)
    ]
    hidden += [path.relative_to(folder).parts for path in passed_by]
    return found


def _closed(
    path: str, parts: tuple[str, ...], depth: int, some_class: str | None
) -> Item:
    """A folder that can't be read."""
    name = shown("/".join(parts))
    label = shown(parts[depth - 1]) if len(parts) >= depth else some_class
    output = "/".join(map(portable, parts))
    return Item(f"{name}/", path, label or shown(parts[0]), output)


def _item(one: Met, depth: int, *, strict: bool) -> Item:
    *above, last = one.placed or one.parts
    labelled = len(above) >= depth
    named = [portable(name) for name in above]
    if strict and labelled:
        named[depth - 1] = component(above[depth - 1])  # a class's own folder
    return Item(
        shown("/".join(one.parts)),
        one.path,
        shown(one.parts[depth - 1]) if labelled else None,
        "/".join([*named, portable(stem_of(last))]),
        keep_name=True,
        size=one.size,
    )


def stem_of(name: str) -> str:
    """A file's name without a suffix that images have."""
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


def _walk(
    folder: Path,
    others: Counter[str],
    hidden: list[Path],
    ways: Counter[str] | None = None,
    within: frozenset[str] = frozenset(),
) -> Iterator[Path]:
    """Image files, and folders that can't be read; links to folders are followed.

    What is neither is counted in ``others``, hidden images are put into ``hidden``.
    Nothing is said of hidden files that aren't images, nor of litter. In ``ways`` is
    counted by how many each folder was reached; those that it is ``within`` are left
    out.

    Raises:
        InputError: links lead to one folder in too many ways.
    """
    ways = Counter() if ways is None else ways
    folders = [(folder, within)]
    while folders:
        here, above = folders.pop()
        real = os.path.realpath(here)
        if real in above:
            continue  # a link to a folder that it lies in
        ways[real] += 1
        if ways[real] > MOST_WAYS:
            raise InputError(
                f"{folder}: links in it lead to {shown(real)} in more than {MOST_WAYS} "
                "ways; remove links"
            )
        try:
            with os.scandir(here) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            yield here
            continue
        below = []
        for entry in entries:
            within_it = _is_folder(entry)
            judgement = judged(entry.name, is_folder=within_it)
            if judgement is Judged.LITTER:
                continue
            if judgement is Judged.HIDDEN:
                hidden += _hidden_images(entry, ways, above | {real})
            elif within_it:
                below.append((Path(entry.path), above | {real}))
            elif _is_image(entry):
                yield Path(entry.path)
            else:
                others[shown(PurePath(entry.name).suffix.lower()) or "no suffix"] += 1
        folders += reversed(below)


def _hidden_images(
    entry: os.DirEntry[str], ways: Counter[str], above: frozenset[str]
) -> list[Path]:
    """The images of a name that begins with a dot: its own or those within it."""
    if not _is_folder(entry):
        return [Path(entry.path)] if _is_image(entry) else []
    found: list[Path] = []
    seen = _walk(Path(entry.path), Counter(), found, ways, above)
    return found + [path for path in seen if not os.path.isdir(path)]


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Go by the suffix, and by the first bytes where that says nothing."""
    suffix = PurePath(entry.name).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix in OTHER_SUFFIXES:
        return False
    try:
        if not entry.is_file():
            return False
        with open(entry.path, "rb") as file:
            return is_image(file.read(32))
    except OSError:
        return False


def _passed_over(others: Mapping[str, int], hidden: Sequence[str]) -> str | None:
    said = []
    total = sum(others.values())
    if total:
        kinds = ", ".join(f"{suffix} {number}" for suffix, number in others.items())
        files = "file was" if total == 1 else "files were"
        said.append(f"{total} other {files} passed over: {kinds}.")
    if hidden:
        files = "file" if len(hidden) == 1 else "files"
        example = ", for one" if len(hidden) > 1 else ""
        said.append(
            f"{len(hidden)} hidden {files} passed over: {hidden[0]}{example}; rename "
            "what is meant to be there without the dot."
        )
    return " ".join(said) or None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # such as a link to itself
