"""A recipient's licence: what makes their own copies of a published set, in one file.

The file is a SQLite database: a header that anybody can read, with a seal that proves
that whoever wrote it has the recipient's key, and a box for each image, found by the
digest of the published copy's samples or coefficients. Boxes stand side by side in
chunks, which would leave much of SQLite's pages empty one by one. Each box is sealed
with a key of its own, derived from the recipient's and bound to the image. A box tells
how the licensed copy differs from the published one, and nothing of how the mark was
made.

It is written and read a box at a time, whatever its size. A file from anywhere is only
ever read: without any table, view or trigger that isn't ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from fiftyone_reue import prf
from fiftyone_reue.errors import (
    UPDATE,
    DamagedRecordError,
    ExpiredLicenceError,
    InputError,
    OutputError,
    WrongKeyError,
)
from fiftyone_reue.media import unfinished
from fiftyone_reue.names.display import moment, printable
from fiftyone_reue.vault import crypto
from fiftyone_reue.vault.key_files import RecipientKey

FORMAT = 1
"""The newest format; all since 1 are read."""

APPLICATION = 0x52455545  # "REUE", SQLite's application_id

_TABLES = (
    "CREATE TABLE licence (id INTEGER PRIMARY KEY CHECK (id = 1), "
    "header TEXT NOT NULL, seal BLOB NOT NULL)",
    "CREATE TABLE chunks (id INTEGER PRIMARY KEY, boxes BLOB NOT NULL)",
    "CREATE TABLE places (digest BLOB PRIMARY KEY NOT NULL, chunk INTEGER NOT NULL, "
    "start INTEGER NOT NULL, length INTEGER NOT NULL) WITHOUT ROWID",
)
_NAMED = 16
"""So many bytes of a digest name a box; the whole of it is bound by its key."""

_PLACE = struct.Struct(">8s32sBHB")
_LENGTH = struct.Struct(">I")
_LARGEST_HEADER = 1 << 16
_CHUNK = 1 << 18
"""Bytes from which on boxes are written: little is wasted, and little is read for one
box."""


@dataclass(frozen=True)
class LicenceHeader:
    """What anybody can read in a licence.

    Attributes:
        licence: its id, 16 hex digits, the same for all that replace one another.
        vault: whose it is, 16 hex digits.
        release: the published set's id, 16 hex digits.
        recipient: the name.
        recipient_key: the recipient's key id, 16 hex digits.
        issue: 1 for the first, 2 for the one that replaces it ...
        issued: seconds since 1970.
        expires: the same, after which it isn't used any more; None: never.
        images: how many images it is for.
        commitment: hex, of the recipients that there were, this one included.
    """

    licence: str
    vault: str
    release: str
    recipient: str
    recipient_key: str
    issue: int
    issued: float
    expires: float | None
    images: int
    commitment: str

    def text(self) -> str:
        """As it stands in the file."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: object) -> Self:
        """Read it.

        Raises:
            ValueError: it isn't one.
        """
        if not isinstance(text, str) or len(text) > _LARGEST_HEADER:
            raise ValueError("no text of a header's size")
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("no object")
        header = cls(**{one.name: content[one.name] for one in fields(cls)})
        names = (header.licence, header.vault, header.release, header.recipient_key)
        for name in names:
            if len(bytes.fromhex(name)) != 8:
                raise ValueError("no id")
        if not isinstance(header.expires, int | float | None):
            raise ValueError("no moment")
        return header

    def require_valid(self, now: float | None = None) -> None:
        """Check its last day by this machine's clock.

        Raises:
            ExpiredLicenceError: it is over.
        """
        now = time.time() if now is None else now
        if self.expires is not None and now >= self.expires:
            raise ExpiredLicenceError(
                f"The licence of {printable(self.recipient)} expired on "
                f"{moment(self.expires, '%Y-%m-%d')}; ask the owner for a new one"
            )


@dataclass(frozen=True)
class LicenceEntry:
    """What makes one licensed copy.

    Attributes:
        sample: 16 hex digits, a keyed hash of the sample's id, for the copy's header.
        digest: SHA-256 of the licensed copy's samples or coefficients.
        version: the record's, see :class:`fiftyone_reue.vault.records.Header`.
        peak: the same.
        owner_box: the same.
        difference: what :mod:`fiftyone_reue.media.differences` made.
    """

    sample: str
    digest: bytes
    version: int
    peak: int | None
    owner_box: bytes
    difference: bytes

    def pack(self) -> bytes:
        """As a box holds it."""
        place = (bytes.fromhex(self.sample), self.digest, self.version)
        peak = (self.peak or 0, self.peak is not None)
        length = _LENGTH.pack(len(self.owner_box))
        return _PLACE.pack(*place, *peak) + length + self.owner_box + self.difference

    @classmethod
    def unpack(cls, content: bytes) -> Self:
        """Undo :meth:`pack`.

        Raises:
            DamagedRecordError: it is cut short.
        """
        try:
            sample, digest, version, peak, ranged = _PLACE.unpack_from(content)
            (length,) = _LENGTH.unpack_from(content, _PLACE.size)
        except struct.error:
            raise _damaged_box() from None
        start = _PLACE.size + _LENGTH.size
        if len(content) < start + length:
            raise _damaged_box()
        return cls(
            sample.hex(),
            digest,
            version,
            peak if ranged else None,
            content[start : start + length],
            content[start + length :],
        )


