"""What ``evidence.json`` holds, and how it is read again.

It goes to people who don't trust the owner, and comes from people whom the reader
doesn't trust: nothing in it is believed for being there, and nothing takes more memory
than its file, or long to read that is soon sent: sizes are looked at first.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import printable
from fiftyone_reue.watermark.read import Difference
from fiftyone_reue.watermark.sharpness import Response

FORMAT = 4
"""Of cases. Soft bits of format 1 were weighted in another way, so that they don't
follow from their differences any more; formats 2 and 3 are verified as well."""

_JOINED, _TURNED = 3, 4
_OLDEST = 2

JSON_NAME = "evidence.json"
HTML_NAME = "report.html"
PDF_NAME = "report.pdf"
SUSPECTS = "suspects"
DIFFERENCES = "differences"
PICTURES = "pictures"

_MOST_JSON = 256 << 20

_LEAST_OF_A_VALUE = 8
"""Bytes of JSON that a value takes at least, in the mean, as reports write it. A list
of empty lists would take thirty times as much memory as its file."""

_FEW_VALUES = 10_000

_MEMORY = {b"{": 240, b"[": 72, b",": 40}
"""Bytes that what begins or ends with these takes at most, once it is read."""

_MOST_MEMORY = 640 << 20
"""Reports of 50,000 suspects take half of it."""

LARGEST_PICTURE = 1 << 20
"""Bytes of a small picture; its samples are a fifth of that."""

LARGEST_PDF = 256 << 20
"""Bytes; it has pictures of the first suspects alone."""

MOST_HOLES = 64
"""A file of more than so many times what is on the disk is mostly holes, which take
nothing to make and long to read."""

MOST_READ = 24_000_000
"""Pixels of a difference that are read unless somebody asks for more: those of large
pictures are of a smaller one (:mod:`fiftyone_reue.watermark.reducing`)."""

MOST_PACKED = 256
"""What unpacks to more than so many times its size is no difference: nobody can fill
a reader's memory with a file that is quickly sent. Differences of nothing, which would,
are written as they are."""

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others take memory that the archive chooses."""

_SMALL = 1 << 20
"""Bytes that may be unpacked anyhow."""

_OF_PIXELS, _SHORT = ("left", "shown"), ("shares", "blurs")
"""Parts of a difference's file."""

_END = 22
"""Bytes that end an archive, without a comment."""
_LONGEST_LIST = 1 << 14
"""Bytes of what an archive has: a few names."""
_MOST_BLURS = 64
_UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, SyntaxError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
"""What a crafted archive, or a header in it, makes its readers raise."""


def read_evidence(folder: Path) -> dict[str, Any]:
    """A case's evidence.

    Raises:
        InputError: there is none, or it isn't one of this format.
    """
    path = folder / JSON_NAME
    try:
        require_file(path)
        if path.is_symlink():
            raise InputError(f"{path}: this is a link; a case holds its own files")
        if path.stat().st_size > _MOST_JSON:
            raise InputError(f"{path}: this is larger than any case; it is no case")
        content = json.loads(_text(path))
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror}); give the folder of a case, as "
            "`reue report` writes it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this isn't JSON, so it is no case") from error
    known = range(_OLDEST, FORMAT + 1)
    if not isinstance(content, dict) or content.get("format") not in known:
        raise InputError(
            f"{path}: this is no case of a format from {_OLDEST} to {FORMAT}, which "
            "this program verifies; another version may read it, such as the one that "
            "its page names"
        )
    return content


def joins(evidence: Mapping[str, Any]) -> bool:
    """Whether an original may have several suspects; before, it had one."""
    return bool(evidence["format"] >= _JOINED)


def turns(evidence: Mapping[str, Any]) -> bool:
    """Whether marks the wrong way round were weighed too."""
    return bool(evidence["format"] >= _TURNED)


