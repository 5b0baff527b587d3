"""What a package is written as: a folder, a ZIP file, Parquet or tar files of images.

In each the copies' files stand byte for byte, so that the records in them survive.
Parquet files are those that Hugging Face's ``datasets`` reads, tar files those that
``webdataset`` does. :mod:`fiftyone_reue.workflows.unpack` reads all of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fiftyone_reue.batch import outputs
from fiftyone_reue.errors import InputError, MissingPackageError, OutputError
from fiftyone_reue.media import unfinished
from fiftyone_reue.names import contained

FOLDER, ZIPPED, PARQUET, WEBDATASET = "folder", "zip", "parquet", "webdataset"

FORMATS = (FOLDER, ZIPPED, PARQUET, WEBDATASET)

ZIP = ".zip"

IMAGES = "images"
"""Where copies stand, and what belongs beside them, in a folder or ZIP file."""

DATA = "data"
"""Where Parquet or tar files stand."""

LARGEST_SHARD = 400 << 20
"""Bytes of images after which another Parquet or tar file is begun."""

_PACKED = (".json", ".txt", ".csv", ".md")


@dataclass(frozen=True)
class Copied:
    """One copy to be packed.

    Attributes:
        output: its file below the release.
        data: its bytes.
        label: its class, or None.
    """

    output: str
    data: bytes
    label: str | None


class Writer(ABC):
    """Takes files up one after the other."""

    @abstractmethod
    def beside(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Take up what goes along with the copies, by names below the package."""

    @abstractmethod
    def copies(self, batch: Sequence[Copied]) -> None:
        """Take up some copies."""

    @abstractmethod
    def close(self) -> None:
        """Finish what was begun."""


def format_of(output: Path, wanted: str | None) -> str:
    """What a package is written as: what is wanted, else what its name says.

    Raises:
        InputError: there is no such format.
    """
    if wanted is None:
        return ZIPPED if output.suffix.lower() == ZIP else FOLDER
    if wanted not in FORMATS:
        raise InputError(
            f"There is no format {wanted!r}; choose one of {', '.join(FORMATS)}"
        )
    return wanted


def import_parquet() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        MissingPackageError: they aren't installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError(
            "Parquet files need the package pyarrow, which isn't here: "
            "pip install 'fiftyone-reue[parquet]'"
        ) from error
    return pyarrow, pyarrow.parquet


@contextlib.contextmanager
def writing(
    output: Path, format: str, classes: Sequence[str] | None
) -> Iterator[Writer]:
    """What takes files up, under another name until all are there.

    What a kill leaves of it, the next one of this output takes away.

    Args:
        output: the new folder or file.
        format: one of :data:`FORMATS`.
        classes: the names of the copies' classes, in the order of their numbers; None
            where they have none.

    Raises:
        MissingPackageError: what writes this format isn't installed.
        OutputError: it can't be written.
    """
    part = unfinished.beside(output)
    unfinished.remove_left_of(output)
    writer: Writer | None = None
    try:
        if format == PARQUET:
            writer = _Parquet(part, classes)
        elif format == WEBDATASET:
            writer = _WebDataset(part, classes)
        else:
            writer = _Zip(part) if format == ZIPPED else Folder(part)
        with unfinished.held(part):
            yield writer
            writer.close()
            part.rename(output)
    except OSError as error:
        raise OutputError(
            f"{output}: the package can't be written ({error.strerror or error}); "
            "check space and permissions"
        ) from error
    finally:
        if part.exists():
            with contextlib.suppress(OSError):
                if writer is not None:
                    writer.close()
            _remove(part)