class LicenceReader:
    """An opened licence. Usable from threads; close it, or use it in ``with``.

    Args:
        path: the file.
        key: the recipient's.

    Raises:
        InputError: it isn't there, isn't a licence, is damaged or of a newer version.
        WrongKeyError: it is another recipient's or another vault's.
    """

    def __init__(self, path: str | os.PathLike[str], key: RecipientKey) -> None:
        self.path = Path(path)
        self._key = key
        self._lock = threading.Lock()
        self._connection = _opened(self.path)
        try:
            self.header = self._read_header()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[Path, RecipientKey]]:
        return type(self), (self.path, self._key)  # another process opens it anew

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, bytes) and self.box(digest) is not None

    def box(self, digest: bytes) -> bytes | None:
        """The sealed box for a published copy's digest, or None.

        Raises:
            InputError: the file is damaged.
        """
        with self._lock, _read(self.path):
            place = self._connection.execute(
                "SELECT chunk, start, length FROM places WHERE digest = ?",
                (digest[:_NAMED],),
            ).fetchone()
            if place is None:
                return None
            chunk, start, length = place
            row = self._connection.execute(
                "SELECT substr(boxes, ?, ?) FROM chunks WHERE id = ?",
                (start + 1, length, chunk),
            ).fetchone()
        box = _blob(None if row is None else row[0], self.path)
        if len(box) != length:
            raise _damaged(self.path)
        return box

    def entry(self, digest: bytes) -> LicenceEntry | None:
        """What makes the licensed copy of a published one, or None.

        Args:
            digest: SHA-256 of the published copy's samples or coefficients.

        Raises:
            DamagedRecordError: the box was edited, or is of another image.
            InputError: the file is damaged.
        """
        box = self.box(digest)
        if box is None:
            return None
        key = _box_key(self._key, self.header.release, digest)
        try:
            return LicenceEntry.unpack(crypto.open_sealed(key, box))
        except (WrongKeyError, DamagedRecordError):
            raise _damaged_box() from None

    def _read_header(self) -> LicenceHeader:
        header, text, seal = _header_in(self._connection, self.path)
        key = self._key
        if header.vault != key.vault_id:
            raise WrongKeyError(
                f"{self.path} is of vault {header.vault}, the key of "
                f"{printable(key.name)} belongs to vault {key.vault_id}; use the "
                "licence and the key that you were sent together"
            )
        if header.recipient_key != key.key_id:
            raise WrongKeyError(
                f"{self.path} is sealed for {printable(header.recipient)} (key "
                f"{header.recipient_key}), the key of {printable(key.name)} is "
                f"{key.key_id}; use the licence and the key that you were sent together"
            )
        try:
            crypto.open_sealed(_header_key(key), seal, text.encode())
        except (WrongKeyError, DamagedRecordError):
            raise _damaged(self.path) from None
        return header


