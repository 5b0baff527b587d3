"""Which folders of a tree are the classes, and how that is told to a person.

Nothing is guessed in silence: where the classes aren't plain, the problem says what
was found and how to say it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fiftyone_reue.batch.items import Item
from fiftyone_reue.names.display import count

SPLITS = frozenset(
    {
        *("train", "training", "val", "valid", "validation"),
        *("test", "testing", "dev", "eval"),
    }
)
"""Names, in lower case, of folders that are parts of a dataset and not classes."""

_PICTURES = frozenset(("image", "images", "img", "imgs", "jpegimages"))
_ANSWERS = frozenset(
    {
        *("mask", "masks", "label", "labels", "annotation", "annotations"),
        *("segmentation", "segmentations", "segmentationclass", "gt", "groundtruth"),
        *("ground_truth", "ground-truth", "segmentationobject", "depth", "trimaps"),
    }
)
"""Names, in lower case, of folders that belong to images and aren't a class either."""

_FIRST, _LAST = 8, 2

Folders = tuple[str, ...]
"""The names of the folders that an image lies in, from the top."""


@dataclass(frozen=True)
class Layout:
    """Which folders are the classes.

    Attributes:
        depth: 1 where the first folders below are the classes, 2 where those within
            them are ...
        above: the folders over the classes, such as splits.
        nested: classes with folders inside, whose images are of the class.
        problem: what was found, and how to say what is meant, where a guess would be
            needed; None where the classes are plain.
    """

    depth: int = 1
    above: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    problem: str | None = None


def layout_at(depth: int, folders: Sequence[Folders]) -> Layout:
    """The layout of a tree whose classes are so many folders down."""
    above = {"/".join(parts[: depth - 1]) for parts in folders if len(parts) >= depth}
    nested = {parts[depth - 1] for parts in folders if len(parts) > depth}
    return Layout(depth, tuple(sorted(above - {""})), tuple(sorted(nested)))


def find_layout(folders: Sequence[Folders]) -> Layout:
    """Find out which folders are the classes.

    Args:
        folders: of each image that is in a folder.

    Returns:
        Classes below splits (``train/cat``, ``val/cat``), or the first folders below.
        With a problem where these aren't plain: splits that hold images, or no folders
        but one, or the same folders within several others.
    """
    tops = {parts[0] for parts in folders}
    splits = {top for top in tops if top.lower() in SPLITS}
    loose = {parts[0] for parts in folders if len(parts) == 1}
    deep = {parts[0] for parts in folders if len(parts) > 1}
    if splits and splits == tops and not loose:
        return layout_at(2, folders)
    plain = layout_at(1, folders)
    if splits and splits == tops and not deep:
        why = f"{_and(sorted(tops))} would be splits, not classes"
        return _unclear(plain, folders, why)
    if splits & deep:
        return _unclear(plain, folders, "some folders are splits and some are not")
    if loose or not folders:
        return plain
    if len(tops) == 1:
        return _unclear(plain, folders, f"all images are in {next(iter(tops))}")
    within = Counter(name for _, name in {(p[0], p[1].lower()) for p in folders})
    if max(within.values()) > 1:
        return _unclear(plain, folders, "several folders hold the same folders")
    return plain


def counts(items: Sequence[Item]) -> dict[str, int]:
    """How many images each class has, by its name."""
    found = Counter(item.label for item in items if item.label is not None)
    return dict(sorted(found.items()))


def listing(items: Sequence[Item]) -> str:
    """The classes with their counts, in a line; of many, the first and the last.

    Of images with regions: in how many images each class is.
    """
    regions = [item.regions for item in items if item.regions is not None]
    if not regions:
        return described(counts(items))
    found = Counter(name for one in regions for name in one.names)
    classes = count(len(found), "class", "classes")
    named = _some(dict(sorted(found.items()))) or "nothing is annotated"
    return f"{classes} in {count(len(items), 'image')}: {named}"


def described(found: Mapping[str, int]) -> str:
    """Classes with how many images each has; see :func:`listing`."""
    total = sum(found.values())
    classes = count(len(found), "class", "classes")
    return f"{classes}, {count(total, 'image')}: {_some(found)}"


def remarks(items: Sequence[Item], layout: Layout | None = None) -> list[str]:
    """What a person should know of the classes, a sentence each."""
    said = []
    found = counts(items)
    single = [name for name, number in found.items() if number == 1]
    if layout is not None and layout.above:
        said.append(
            f"The classes are the folders in {_and(layout.above)}; these stay apart."
        )
    if layout is not None and layout.nested:
        said.append(
            f"Images in folders inside {_and(layout.nested)} are of that class."
        )
    names = {name.lower() for name in found}
    if names & _PICTURES and names & _ANSWERS and names <= _PICTURES | _ANSWERS:
        said.append(
            f"{_and(list(found))} look like images and what belongs to them, as for "
            "segmentation, not like classes: give the folder of the images alone, and "
            "take clusters of images that look alike as the classes (--clusters N)."
        )
    if len(found) == 1:
        said.append(
            f"There is one class only, {next(iter(found))}: are the classes elsewhere?"
        )
    elif single and len(single) == len(found):
        said.append(
            "Every class has one image: are these classes? A perturbation is made for "
            "each of them."
        )
    elif single:
        classes = "class has" if len(single) == 1 else "classes have"
        said.append(f"{len(single)} {classes} one image: {_and(single)}.")
    return said


def only_class(items: Sequence[Item]) -> str | None:
    """The class that all items are of; None of several or of no classes."""
    found = {item.label for item in items}
    return next(iter(found)) if len(found) == 1 else None


def _unclear(layout: Layout, folders: Sequence[Folders], why: str) -> Layout:
    found = Counter("/".join(parts[:2]) for parts in folders)
    ways = []
    for depth in (1, 2):
        names = sorted({p[depth - 1] for p in folders if len(p) >= depth})
        if names:
            ways.append(f"--classes-at {depth} for {_and(names)}")
    problem = (
        f"which folders are the classes isn't plain: {why}. Found: "
        f"{_some(dict(sorted(found.items())))}. Say it with {', or '.join(ways)}"
    )
    return Layout(layout.depth, layout.above, layout.nested, problem)


def _some(found: Mapping[str, int]) -> str:
    named = [f"{name} {number}" for name, number in found.items()]
    if len(named) > _FIRST + _LAST + 1:
        named[_FIRST:-_LAST] = ["..."]
    return ", ".join(named)


def _and(names: Sequence[str]) -> str:
    shown = list(names)
    if len(shown) > _FIRST:
        shown[_FIRST:] = [f"{len(shown) - _FIRST} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