def _text(path: Path) -> str:
    """The evidence as it lies there, if what it holds takes no more than it should."""
    raw = path.read_bytes()
    marks = {mark: raw.count(mark) for mark in _MEMORY}
    values = sum(marks.values())
    if values > _FEW_VALUES and values * _LEAST_OF_A_VALUE > len(raw):
        raise InputError(f"{path}: this holds next to nothing, many times over")
    if sum(_MEMORY[mark] * number for mark, number in marks.items()) > _MOST_MEMORY:
        raise InputError(f"{path}: this holds more than any case; it is no case")
    return raw.decode("ascii")  # as reports write it: each character takes a byte


def require_file(path: Path) -> None:
    """Refuse what isn't an ordinary file: reading a pipe or a device may never end.

    Raises:
        OSError: it is something else.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"{path} isn't an ordinary file", str(path))


def file_in(folder: Path, name: object) -> Path:
    """The path of a case's file.

    Args:
        folder: the case's.
        name: as the evidence has it.

    Raises:
        UnsafePathError: it leads out of the folder, or through a link.
        OSError: it isn't an ordinary file.
    """
    path = contained.unlinked(folder, str(name))
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{printable(name)} is a link", str(path))
    require_file(path)
    return path


def digest_in(folder: Path, name: object, most: int | None = None) -> str:
    """SHA-256 of a case's file, hex.

    Args:
        folder: the case's.
        name: as the evidence has it.
        most: bytes that such a file has at most; None for a file of one's own, which
            is read however large it is.

    Raises:
        InputError: it is larger, or mostly holes.
        UnsafePathError: see :func:`file_in`.
        OSError: it isn't there, can't be read, or isn't an ordinary file.
    """
    with file_in(folder, name).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if most is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        if size > most:
            raise InputError(
                f"{printable(name)} has {size:,} bytes, and such a file of a case has "
                f"{most:,} at most; it wasn't read"
            )
        if size > max(_SMALL, MOST_HOLES * _written(file.fileno(), size)):
            raise InputError(
                f"{printable(name)} has {size:,} bytes, of which next to none are on "
                "the disk (it is sparse); it wasn't read"
            )
        return hashlib.file_digest(file, "sha256").hexdigest()


def _written(descriptor: int, size: int) -> int:
    """How many bytes of an open file aren't holes; all where nobody can tell."""
    if not hasattr(os, "SEEK_DATA"):
        return size
    found = at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # there is no more
                break
            found = size
            break
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        found += at - start
    os.lseek(descriptor, 0, os.SEEK_SET)
    return found