class Folder(Writer):
    """A new folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir()

    def beside(self, files: Sequence[tuple[str, bytes]]) -> None:
        for reason in outputs.write_below(self._path, files).values():
            raise OutputError(reason)

    def copies(self, batch: Sequence[Copied]) -> None:
        self.beside([(f"{IMAGES}/{one.output}", one.data) for one in batch])

    def close(self) -> None:
        """Everything is there already."""


class _Zip(Writer):
    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path, "x", zipfile.ZIP_STORED)

    def beside(self, files: Sequence[tuple[str, bytes]]) -> None:
        for name, data in files:
            contained.parts(name)
            packed = name.endswith(_PACKED)
            way = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            self._file.writestr(name, data, way)

    def copies(self, batch: Sequence[Copied]) -> None:
        self.beside([(f"{IMAGES}/{one.output}", one.data) for one in batch])

    def close(self) -> None:
        self._file.close()


class _Sharded(Folder):
    """A folder with files that hold many images each."""

    def __init__(self, path: Path, classes: Sequence[str] | None) -> None:
        super().__init__(path)
        self._data = path / DATA
        self._data.mkdir()
        self._number = {name: n for n, name in enumerate(classes or ())}
        self._shards = 0
        self._size = 0

    def copies(self, batch: Sequence[Copied]) -> None:
        if not batch:
            return
        size = sum(len(one.data) for one in batch)
        if not self._shards or self._size + size > LARGEST_SHARD:
            self._end()
            self._begin(self._shards)
            self._shards += 1
            self._size = 0
        self._size += size
        self._put(batch)

    def close(self) -> None:
        self._end()

    @abstractmethod
    def _begin(self, shard: int) -> None: ...

    @abstractmethod
    def _put(self, batch: Sequence[Copied]) -> None: ...

    @abstractmethod
    def _end(self) -> None:
        """Finish the shard that was begun, if one was."""


class _Parquet(_Sharded):
    """Rows of an image's bytes and path, and the number of its class.

    The schema says to ``datasets`` what these are.
    """

    def __init__(self, path: Path, classes: Sequence[str] | None) -> None:
        arrow, self._parquet = import_parquet()
        super().__init__(path, classes)
        image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        columns = [arrow.field("image", image)]
        features: dict[str, Any] = {"image": {"_type": "Image"}}
        if classes is not None:
            columns.append(arrow.field("label", arrow.int64()))
            features["label"] = {"_type": "ClassLabel", "names": list(classes)}
        about = json.dumps({"info": {"features": features}})
        self._schema = arrow.schema(columns, {"huggingface": about})
        self._table = arrow.Table
        self._writer: Any = None

    def _begin(self, shard: int) -> None:
        path = self._data / f"train-{shard:05}.parquet"
        self._writer = self._parquet.ParquetWriter(
            path, self._schema, compression="NONE", use_dictionary=False
        )

    def _put(self, batch: Sequence[Copied]) -> None:
        rows: list[dict[str, Any]] = [
            {"image": {"bytes": one.data, "path": one.output}} for one in batch
        ]
        if self._number:
            for row, one in zip(rows, batch, strict=True):
                row["label"] = self._number[one.label or ""]
        self._writer.write_table(self._table.from_pylist(rows, self._schema))

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class _WebDataset(_Sharded):
    """Tar files of an image, its class and its path, by a key that these share."""

    def __init__(self, path: Path, classes: Sequence[str] | None) -> None:
        super().__init__(path, classes)
        self._tar: tarfile.TarFile | None = None
        self._count = 0

    def _begin(self, shard: int) -> None:
        self._tar = tarfile.TarFile(self._data / f"train-{shard:05}.tar", "x")

    def _put(self, batch: Sequence[Copied]) -> None:
        for one in batch:
            path = PurePosixPath(one.output)
            # A key ends at the name's first dot, so that a.b.png would be a's.
            plain = "." not in path.stem
            key = str(path.with_suffix("")) if plain else f"{self._count:09}"
            about = {"path": one.output}
            if self._number:
                about["label"] = one.label or ""
                number = self._number[one.label or ""]
                self._add(f"{key}.cls", str(number).encode())
            self._add(f"{key}.json", json.dumps(about).encode())
            self._add(key + path.suffix, one.data)
            self._count += 1

    def _add(self, name: str, data: bytes) -> None:
        contained.parts(name)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o644
        assert self._tar is not None
        self._tar.addfile(entry, io.BytesIO(data))

    def _end(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
