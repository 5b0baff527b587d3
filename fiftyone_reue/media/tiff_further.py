"""What else than one picture a TIFF file holds: directories, planes, bands."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from fiftyone_reue.errors import UnsupportedImageError
from fiftyone_reue.media import ifd
from fiftyone_reue.media.ifd import Entry, Layout

_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _DESCRIPTION = 254, 255, 256, 257, 270
_SAMPLES, _SUB_DIRECTORIES, _EXTRA = 277, 330, 338
_STK_PLANES, _DEPTH = 33629, 32997
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_ASSOCIATED, _UNASSOCIATED = 1, 2
_IMAGEJ_AXIS = re.compile(rb"^(images|channels|slices|frames)=(\d{1,9})\s*$", re.M)
_OME_AXIS = re.compile(rb"\bSize([ZCT])=[\"'](\d{1,9})[\"']")
_MOST_FURTHER = 1000
_LOOP = "its directories form a loop"
_ALONE = "save the picture without them (a plain copy, no overviews, one page)"


@dataclass(frozen=True)
class _Picture:
    """What a directory says of its picture."""

    kind: str  # "page", "reduced copy" or "mask"
    width: int
    height: int

    @property
    def sides(self) -> str:
        return f"{self.width} x {self.height}"


def check_one_picture(
    data: bytes, offset: int, layout: Layout, tags: dict[int, Entry]
) -> None:
    """Refuse a file whose directories hold further pictures.

    Args:
        data: the whole file.
        offset: of the first directory.
        layout: how directories are written.
        tags: the first directory's.

    Raises:
        UnsupportedImageError: it holds further pages, reduced copies or masks, or
            pictures in SubIFDs.
        DirectoryError: a directory lies outside the file, or they form a loop.
    """
    further = _further(data, offset, layout)
    if further:
        raise UnsupportedImageError(_words(further))
    below = _below(data, offset, layout, tags)
    if below:
        sides = ", ".join(picture.sides for picture in below)
        what = "reduced copies" if _all_reduced(below) else "further pictures"
        raise UnsupportedImageError(f"holds {what} in SubIFDs ({sides}); {_ALONE}")


def check_one_plane(tags: dict[int, Entry], order: str) -> None:
    """Refuse a picture of several planes, of which a directory describes the first.

    Args:
        tags: the directory's.
        order: of their values.

    Raises:
        UnsupportedImageError: ImageJ, OME, MetaMorph or a depth says so.
    """
    depths = tags[_DEPTH].integers(order) if _DEPTH in tags else ()
    if depths and depths[0] > 1:
        raise UnsupportedImageError(
            f"holds a volume {depths[0]} deep (ImageDepth, tag {_DEPTH}); save its "
            "slices as images of their own"
        )
    writer, planes = _planes(tags, order)
    if planes > 1:
        raise UnsupportedImageError(
            f"has {planes} planes behind one directory ({writer}); save the planes as "
            "images of their own"
        )


def check_alpha(tags: dict[int, Entry], order: str, channels: int) -> None:
    """Refuse a last band that isn't alpha: it would be handed out as it is.

    Args:
        tags: the directory's.
        order: of their values.
        channels: of the image, 2 or 4.

    Raises:
        UnsupportedImageError: ExtraSamples doesn't call it alpha.
    """
    kinds = tags[_EXTRA].integers(order) if _EXTRA in tags else ()
    if kinds in ((_ASSOCIATED,), (_UNASSOCIATED,)):
        return
    which = "a second band" if channels == 2 else "a fourth band"
    value = ", ".join(map(str, kinds))
    said = f"ExtraSamples {value}" if kinds else "no ExtraSamples"
    raise UnsupportedImageError(
        f"has {which} that isn't alpha ({said}); save the bands as images of their own"
    )


def _further(data: bytes, offset: int, layout: Layout) -> list[_Picture]:
    seen = {offset}
    _, following = ifd.list_tags(data, offset, layout)
    found: list[_Picture] = []
    while following:
        if following in seen:
            raise ifd.DirectoryError(_LOOP)
        seen.add(following)
        if len(found) == _MOST_FURTHER:
            raise UnsupportedImageError(
                f"has more than {_MOST_FURTHER} pages; save the pages as images of "
                "their own"
            )
        found.append(_picture(data, following, layout))
        _, following = ifd.list_tags(data, following, layout)
    return found


def _below(
    data: bytes, offset: int, layout: Layout, tags: dict[int, Entry]
) -> list[_Picture]:
    if _SUB_DIRECTORIES not in tags:
        return []
    offsets = tags[_SUB_DIRECTORIES].integers(layout.order)[:100]
    if offset in offsets:
        raise ifd.DirectoryError(_LOOP)
    found = [_picture(data, at, layout) for at in offsets if at]
    return [picture for picture in found if picture.width]


def _picture(data: bytes, offset: int, layout: Layout) -> _Picture:
    tags, _ = ifd.list_tags(data, offset, layout)
    wanted = {_KIND, _OLD_KIND, _WIDTH, _HEIGHT}
    entries, _ = ifd.read_directory(
        data, offset, layout, frozenset(tags) - wanted, below={}
    )

    def number(tag: int) -> int:
        found = entries[tag].integers(layout.order) if tag in entries else ()
        return found[0] if found else 0

    kind = "page"
    if number(_KIND) & _MASK:
        kind = "mask"
    elif number(_KIND) & _REDUCED or number(_OLD_KIND) == _OLD_REDUCED:
        kind = "reduced copy"
    return _Picture(kind, number(_WIDTH), number(_HEIGHT))


def _all_reduced(pictures: list[_Picture]) -> bool:
    return all(picture.kind == "reduced copy" for picture in pictures)


def _words(further: list[_Picture]) -> str:
    if all(picture.kind == "page" for picture in further):
        pages = len(further) + 1
        return f"has {pages} pages; save the pages as images of their own"
    parts = [
        _counted(kind, [p.sides for p in further if p.kind == kind])
        for kind in ("reduced copy", "mask", "page")
    ]
    listed = ", ".join(part for part in parts if part)
    return f"holds further directories beside its picture: {listed}; {_ALONE}"


def _counted(kind: str, sides: list[str]) -> str:
    if not sides:
        return ""
    several = kind.replace("copy", "copie") + "s" if len(sides) > 1 else kind
    return f"{len(sides)} {several} ({', '.join(sides[:8])})"


def _planes(tags: dict[int, Entry], order: str) -> tuple[str, int]:
    """Who says how many planes the file holds, and how many those are."""
    found = tags[_SAMPLES].integers(order) if _SAMPLES in tags else ()
    samples = max(found[0], 1) if found else 1
    if _STK_PLANES in tags and tags[_STK_PLANES].count > 1:
        return "MetaMorph", tags[_STK_PLANES].count
    text = tags[_DESCRIPTION].value if _DESCRIPTION in tags else b""
    if text.startswith(b"ImageJ="):
        axes = {name: int(value) for name, value in _IMAGEJ_AXIS.findall(text)}
        images = axes.pop(b"images", 0)
        return "ImageJ", max(images, _without(math.prod(axes.values()), samples))
    if b"<OME" in text:
        sizes = {name: int(value) for name, value in _OME_AXIS.findall(text)}
        return "OME", _without(math.prod(sizes.values()), samples)
    return "", 1


def _without(planes: int, samples: int) -> int:
    """Planes, where the samples of a pixel are counted among them."""
    return planes // samples if planes % samples == 0 else planes