class LicenceWriter:
    """Writes a licence under a temporary name; use it in ``with``.

    It gets its name when :meth:`finish` is called, and nothing is left if that isn't;
    what a kill leaves, the next one of this path takes away.

    Args:
        path: the file to be.
        key: the recipient's.
        release: the published set's id.

    Raises:
        OutputError: it can't be written.
    """

    def __init__(self, path: Path, key: RecipientKey, release: str) -> None:
        self.path = path
        self._key = key
        self._release = release
        self._temporary = unfinished.beside(path)
        self._held = contextlib.ExitStack()
        self._pending: list[bytes] = []
        self._chunk, self._start = 1, 0
        unfinished.remove_left_of(path)
        with self._writing():
            descriptor = os.open(
                self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
            )
            os.close(descriptor)
            self._held.enter_context(unfinished.held(self._temporary))
            self._connection = sqlite3.connect(self._temporary)
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")
            for statement in _TABLES:
                self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        self._temporary.unlink(missing_ok=True)
        self._held.close()

    @property
    def images(self) -> int:
        """How many images it holds so far."""
        (count,) = self._connection.execute("SELECT count(*) FROM places").fetchone()
        return int(count)

    def put(self, digest: bytes, entry: LicenceEntry) -> None:
        """Seal what makes the licensed copy of a published one.

        Args:
            digest: SHA-256 of the published copy's samples or coefficients. Of copies
                that are the same, the last counts.
            entry: what makes it.

        Raises:
            OutputError: the disk is full, or the like.
        """
        key = _box_key(self._key, self._release, digest)
        self.put_box(digest, crypto.seal(key, entry.pack()))

    def put_box(self, digest: bytes, box: bytes) -> None:
        """The same of a box from the licence that this one replaces."""
        with self._writing():
            self._connection.execute(
                "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)",
                (digest[:_NAMED], self._chunk, self._start, len(box)),
            )
            self._pending.append(box)
            self._start += len(box)
            if self._start >= _CHUNK:
                self._put_chunk()

    def _put_chunk(self) -> None:
        boxes = b"".join(self._pending)
        self._connection.execute(
            "INSERT INTO chunks VALUES (?, ?)", (self._chunk, boxes)
        )
        self._connection.commit()
        self._pending.clear()
        self._chunk, self._start = self._chunk + 1, 0

    def finish(self, header: LicenceHeader) -> int:
        """Write the header, and give the file its name.

        A licence that has the name is replaced.

        Returns:
            Bytes.

        Raises:
            OutputError: it can't be written.
        """
        text = header.text()
        seal = crypto.seal(_header_key(self._key), b"", text.encode())
        with self._writing():
            self._put_chunk()
            self._connection.execute(
                "INSERT INTO licence VALUES (1, ?, ?)", (text, seal)
            )
            self._connection.commit()
            self._connection.close()
            with self._temporary.open("rb") as file:
                os.fsync(file.fileno())
            size = self._temporary.stat().st_size
            os.replace(self._temporary, self.path)
        return size

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise OutputError(
                f"{self.path} can't be written: {reason}; check that its folder "
                "exists, the permissions and the free space"
            ) from error


def read_header(path: Path) -> LicenceHeader:
    """What anybody can read in a licence; who has no key can't tell whether it is so.

    Raises:
        InputError: it isn't there, isn't a licence, is damaged or of a newer version.
    """
    with contextlib.closing(_opened(path)) as connection:
        return _header_in(connection, path)[0]


def _header_in(
    connection: sqlite3.Connection, path: Path
) -> tuple[LicenceHeader, str, bytes]:
    """The header, its text, and what seals that."""
    with _read(path):
        _require_ours(connection, path)
        row = connection.execute("SELECT header, seal FROM licence").fetchone()
    try:
        if row is None:
            raise ValueError("no header")
        return LicenceHeader.of(row[0]), row[0], _blob(row[1], path)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(path) from None


def replaceable(path: Path, key: RecipientKey, release: str) -> LicenceReader | None:
    """The licence that a new one may take the place of, opened; None: the name is free.

    Args:
        path: of both.
        key: the recipient's.
        release: the published set's id.

    Raises:
        OutputError: something else is there.
    """
    if not os.path.lexists(path):
        return None
    try:
        found = LicenceReader(path, key)
    except (InputError, WrongKeyError) as error:
        raise OutputError(
            f"{path} is there already, and isn't this recipient's licence; choose "
            f"another name ({error})"
        ) from error
    if found.header.release != release:
        found.close()
        raise OutputError(
            f"{path} is a licence for release {found.header.release}; choose another "
            "name"
        )
    return found


def _box_key(key: RecipientKey, release: str, digest: bytes) -> bytes:
    return prf.derive(key.key, "licence-box", key.vault_id, release, digest)


def _header_key(key: RecipientKey) -> bytes:
    return prf.derive(key.key, "licence-header", key.vault_id)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        with path.open("rb") as file:
            beginning = file.read(16)
    except OSError as error:
        raise InputError(
            f"{path} can't be read: {error.strerror}; give the licence file that you "
            "were sent"
        ) from error
    if beginning != b"SQLite format 3\0":
        raise _no_licence(path)
    # Nobody writes it, so that it needs no lock and no journal beside it is looked at.
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise _no_licence(path)
    if version > FORMAT:
        raise InputError(
            f"{path} has format {version}, this program reads up to {FORMAT}; {UPDATE}"
        )
    found = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"
    ).fetchall()
    if sorted(sql for (sql,) in found) != sorted(_TABLES):
        raise _damaged(path)


@contextlib.contextmanager
def _read(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _damaged(path) from error


def _blob(value: Any, path: Path) -> bytes:
    if not isinstance(value, bytes):
        raise _damaged(path)
    return value


def _no_licence(path: Path) -> InputError:
    return InputError(f"{path} isn't a licence; give the file that you were sent")


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path} is damaged: it was edited or cut short; copy it again, or ask the "
        "owner for a new one"
    )


def _damaged_box() -> DamagedRecordError:
    return DamagedRecordError(
        "The licence is damaged: what it holds for this image was edited, or is of "
        "another one; copy it again, or ask the owner for a new one"
    )
