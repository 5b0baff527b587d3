"""Unpack: the files of a package, or of another dataset of its kind, in a folder or
store.

What is read was written by somebody else: names are followed nowhere but below the new
folder, and no file is longer than an image may be. The files' bytes are left alone.
"""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from fiftyone_reue.batch.classes import SPLITS
from fiftyone_reue.batch.stored import objects_below
from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.media import carriers
from fiftyone_reue.media.codec import LARGEST_FILE, is_image, read_file, suffix
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import count
from fiftyone_reue.names.filenames import component, shown
from fiftyone_reue.progress import Progress
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, is_folder
from fiftyone_reue.stores.fetched import fetched
from fiftyone_reue.workflows.package_stored import storing
from fiftyone_reue.workflows.package_writers import (
    FOLDER,
    IMAGES,
    Writer,
    import_parquet,
    writing,
)

_BATCH, _BATCH_BYTES = 256, 32 << 20
_ROWS = 16
_HEAD = 64
_ENDINGS = (".parquet", ".tar")
_MOST_ABOUT = 1 << 20
"""Bytes of what a tar file says of one image."""

_Named = tuple[str, bytes]


@dataclass(frozen=True)
class UnpackSummary:
    """What was unpacked.

    Attributes:
        path: the folder.
        images: how many.
        bytes: of all files.
    """

    path: str
    images: int
    bytes: int


def unpack(source: Place, output: Place) -> Generator[Progress, None, UnpackSummary]:
    """Write the images of a package into a new folder, by the names that they had.

    What of Parquet or tar files has no folder in its name gets that of its class, where
    classes have names, and that of its split, where there are several. Of what is in a
    store, one file at a time is fetched into a folder for temporary files.

    Args:
        source: a ZIP file; a Parquet or tar file, or a folder with such; or its
            address.
        output: a new folder; or an address at which nothing is.

    Yields:
        Progress. Closing the generator cancels, and leaves nothing behind. In a store
        somebody sees what is there already; a run that was killed leaves that, and is
        gone on with by another of the same source.

    Returns:
        The summary.

    Raises:
        InputError: there is nothing to unpack, it is damaged, or the output is there.
        UnsafePathError: a name in it leads out of the folder.
        MissingPackageError: what reads Parquet files isn't installed.
        OutputError: nothing can be written.
    """
    files = _found(source)
    several = len({_split(path) for path in files}) > 1
    images = size = 0
    names: set[str] = set()
    with _writing(source, output) as writer:
        size += _beside(source, writer)
        for number, path in enumerate(files):
            above = f"{_split(path)}/" if several else ""
            batch: list[_Named] = []
            held = 0
            for name, data in _read(path):
                name = above + name
                if name in names:
                    raise InputError(
                        f"{shown(str(path))}: two files in it are called {name!r}"
                    )
                names.add(name)
                batch.append((name, data))
                images += is_image(data[:_HEAD])
                size += len(data)
                held += len(data)
                if held >= _BATCH_BYTES or len(batch) == _BATCH:
                    writer.beside(batch)
                    batch, held = [], 0
                    yield Progress(
                        number / len(files),
                        f"Unpacking: {count(images, 'image')} so far",
                    )
            writer.beside(batch)
        if not images:
            raise InputError(f"{shown(str(source))}: there is no image in it")
    return UnpackSummary(str(output), images, size)


def _writing(source: Place, output: Place) -> AbstractContextManager[Writer]:
    """What takes the files up.

    Raises:
        InputError: the output is there already, or what it is to be in isn't.
    """
    if isinstance(output, Address):
        return storing(source, output)
    if os.path.lexists(output):
        raise InputError(f"{shown(output)} is there already; choose a new name")
    if not output.absolute().parent.is_dir():
        raise InputError(
            f"{shown(output.parent)}: there is no such folder; make it first"
        )
    return writing(output, FOLDER, None)


def _found(source: Place) -> list[Place]:
    """The files to read."""
    if not is_folder(source):
        if isinstance(source, Path) and not source.is_file():  # it could be waited for
            raise InputError(f"{shown(source)}: this is no file; check the path")
        return [source]
    for ending in _ENDINGS:
        found = _ending_in(source, ending)
        if found:
            return found
    if (source / IMAGES).is_dir():
        raise InputError(
            f"{shown(str(source))} isn't packed: its images are in {IMAGES}, as files"
        )
    raise InputError(
        f"{shown(str(source))}: there is nothing to unpack; give a ZIP file, or a "
        "folder with Parquet or tar files"
    )


def _ending_in(source: Place, ending: str) -> list[Place]:
    """The files below a folder whose names end so, in order."""
    if isinstance(source, Address):
        names = (n for n in objects_below(source) if n.endswith(ending))
        return [
            source.joinpath(*parts) for parts in sorted(map(contained.parts, names))
        ]
    return [*sorted(source.rglob(f"*{ending}"))]


def _split(path: Place) -> str:
    """The part of the dataset that a file is of, as its name says it, or ""."""
    name = path.name.split("-")[0].split(".")[0]
    return name if name.lower() in SPLITS else ""