class Digests:
    """SHA-256 of a case's files, of each once, however often and as what it is named.

    Raises:
        see :func:`digest_in`, at each look.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[int, int] | str, str] = {}

    def of(self, name: object, most: int) -> str:
        """Hex; ``name`` and ``most`` as for :func:`digest_in`."""
        which = identity(file_in(self._folder, name))
        if which not in self._known:
            self._known[which] = digest_in(self._folder, name, most)
        return self._known[which]


def identity(path: Path) -> tuple[int, int] | str:
    """What is the same for all names of one file, where the system tells."""
    found = path.stat()
    return (found.st_dev, found.st_ino) if found.st_ino else str(path)


def write_difference(path: Path, difference: Difference) -> None:
    """Keep what a mark is read from, in a new ``.npz`` file."""
    arrays = {"left": np.asarray(difference.left, np.float32)}
    if difference.shown is not None:
        arrays["shown"] = np.asarray(difference.shown, np.float32)
    if difference.response is not None:
        arrays["shares"] = np.asarray(difference.response.shares, np.float64)
        arrays["blurs"] = np.asarray(difference.response.blurs, np.float64)
    total = sum(one.nbytes for one in arrays.values())
    with path.open("w+b") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        if not _is_plausible(total, file.tell()):
            file.seek(0)
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.truncate()


def _is_plausible(unpacked: int, size: int) -> bool:
    return unpacked <= max(_SMALL, MOST_PACKED * size // 2)


def read_difference(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> Difference:
    """The inverse of :func:`write_difference`.

    Args:
        path: its file.
        max_pixels: larger ones are refused before they are unpacked; by default those
            of more than MOST_READ, another number is taken as it is.

    Raises:
        InputError: it isn't there, or holds something else.
    """
    most = MOST_READ if max_pixels == DEFAULT_MAX_PIXELS else max_pixels
    try:
        require_file(path)
        _require_short_list(path)
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
            total = sum(one.file_size for one in parts)
            if any(one.compress_type not in _PACKINGS for one in parts):
                raise ValueError("this isn't how differences are packed")
            names = [one.filename.removesuffix(".npy") for one in parts]
            if len(set(names)) < len(names) or {*names} - {*_OF_PIXELS, *_SHORT}:
                raise ValueError("a difference has other parts")
            for one, name in zip(parts, names, strict=True):
                if one.file_size > _SMALL + 4 * most * (name in _OF_PIXELS):
                    raise InputError(
                        f"{path}: this is a difference of more than {most:,} pixels "
                        "(if you trust it, raise --max-pixels), or none"
                    )
            if total > max(2 * _SMALL, MOST_PACKED * path.stat().st_size):
                raise InputError(
                    f"{path}: this would unpack to {total:,} bytes, more than any "
                    "difference in a file of its size"
                )
            found = {
                name: _unpacked(packed, one)
                for name, one in zip(names, parts, strict=True)
            }
    except _UNREADABLE as error:
        raise InputError(f"{path}: this difference can't be read: {error}") from error
    left, shown = found.get("left"), found.get("shown")
    for array in (left, shown):
        if array is not None and (array.dtype != np.float32 or array.ndim != 2):
            raise InputError(f"{path}: this holds no difference of an image")
    if left is None or (shown is not None and shown.shape != left.shape):
        raise InputError(f"{path}: this holds no difference of an image")
    if "shares" not in found and "blurs" not in found:
        return Difference(left, shown)
    parts_of = [found.get(name, np.zeros(0)) for name in _SHORT]
    if any(part.dtype != np.float64 or part.ndim != 1 for part in parts_of):
        raise InputError(f"{path}: this holds no difference of an image")
    if len(parts_of[0]) != 1 + len(parts_of[1]) or len(parts_of[1]) > _MOST_BLURS:
        raise InputError(f"{path}: this holds no difference of an image")
    return Difference(left, shown, Response(*parts_of))


def _require_short_list(path: Path) -> None:
    """Refuse an archive of many files before its list is read.

    Raises:
        ValueError: it has a long one, or doesn't end as differences do.
    """
    longer = 20  # bytes that lead to the longer form of the end
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END - longer))
        last = file.read()
    before, end = last[:-_END], last[-_END:]
    if (
        not end.startswith(b"PK\5\6")
        or end[-2:] != b"\0\0"
        or before.startswith(b"PK\6\7")
        or int.from_bytes(end[12:16], "little") > _LONGEST_LIST
    ):
        raise ValueError("this isn't how differences are packed")


def _unpacked(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> np.ndarray:
    """One array. No more is unpacked than its entry says, whatever its data hold."""
    with packed.open(part) as file:
        return _array(file.read(part.file_size))


def _array(raw: bytes) -> np.ndarray:
    """One array of an ``.npz``, of which no header says more than there is.

    Raises:
        ValueError: it isn't one, is larger than its bytes, or isn't finite.
    """
    file = io.BytesIO(raw)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("this isn't how arrays are written here")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran or dtype not in (np.float32, np.float64):
        raise ValueError("this isn't how differences are written")
    left = raw[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(left):
        raise ValueError("an array has more or less than its size says")
    found = np.frombuffer(left, dtype).reshape(shape)
    if not np.isfinite(found).all():
        raise ValueError("a number isn't finite")
    return found


def packed(evidence: dict[str, Any]) -> bytes:
    """A case's evidence as its file holds it."""
    return json.dumps(evidence, indent=1, allow_nan=False).encode() + b"\n"
