"""Where images are: a path of this machine, or an address in a store (``s3://...``).

An :class:`Address` has what of :class:`pathlib.Path` a release's folder needs, so that
most of the library needn't know which of both it has. What only a path can do, it
doesn't have, and mypy says so.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from fiftyone_reue.errors import InputError, UnsafePathError
from fiftyone_reue.names.filenames import shown
from fiftyone_reue.stores import objects

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SHORT = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
"""What :class:`pathlib.Path` makes of a URL; drives of Windows have one letter."""
_BUCKETS = frozenset({"s3", "gs", "az", "abfs", "abfss"})
_SAME = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_LOCAL = frozenset({"file", "local"})

NOT_READ = (
    "this can't be a URL: it is read from this machine only; fetch it first, such as "
    "with `aws s3 cp --recursive` or rclone, and give the folder or file"
)

WRITTEN_HERE = (
    "this can't be a URL: it is written to this machine only; give a folder or file, "
    "and copy it into the store afterwards, such as with `aws s3 cp --recursive` or "
    "rclone"
)

NO_VAULT = (
    "a vault can't be in a store, where nobody could lock its ledger; give a folder of "
    "this machine, or use the one in FiftyOne's database"
)


@dataclass(frozen=True)
class Address:
    """A place in a store: an object, or what lies below a name.

    Attributes:
        scheme: the kind of store, in lower case.
        authority: what stands behind ``://``: a bucket or a host.
        parts: the names below that, none of them empty, ``.`` or ``..``.
    """

    scheme: str
    authority: str
    parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, url: str) -> Self:
        """Take a URL apart, such as an item's path.

        Raises:
            UnsafePathError: a name in it is empty, ``.`` or ``..``, or has a NUL.
        """
        scheme, _, rest = url.partition("://")
        authority, *names = rest.split("/")
        if any(name in ("", ".", "..") or "\0" in name for name in names):
            raise UnsafePathError(
                "a name in its address is empty, '.' or '..', which no folder can "
                "hold; rename the object"
            )
        return cls(scheme, authority, tuple(names))

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join((self.authority, *self.parts))}"

    def __truediv__(self, name: str) -> Address:
        return self.joinpath(*name.split("/"))

    def joinpath(self, *names: str) -> Address:
        """What lies below, by names without ``/``."""
        return Address(self.scheme, self.authority, (*self.parts, *names))

    @property
    def name(self) -> str:
        """The last name, or the bucket's."""
        return self.parts[-1] if self.parts else self.authority

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> Address:
        """What it lies in; the bucket itself lies in none but itself."""
        return Address(self.scheme, self.authority, self.parts[:-1])

    @property
    def parents(self) -> tuple[Address, ...]:
        """All that it lies in, the nearest first."""
        return tuple(
            Address(self.scheme, self.authority, self.parts[:end])
            for end in range(len(self.parts) - 1, -1, -1)
        )

    def resolve(self) -> Address:
        """Itself: it means the same everywhere, and no link leads out of a store."""
        return self

    absolute = resolve

    def exists(self) -> bool:
        """Whether an object has this name, or any lies below.

        Raises:
            OSError: the store doesn't say.
        """
        return objects.exists(str(self))

    def is_dir(self) -> bool:
        """Whether any object lies below.

        Raises:
            OSError: the store doesn't say.
        """
        return objects.is_folder(str(self))

    def is_file(self) -> bool:
        """Whether an object has this very name.

        Raises:
            OSError: the store doesn't say.
        """
        return objects.is_object(str(self))

    def read_bytes(self) -> bytes:
        """An object's bytes, all of them.

        Raises:
            OSError: it isn't there, or can't be read.
        """
        return objects.read(str(self))


Place = Path | Address
"""A path of this machine, or an address."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a text is an address and no path."""
    return isinstance(path, str) and _URL.match(path) is not None