def _beside(source: Place, writer: Writer) -> int:
    """What belongs beside the copies, such as a manifest; how many bytes that is."""
    folder = source / IMAGES
    if not source.is_dir() or not folder.is_dir():
        return 0
    if isinstance(folder, Address):
        listed = objects.listing(str(folder))
        names = [one.name for one in listed if not one.is_folder]
    else:
        names = sorted(path.name for path in folder.iterdir())
    files = [(name, read_file(folder / name)) for name in names]
    writer.beside(files)
    return sum(len(data) for _, data in files)


def _read(place: Place) -> Iterator[_Named]:
    with fetched(place) as path:
        yield from _read_file(path)


def _read_file(path: Path) -> Iterator[_Named]:
    try:
        if path.suffix.lower() == ".parquet":
            yield from _of_parquet(path)
        elif path.suffix.lower() == ".tar":
            yield from _of_tar(path)
        elif zipfile.is_zipfile(path):
            yield from _of_zip(path)
        else:
            raise InputError(
                f"{shown(path)}: this isn't a ZIP, Parquet or tar file; there is "
                "nothing to unpack"
            )
    except ReueError:
        raise
    except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, EOFError) as e:
        raise InputError(
            f"{shown(path)}: it can't be read to its end ({e}); it is damaged or was "
            "cut short: get it again"
        ) from e


def _of_zip(path: Path) -> Iterator[_Named]:
    with zipfile.ZipFile(path) as archive:
        inside = [
            one
            for one in archive.infolist()
            if one.filename.startswith(f"{IMAGES}/") and not one.is_dir()
        ]
        for one in inside:
            _require_size(path, one.filename, one.file_size)
            yield one.filename.removeprefix(f"{IMAGES}/"), archive.read(one)


def _of_tar(path: Path) -> Iterator[_Named]:
    with tarfile.open(path, "r:") as archive:
        members = (one for one in archive if one.isreg())
        for key, group in groupby(members, lambda one: _key(one.name)):
            about: dict[str, Any] = {}
            image: _Named | None = None
            for one in group:
                _require_size(path, one.name, one.size)
                file = archive.extractfile(one)
                assert file is not None
                data = file.read()
                if one.name == f"{key}.json" and len(data) <= _MOST_ABOUT:
                    about = _about(data)
                elif image is None and is_image(data[:_HEAD]):
                    image = one.name, data
            if image is not None:
                named, label = about.get("path"), about.get("label")
                name = named if isinstance(named, str) else image[0]
                yield _placed(name, label if isinstance(label, str) else None), image[1]
        _require_end(path, archive.offset)


def _require_end(path: Path, offset: int) -> None:
    """Make sure that a tar file ends where it says so; it may end at any header."""
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE or any(block):
        raise tarfile.ReadError("there is no end of the archive in it")


def _about(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(name: str) -> str:
    """What the files of one image share: all before the first dot of the name."""
    above, slash, last = name.rpartition("/")
    return above + slash + last.split(".")[0]


def _of_parquet(path: Path) -> Iterator[_Named]:
    arrow, parquet = import_parquet()
    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        image = next((one.name for one in schema if _holds_images(arrow, one)), None)
        if image is None:
            raise InputError(
                f"{shown(path)}: no column of it holds images; a column `image` with "
                "bytes and path is needed"
            )
        classes = _classes(schema.metadata or {})
        label = "label" if "label" in schema.names else None
        columns = [image, *([label] if label else [])]
        number = 0
        for batch in file.iter_batches(_ROWS, columns=columns):
            for row in batch.to_pylist():
                found = row[image]
                data = found.get("bytes") if isinstance(found, dict) else found
                if not isinstance(data, bytes):
                    raise InputError(
                        f"{shown(path)}: row {number} holds no bytes of an image, only "
                        "where it was; unpacking takes files that hold them"
                    )
                _require_size(path, f"row {number}", len(data))
                name = found.get("path") if isinstance(found, dict) else None
                name = name or f"{number:09}{_ending(data)}"
                yield _placed(name, _class(row.get(label), classes)), data
                number += 1


def _holds_images(arrow: Any, field: Any) -> bool:
    kinds = arrow.types
    if kinds.is_struct(field.type):
        return bool(field.type.get_field_index("bytes") >= 0)
    return bool(kinds.is_binary(field.type) or kinds.is_large_binary(field.type))


def _classes(metadata: dict[bytes, bytes]) -> list[Any]:
    """The classes' names, as ``datasets`` writes them into a file."""
    found: Any = _about(metadata.get(b"huggingface", b""))
    for name in ("info", "features", "label", "names"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, list) else []


def _class(value: object, classes: list[Any]) -> str | None:
    if isinstance(value, int) and 0 <= value < len(classes):
        value = classes[value]
    return value if isinstance(value, str) else None


def _placed(name: str, label: str | None) -> str:
    """A name with a folder: its own, or that of its class."""
    if label and len(PurePosixPath(name).parts) == 1:
        name = f"{component(label)}/{name}"
    contained.parts(name)
    return name


def _ending(data: bytes) -> str:
    try:
        return suffix(carriers.sniff(data).name)
    except ReueError:
        return ""


def _require_size(path: Path, name: str, size: int) -> None:
    if size > LARGEST_FILE:
        raise InputError(
            f"{shown(path)}: {name} has more than the {LARGEST_FILE >> 20} MB that are "
            "read of an image"
        )
