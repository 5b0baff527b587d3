"""COCO annotation files: which images there are, and which class is where in them.

The format is that of https://cocodataset.org/#format-data, as exporters write it: with
boxes, polygons or run lengths. What goes along with a release is by an allow-list:
addresses and dates of images, and what a tool keeps for itself, tell of the originals.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from fiftyone_reue.batch.folders import Tree, check_apart, read_heap, stem_of
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.regions import Box, Objects, Outline, Region, Runs, Shape
from fiftyone_reue.batch.runs import counts_of
from fiftyone_reue.errors import InputError, UnsafePathError
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import count
from fiftyone_reue.names.filenames import portable, shown
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, is_url

MOST_BYTES = 2 << 30
"""A file of this size takes some 10 GB of memory to read."""

_KEPT = {
    "images": ("id", "width", "height", "file_name", "license"),
    "annotations": (
        *("id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"),
        *("keypoints", "num_keypoints", "caption"),
    ),
    "categories": ("id", "name", "supercategory", "keypoints", "skeleton", "isthing"),
    "licenses": ("id", "name", "url"),
}
"""What goes along with a release."""

_FEW = 3


@dataclass(frozen=True, eq=False)
class Coco:
    """An annotation file and the images that it names.

    Attributes:
        tree: an item for each image that it names, with its regions, sorted by name;
            and what else is in the folder.
        name: the file's.
        remarks: what a person should know of it, a sentence each.
    """

    tree: Tree
    name: str
    remarks: list[str]
    _read: dict[str, Any] = field(repr=False)
    _ids: dict[Any, str] = field(repr=False)

    @property
    def items(self) -> list[Item]:
        """One for each image that the file names."""
        return self.tree.items

    def released(self, outputs: Mapping[str, str]) -> bytes:
        """The annotations of a release's copies, as a COCO file.

        Args:
            outputs: the copies' paths in the release by sample; images without one are
                left out, and so is what is annotated in them.
        """
        content: dict[str, Any] = {"info": {}}
        here = {key: outputs[one] for key, one in self._ids.items() if one in outputs}
        for kind, kept in _KEPT.items():
            content[kind] = [
                _entry(kind, kept, one)
                for one in self._read.get(kind) or ()
                if isinstance(one, dict)
            ]
        content["images"] = [
            {**one, "file_name": here[one["id"]]}
            for one in content["images"]
            if one["id"] in here
        ]
        content["annotations"] = [
            one for one in content["annotations"] if one.get("image_id") in here
        ]
        return json.dumps(content).encode()

    def withheld(self) -> list[str]:
        """What a release's annotations don't take over, kind by kind."""
        found = {key for key in self._read if key not in (*_KEPT, "info")}
        found |= {"info"} if self._read.get("info") else set()
        for kind, kept in _KEPT.items():
            for one in self._read.get(kind) or ():
                if isinstance(one, dict):
                    entry = _entry(kind, kept, one)
                    found |= {
                        f"{kind}.{key}"
                        for key, value in one.items()
                        if key not in kept or entry.get(key) != value
                    }
        return sorted(shown(key) for key in found)


_NUMBERS = ("area", "iscrowd", "width", "height", "num_keypoints", "isthing")
_LISTS = ("bbox", "keypoints", "skeleton")


def _entry(kind: str, kept: Sequence[str], one: Mapping[str, Any]) -> dict[str, Any]:
    """What of an entry goes along."""
    values = {key: _handed(kind, key, one[key]) for key in kept if key in one}
    return {key: value for key, value in values.items() if value is not None}


def _handed(kind: str, key: str, value: Any) -> Any:
    """What of a value goes along: what the format has there; None if nothing does."""
    if key == "segmentation":
        if isinstance(value, dict):
            return {part: value[part] for part in ("size", "counts") if part in value}
        return value if _is_numbers(value) else None
    if key == "keypoints" and kind == "categories":
        names = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return value if names else None
    if key in _LISTS:
        return value if isinstance(value, list) and _is_numbers(value) else None
    if key in _NUMBERS:
        return value if isinstance(value, int | float) else None
    if key == "url":
        open_to_all = isinstance(value, str) and value.startswith(("http:", "https:"))
        return value if open_to_all else None
    return value if isinstance(value, int | float | str) else None


def _is_numbers(value: Any) -> bool:
    """Whether it is a number, or lists of numbers."""
    if isinstance(value, list):
        return all(map(_is_numbers, value))
    return isinstance(value, int | float)


def read_coco(path: Place, folder: Place, output: Place) -> Coco:
    """Read an annotation file and find its images.

    Args:
        path: the file, or its address.
        folder: what its ``file_name`` are relative to, or that one's address.
        output: where copies go; it and the folder don't lie within one another.

    Raises:
        InputError: it can't be read, isn't COCO's, names images twice or none that is
            there, or says what makes no sense; the message says where.
    """
    check_apart(folder, output)
    read = _read(path)
    names = _images(path, read)
    sides = {key: _sides(path, key, one) for key, one in names.items()}
    categories = _categories(path, read)
    unnamed: Counter[str] = Counter()
    regions: dict[Any, list[Region]] = {key: [] for key in names}
    stray = placeless = 0
    known: set[Any] = set()
    for one in _listed(path, read, "annotations"):
        if one.get("id") in known:
            raise _wrong(path, f"two annotations have the id {one['id']}")
        if _is_id(one.get("id")):
            known.add(one["id"])
        image, shape = one.get("image_id"), _shape(path, one)
        if shape is not None and _is_id(image) and image in sides:
            shape = _within(shape, sides[image])
        if not _is_id(image) or image not in regions:
            stray += 1
        elif shape is None:
            placeless += 1
        else:
            label = _label(path, one, categories, unnamed)
            regions[image].append(Region(label, shape, bool(one.get("iscrowd"))))
    tree = read_heap(folder)
    found = {item.sample_id for item in tree.items}
    items, ids = _items(path, folder, found, names, regions, sides)
    if not any(item.sample_id in found for item in items):
        raise InputError(
            f"{shown(str(folder))}: of {count(len(items), 'image')} that "
            f"{shown(path.name)} names none is there, {items[0].sample_id} for one; "
            "give the folder that its file names begin in"
        )
    unlisted = found - {item.sample_id for item in items}
    gone = [item.sample_id for item in items if item.sample_id not in found]
    empty = sum(not one for one in regions.values())
    remarks = [
        _several(empty, "image has", "images have")
        + " no annotation; nothing is added there but the watermark."
        if empty
        else "",
        _several(
            len(unlisted), "image in the folder isn't", "images in the folder aren't"
        )
        + f" named in {shown(path.name)} and left out: {_few(sorted(unlisted))}."
        if unlisted
        else "",
        _several(len(gone), "image that it names isn't", "images that it names aren't")
        + f" there, {_few(gone)}; a copy that was made before stays."
        if gone
        else "",
        _several(stray, "annotation is of an image", "annotations are of images")
        + " that the file doesn't list, and left out."
        if stray
        else "",
        _several(placeless, "annotation has", "annotations have")
        + " neither a mask nor a box within the image, and no texture of its own."
        if placeless
        else "",
        f"Categories that the file doesn't name are classes too: {_few(list(unnamed))}."
        if unnamed
        else "",
    ]
    said = [line for line in remarks if line]
    made = Coco(replace(tree, items=items), path.name, said, read, ids)
    withheld = made.withheld()
    if withheld:
        said.append(
            f"Not handed out with the annotations: {_few(withheld, 12)}; they may tell "
            "of the originals."
        )
    return made


def _read(path: Place) -> dict[str, Any]:
    try:
        read = json.loads(_bytes(path))
    except FileNotFoundError:
        raise InputError(
            f"{shown(str(path))}: there is no such annotation file; check the path"
        ) from None
    except OSError as error:
        raise InputError(
            f"{shown(str(path))}: this annotation file can't be read "
            f"({objects.reason(error)}); check the path and permissions"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{shown(str(path))}: this isn't JSON ({error}); export the annotations "
            "again, as COCO"
        ) from None
    if not isinstance(read, dict):
        raise _wrong(path, "it holds a list of results, or something else")
    return read


def _bytes(path: Place) -> bytes:
    if isinstance(path, Address):
        data = objects.read(str(path), MOST_BYTES + 1)
        size = len(data)
    else:
        size = path.stat().st_size
        data = b"" if size > MOST_BYTES else path.read_bytes()
    if size > MOST_BYTES:
        raise InputError(
            f"{shown(str(path))}: this file has more than the {MOST_BYTES >> 30} GB "
            "that are read of annotations; split it"
        )
    return data


def _listed(path: Place, read: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = read.get(kind)
    if not isinstance(found, list):
        raise _wrong(path, f"it has no list of {kind}")
    for number, one in enumerate(found):
        if not isinstance(one, dict):
            raise _wrong(path, f"number {number} of its {kind} is no object")
    return found


def _images(path: Place, read: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for one in _listed(path, read, "images"):
        key, name = one.get("id"), one.get("file_name")
        if not _is_id(key):
            raise _wrong(path, f"an image has the id {key!r}")
        if not isinstance(name, str) or not name:
            raise _wrong(path, f"image {key} has no file_name")
        if key in found:
            raise _wrong(path, f"two images have the id {key}")
        found[key] = one
    if not found:
        raise _wrong(path, "its list of images is empty")
    return found


def _categories(path: Place, read: dict[str, Any]) -> dict[Any, str]:
    if "categories" not in read:
        return {}
    found: dict[Any, str] = {}
    for one in _listed(path, read, "categories"):
        key, name = one.get("id"), one.get("name")
        if not _is_id(key) or not isinstance(name, str) or not name:
            raise _wrong(path, f"a category has the id {key!r} and the name {name!r}")
        if key in found:
            raise _wrong(path, f"two categories have the id {key}")
        found[key] = name
    return found


def _label(
    path: Place,
    annotation: dict[str, Any],
    categories: dict[Any, str],
    unnamed: Counter[str],
) -> str:
    key = annotation.get("category_id")
    if not _is_id(key):
        raise _wrong(path, f"{_called(annotation)} has the category_id {key!r}")
    if key in categories:
        return categories[key]
    name = f"category {key}"
    unnamed[name] += 1
    return name


def _shape(path: Place, annotation: dict[str, Any]) -> Shape | None:
    """Its mask, or else its box; None without either."""
    segmentation, box = annotation.get("segmentation"), annotation.get("bbox")
    try:
        if segmentation:
            return _mask(segmentation)
        if box:
            return Box(*_numbers(box, 4))
    except (TypeError, ValueError, KeyError) as error:
        said = str(error) if isinstance(error, ValueError) else "it is incomplete"
        part = "segmentation" if segmentation else "bbox"
        raise _wrong(path, f"the {part} of {_called(annotation)}: {said}") from None
    return None


def _within(shape: Shape, sides: tuple[int, int] | None) -> Shape | None:
    """The shape; None if it is a box of which nothing is in its image."""
    if not isinstance(shape, Box):
        return shape
    height, width = sides or (math.inf, math.inf)
    beyond = shape.left >= width or shape.top >= height
    before = shape.left + shape.width <= 0 or shape.top + shape.height <= 0
    return None if shape.area <= 0 or beyond or before else shape


def _mask(segmentation: Any) -> Shape:
    if isinstance(segmentation, dict):
        height, width = segmentation["size"]
        whole = all(type(side) is int and side > 0 for side in (height, width))
        if not whole or height * width > DEFAULT_MAX_PIXELS:
            raise ValueError(f"its size is {[height, width]}")
        return Runs(counts_of(segmentation["counts"], height * width), height, width)
    if not isinstance(segmentation, list):
        raise ValueError("it is neither polygons nor run lengths")
    polygons = []
    for one in segmentation:
        corners = np.array(_numbers(one, None), np.float64)
        if len(corners) < 6 or len(corners) % 2:
            raise ValueError(f"a polygon has {len(corners)} numbers, not two a corner")
        polygons.append(corners.reshape(-1, 2))
    return Outline(tuple(polygons))


def _numbers(values: Any, count: int | None) -> list[float]:
    if not isinstance(values, list) or (count is not None and len(values) != count):
        raise ValueError(f"{values!r} aren't {count or 'its'} numbers")
    for one in values:
        number = isinstance(one, int | float) and not isinstance(one, bool)
        if not number or not abs(one) <= 1 << 24:  # nor is what isn't a number
            raise ValueError(f"{one!r} is no number of pixels")
    return [float(one) for one in values]


def _items(
    path: Place,
    folder: Place,
    there: Container[str],
    images: dict[Any, dict[str, Any]],
    regions: dict[Any, list[Region]],
    sides: dict[Any, tuple[int, int] | None],
) -> tuple[list[Item], dict[Any, str]]:
    """An item for each image, and its sample's id by the image's."""
    items: list[Item] = []
    ids: dict[Any, str] = {}
    known: set[str] = set()
    for key, one in images.items():
        try:
            parts = contained.parts(_below(folder, there, one["file_name"]))
        except UnsafePathError:
            raise InputError(
                f"{shown(str(path))}: image {key} is {one['file_name']!r}, which isn't "
                f"in {shown(str(folder))}; give the folder that its file names begin in"
            ) from None
        name = shown("/".join(parts))
        if name in known:
            raise _wrong(path, f"two images have the file_name {name!r}")
        known.add(name)
        ids[key] = name
        found = Objects(tuple(regions[key]), sides[key])
        items.append(
            Item(
                name,
                str(folder.joinpath(*parts)),
                found.label,
                "/".join([*map(portable, parts[:-1]), portable(stem_of(parts[-1]))]),
                keep_name=True,
                regions=found,
            )
        )
    return sorted(items, key=lambda item: item.sample_id), ids


def _below(folder: Place, there: Container[str], name: str) -> str:
    """A file's name relative to the folder, with / between its parts.

    Args:
        folder: that of the images.
        there: the images that are there.
        name: as the annotations have it.
    """
    if isinstance(folder, Address):
        if is_url(name):
            return name.removeprefix(f"{folder}/")
        if "\\" in name and shown(name) not in there:
            name = name.replace("\\", "/")
        return PurePosixPath(name).as_posix()
    if Path(name).is_absolute():
        whole = Path(name)
        root = folder.resolve()
        return whole.relative_to(root).as_posix() if root in whole.parents else name
    if "\\" in name and not (folder / name).exists():
        name = name.replace("\\", "/")
    return PurePosixPath(name).as_posix()


def _sides(path: Place, key: Any, image: dict[str, Any]) -> tuple[int, int] | None:
    sides = image.get("height"), image.get("width")
    if sides == (None, None):
        return None
    height, width = sides
    if not all(isinstance(side, int) and side > 0 for side in sides):
        raise _wrong(path, f"image {key} is {width!r} wide and {height!r} high")
    return int(height or 0), int(width or 0)


def _is_id(key: Any) -> bool:
    return isinstance(key, int | str) and not isinstance(key, bool)


def _called(annotation: dict[str, Any]) -> str:
    if "id" in annotation:
        return f"annotation {annotation['id']}"
    return f"an annotation of image {annotation.get('image_id')}"


def _several(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _few(names: list[str], count: int = _FEW) -> str:
    more = len(names) - count
    return ", ".join(names[:count]) + (f" and {more} more" if more > 0 else "")


def _wrong(path: Place, what: str) -> InputError:
    return InputError(
        f"{shown(str(path))}: this isn't a COCO file that can be used: {what}; correct "
        "it, or export the annotations again"
    )