def place(given: str | os.PathLike[str] | Address) -> Place:
    """What somebody named: a path, or an address in a store.

    Args:
        given: a path, ``file:///path``, or a URL of a kind that fsspec knows.

    Raises:
        InputError: a secret is in the URL, it has no bucket, or isn't written as one.
    """
    if isinstance(given, Address):
        return given
    text = os.fspath(given)
    found = _URL.match(text)
    if found is None:
        if _SHORT.match(text):
            raise InputError(
                f"{text}: is this meant to be a URL? Write it as text with two slashes "
                "(s3://bucket/folder), since a path loses one; for a folder of that "
                "name write ./ before it"
            )
        return Path(given)
    scheme = found[1].lower()
    rest = text[found.end() :]
    if scheme in _LOCAL:
        if not rest.startswith("/"):
            raise InputError(f"{text}: write {scheme}:///folder, with three slashes")
        return Path(rest)
    _check(scheme, rest)
    scheme = _SAME.get(scheme, scheme)
    if scheme == "memory":
        rest = rest.lstrip("/")
    try:
        return Address.of(f"{scheme}://{rest.rstrip('/')}")
    except UnsafePathError:
        raise InputError(
            f"{text}: a name in this URL is empty, '.' or '..'; write it out"
        ) from None


def is_there(found: Place) -> bool:
    """Whether anything has this name; a link that leads nowhere does.

    Raises:
        InputError: the store doesn't say.
    """
    if isinstance(found, Path):
        return os.path.lexists(found)
    try:
        return found.exists()
    except OSError as error:
        raise InputError(f"{found}: {objects.reason(error)}") from error


def is_folder(found: Place) -> bool:
    """Whether a place is a folder; else something else is there.

    Raises:
        InputError: nothing is, or the store doesn't say.
    """
    if isinstance(found, Path):
        if not os.path.lexists(found):
            raise InputError(
                f"{shown(found)}: there is no such file or folder; check the path"
            )
        return os.path.isdir(found)
    try:
        if found.is_dir():
            return True
        if found.is_file():
            return False
    except OSError as error:
        raise unread(found, error) from error
    raise _nothing(found)


def unread(found: Address, error: OSError) -> InputError:
    """What is said of an address that can't be read."""
    if isinstance(error, FileNotFoundError):
        return _nothing(found)
    return InputError(f"{found}: this can't be read: {objects.reason(error)}")


def _nothing(found: Address) -> InputError:
    return InputError(
        f"{found}: there is nothing at this address; check bucket and name"
    )


def local(given: str | os.PathLike[str] | Address, why: str = NOT_READ) -> Path:
    """A path of this machine, where nothing else will do.

    Args:
        given: a path, or ``file:///path``.
        why: no URL will do, and what to do.

    Raises:
        InputError: it is a URL.
    """
    found = place(given)
    if isinstance(found, Address):
        raise InputError(f"{found}: {why}")
    return found


def _check(scheme: str, rest: str) -> None:
    """Refuse what would put a secret into the ledger, or can't be meant.

    No message repeats what may be one.
    """
    authority = rest.partition("/")[0]
    if "@" in authority and ":" in authority.partition("@")[0]:
        raise InputError(
            f"{scheme}://...: a password is in this URL, and would be kept in the "
            "ledger; leave it out, and set it where the store's own tools look for it "
            "(environment, profile, fsspec's configuration)"
        )
    if "?" in rest or "#" in rest:
        raise InputError(
            f"{scheme}://...: this URL has a ? or #, and what stands behind one is "
            "often a signature that opens the store; give the folder alone, and set "
            "what opens it where the store's own tools look for it"
        )
    if "::" in rest:
        raise InputError(f"{scheme}://...: chained URLs (::) aren't taken; give one")
    if _SAME.get(scheme, scheme) in _BUCKETS and not authority:
        raise InputError(f"{scheme}://: which bucket? Write {scheme}://bucket/folder")
