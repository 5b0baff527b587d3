"""What lies below an address in a store, as a walk through a folder gives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath

from fiftyone_reue.batch.litter import LITTER, OTHER_SUFFIXES, Judged, judged
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.media.codec import IMAGE_SUFFIXES, is_image
from fiftyone_reue.names.filenames import apart, fold, shown
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address
from fiftyone_reue.stores.objects import NOWHERE, Found

_HEAD = 32
"""Bytes by which an image is known."""


@dataclass(frozen=True)
class Met:
    """What a walk met: an image, or a folder that can't be looked into.

    Attributes:
        path: of the file, or the object's URL.
        parts: its names below where the walk began.
        closed: whether reading it will fail, with the reason.
        placed: names for what is made of it, where its own would be in the way of
            another's.
        size: bytes of it, where a listing said so.
    """

    path: str
    parts: tuple[str, ...]
    closed: bool = False
    placed: tuple[str, ...] | None = None
    size: int | None = None


def walk(
    address: Address, others: Counter[str], hidden: list[tuple[str, ...]]
) -> Iterator[Met]:
    """The images below an address, each folder's before those of the folders in it.

    Names that no folder could hold are closed; so are folders that can't be listed.
    A listing is held for one folder at a time.

    Args:
        address: of a folder.
        others: counts what is no image, by suffix.
        hidden: takes up images that a dot hides.

    Raises:
        InputError: it can't be listed.
    """
    return walk_below(str(address), others, hidden, _listed(address))


def walk_below(
    begin: str,
    others: Counter[str],
    hidden: list[tuple[str, ...]],
    listed: Sequence[Found] | None = None,
) -> Iterator[Met]:
    """As :func:`walk`; where the first folder can't be listed either, it is closed.

    Args:
        begin: the folder's URL.
        others: as there.
        hidden: as there.
        listed: what is in that folder, if it is known.
    """
    pending: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(begin, (), ())]
    while pending:
        url, parts, placed = pending.pop()
        try:
            entries = objects.listing(url) if listed is None else listed
        except OSError:
            yield Met(f"{url}/", parts, closed=True)
            continue
        listed = None
        files, folders = _parted(url, parts, entries, others, hidden)
        for one in files:
            own = (*placed, one.name)
            where = f"{url}/{one.name}"
            yield Met(where, (*parts, one.name), placed=own, size=one.size)
        stems = {fold(PurePath(one.name).stem) for one in files}
        for name in reversed(folders):
            if name in NOWHERE:
                yield Met(f"{url}/{name}/", (*parts, name), closed=True)
                continue
            image = PurePath(name).suffix.lower() in IMAGE_SUFFIXES
            taken = image and fold(PurePath(name).stem) in stems
            called = apart(name, name) if taken else name
            pending.append((f"{url}/{name}", (*parts, name), (*placed, called)))


def objects_below(address: Address) -> Iterator[str]:
    """The names of all objects below an address, but for litter.

    Raises:
        OutputError: the store doesn't say.
    """
    pending: list[tuple[str, str]] = [(str(address), "")]
    while pending:
        url, above = pending.pop()
        try:
            entries = objects.listing(url)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise OutputError(f"{url}: {objects.reason(error)}") from error
        for one in entries:
            name = f"{above}{one.name}"
            if one.is_folder and one.name not in NOWHERE:
                pending.append((f"{url}/{one.name}", f"{name}/"))
            elif one.is_folder or one.name.lower() not in LITTER:
                yield name


def _listed(address: Address) -> list[Found]:
    try:
        found = objects.listing(str(address))
    except FileNotFoundError:
        raise InputError(
            f"{address}: there is nothing below this address; check bucket and folder"
        ) from None
    except NotADirectoryError:
        raise InputError(
            f"{address}: this is a file; give the folder that holds it"
        ) from None
    except OSError as error:
        raise InputError(
            f"{address}: this can't be read: {objects.reason(error)}"
        ) from error
    return found


def _parted(
    url: str,
    parts: tuple[str, ...],
    entries: Sequence[Found],
    others: Counter[str],
    hidden: list[tuple[str, ...]],
) -> tuple[list[Found], list[str]]:
    """A listing's images and folders."""
    folders: list[str] = []
    maybe: list[Found] = []
    for one in entries:
        judgement = judged(one.name, is_folder=one.is_folder)
        if judgement is Judged.HIDDEN:
            hidden += _hidden_images(url, parts, one)
        elif judgement is Judged.TAKEN and one.is_folder:
            folders.append(one.name)
        elif judgement is Judged.TAKEN:
            maybe.append(one)
    files: list[Found] = []
    for one, image in zip(maybe, _are_images(url, maybe), strict=True):
        if image:
            files.append(one)
        else:
            others[shown(PurePath(one.name).suffix.lower()) or "no suffix"] += 1
    return files, folders


def _hidden_images(
    url: str, parts: tuple[str, ...], one: Found
) -> list[tuple[str, ...]]:
    """The images of a name that begins with a dot: its own or those within it."""
    if not one.is_folder:
        return [(*parts, one.name)] if _are_images(url, [one])[0] else []
    within: list[tuple[str, ...]] = []
    below = walk_below(f"{url}/{one.name}", Counter(), within)
    seen = [met.parts for met in below if not met.closed]
    return [(*parts, one.name, *rest) for rest in (*within, *seen)]


def _are_images(url: str, entries: Sequence[Found]) -> list[bool]:
    """Go by the suffix, and by the first bytes where that says nothing."""

    def look(one: Found) -> bool:
        suffix = PurePath(one.name).suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            return True
        if suffix in OTHER_SUFFIXES or not one.size or one.name in NOWHERE:
            return False
        try:
            return is_image(objects.read(f"{url}/{one.name}", _HEAD))
        except OSError:
            return False

    unknown = sum(
        PurePath(one.name).suffix.lower() not in IMAGE_SUFFIXES for one in entries
    )
    if not unknown:
        return [True] * len(entries)
    with ThreadPoolExecutor(min(objects.AT_ONCE, unknown)) as pool:
        return list(pool.map(look, entries))
