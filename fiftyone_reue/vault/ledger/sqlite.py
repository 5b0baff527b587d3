"""A ledger in one SQLite file, for folders without a FiftyOne database."""

from __future__ import annotations

import math
import os
import secrets as random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fiftyone_reue.errors import (
    UPDATE,
    InputError,
    LedgerUnavailableError,
    TamperedLedgerError,
    VaultError,
)
from fiftyone_reue.vault.entities import (
    Fit,
    Image,
    Paper,
    Recipient,
    Record,
    Release,
)
from fiftyone_reue.vault.ledger.rows import (
    BOXES,
    LONGEST_TEXT,
    TABLES,
    E,
    Each,
    Entity,
    Key,
    Table,
    TooLong,
    age,
    as_bytes,
    as_description,
    as_read,
    columns,
    from_row,
    longest,
    mac_of,
    pages,
    storable_text,
    to_json,
    to_row,
)
from fiftyone_reue.vault.ledger.sqlite_schema import (
    ADDED,
    SCHEMA,
    SCHEMA_VERSION,
    differences,
    execute,
)
from fiftyone_reue.vault.private_files import publish

BUSY_SECONDS = 30.0
BACKUP_SUFFIX = ".before-authentication"

_PAGE = 256
_MACS_PAGE = 4096
# A sealed record may be as large as an image.
_LARGEST_VALUE = 512 << 20
_LONGEST_STATEMENT = 1_000_000
# While values are read that are none of these: what is longer is never read, so that
# one row can't take the memory. SQLite tells the size of bytes without reading them,
# but of text only since 3.43.
_LARGEST_OTHER = 2 * LONGEST_TEXT
_LONGEST_LIST = 256 << 20
# What a query gives for a value that is too long. Of ours, psnr alone may be infinite,
# and is positive then.
_TOO_LONG = -math.inf
Value = str | bytes | int
_IMAGES_OF_ONLY = f"""
SELECT CAST(id AS BLOB) AS one,
CASE WHEN length(CAST(mac AS BLOB)) = 32 THEN mac END AS mac
FROM images WHERE id > CAST(:last AS TEXT)
AND (
    EXISTS (SELECT 1 FROM records AS mine
        WHERE mine.image_id = images.id AND mine.release_id = :release)
    OR EXISTS (SELECT 1 FROM withdrawn AS mine
        WHERE mine.image_id = images.id AND mine.release_id = :release)
)
AND NOT EXISTS (SELECT 1 FROM records AS other
    WHERE other.image_id = images.id AND other.release_id <> :release)
AND NOT EXISTS (SELECT 1 FROM withdrawn AS other
    WHERE other.image_id = images.id AND other.release_id <> :release)
ORDER BY id LIMIT {_PAGE}
"""

# What SQLite's primary result codes mean for the person in front of it.
_REASONS = {
    sqlite3.SQLITE_BUSY: (
        "is locked by another process; wait until that one is done and try again"
    ),
    sqlite3.SQLITE_LOCKED: (
        "is locked by another process; wait until that one is done and try again"
    ),
    sqlite3.SQLITE_CORRUPT: "is damaged; put it back from a backup",
    sqlite3.SQLITE_TOOBIG: "holds a value that is too large; put it back from a backup",
    sqlite3.SQLITE_NOTADB: ("is damaged or isn't a ledger; put it back from a backup"),
    sqlite3.SQLITE_READONLY: (
        "can't be written; check the permissions of the file and its folder"
    ),
    sqlite3.SQLITE_PERM: (
        "can't be opened; check the permissions of the file and its folder"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "can't be opened; check that the folder exists and its permissions"
    ),
    sqlite3.SQLITE_FULL: "can't be written: the disk is full; free some space",
    # SQLite says so as well where a full disk has no room for what it shares.
    sqlite3.SQLITE_IOERR: (
        "can't be read or written: the disk reports an error; check whether it is full"
    ),
    sqlite3.SQLITE_PROTOCOL: (
        "can't be locked; keep the vault on a local disk, not on a network share"
    ),
}


class SqliteLedger:
    """A :class:`~fiftyone_reue.vault.ledger.base.Ledger` in one file.

    Args:
        path: the database file; created with mode 0600 if it isn't there
        busy_seconds: how long to wait for another process that is writing

    Raises:
        LedgerUnavailableError: if the file can't be opened or isn't a ledger
        TamperedLedgerError: if its tables aren't those of its version
        VaultError: if it was made by a newer version
    """

    def __init__(
        self, path: str | os.PathLike[str], *, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self._path = Path(path)
        # One connection behind one lock: statements here are short, and SQLite lets
        # only one of them write at a time anyway.
        self._lock = threading.RLock()
        self._schema: int | None = None  # SQLite's number of the one last looked at
        self._connection = self._connect(busy_seconds)

    @property
    def path(self) -> Path:
        """The database file."""
        return self._path

    def __repr__(self) -> str:
        return f"SqliteLedger({str(self._path)!r})"

    def _connect(self, busy_seconds: float) -> sqlite3.Connection:
        self._create_private_file()
        with self._plain_errors():
            connection = sqlite3.connect(
                self._path,
                timeout=busy_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._plain_errors():
                self._prepare(connection, busy_seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create_private_file(self) -> None:
        # SQLite gives its -wal and -shm files the mode of the database file.
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDONLY, 0o600))
        except OSError as error:
            raise LedgerUnavailableError(
                f"The ledger {self._path} can't be opened: {error.strerror}; check "
                "that the folder exists and its permissions"
            ) from error

    def _prepare(self, connection: sqlite3.Connection, busy_seconds: float) -> None:
        connection.row_factory = sqlite3.Row
        # Text that somebody damaged must not keep the other rows from being read.
        connection.text_factory = _text
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        _enter_wal_mode(connection, busy_seconds)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # A dropped wrap must not stay readable in free pages: after a rotation, the
        # old owner key must not open the present file.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if 0 < version < SCHEMA_VERSION:
            self._require_schema(connection, version)
            self._copy(connection)
        with _transaction(connection):
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version != 0:
                self._require_schema(connection, version)
            if version == SCHEMA_VERSION:
                return
            if version == 0:
                self._require_empty(connection)
                execute(connection, SCHEMA)
                version = 1
            for missing in range(version + 1, SCHEMA_VERSION + 1):
                execute(connection, ADDED[missing])
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _copy(self, connection: sqlite3.Connection) -> None:
        """Copies the whole ledger beside it, if there is no such copy."""
        copy = self._path.with_name(self._path.name + BACKUP_SUFFIX)
        if copy.exists():
            return
        temporary = copy.with_name(f".{copy.name}.{random.token_hex(4)}.reue-tmp")
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            target = sqlite3.connect(temporary)
            try:
                connection.backup(target)
            finally:
                target.close()
            publish(temporary, copy)
        except FileExistsError:
            pass  # another process made it at the same moment
        except OSError as error:
            raise LedgerUnavailableError(
                f"The ledger {self._path} must be brought up to date, but no copy of "
                f"it can be made at {copy}: {error.strerror}; free some space or check "
                "the permissions"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _require_schema(self, connection: sqlite3.Connection, version: int) -> None:
        """Make sure that the tables are those of a version, and that we know it."""
        if version > SCHEMA_VERSION and differences(connection, SCHEMA_VERSION):
            raise VaultError(
                f"The ledger {self._path} was made by a newer version: {UPDATE}. "
                "If you never used one, it was changed without you; put it back "
                "from a backup"
            )
        if 1 <= version <= SCHEMA_VERSION:
            found = differences(connection, version)
        else:
            found = [f"it says that it is of version {version}"]
        if found:
            raise TamperedLedgerError(
                f"The ledger {self._path} isn't as the owner left it: {found[0]}"
                f"{f', and {len(found) - 1} more' if len(found) > 1 else ''}; put it "
                "back from a backup"
            )

    def _require_same_schema(self, *, again: bool = False) -> None:
        """Make sure that nobody changed the tables while the ledger is open.

        SQLite counts such changes, so that it need only be looked whether it did.
        """
        connection = self._connection
        (number,) = connection.execute("PRAGMA schema_version").fetchone()
        if number != self._schema or again:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            self._require_schema(connection, version)
            self._schema = number

    def _require_empty(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT name FROM sqlite_master").fetchall()
        names = {row[0] for row in rows}
        if names >= set(TABLES):
            self._require_schema(connection, 0)
        if names:
            raise LedgerUnavailableError(
                f"{self._path} is another program's database; choose another file"
            )

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except MemoryError:
            raise LedgerUnavailableError(
                f"The ledger {self._path} holds more than this machine's memory can; "
                "put it back from a backup"
            ) from None
        except sqlite3.Error as error:
            code = _code(error)
            reason = _REASONS.get(code, f"can't be used: {error}")
            raise LedgerUnavailableError(f"The ledger {self._path} {reason}") from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._plain_errors():
            self._require_same_schema()
            try:
                yield self._connection
            except sqlite3.OperationalError as error:
                if _code(error) == sqlite3.SQLITE_ERROR:
                    # Such as a table that was dropped at this moment.
                    self._require_same_schema(again=True)
                raise

    @contextmanager
    def _sipping(self) -> Iterator[sqlite3.Connection]:
        """Reading, where a value that is too long is an error instead of read."""
        with self._reading() as connection:
            most = connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_OTHER)
            try:
                yield connection
            finally:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            if connection.in_transaction:  # ours, since the lock is
                yield connection
                return
            with _transaction(connection):
                self._require_same_schema()  # which nobody can change from now on
                yield connection

    # -- meta

    def get_meta(self) -> dict[str, Any] | None:
        """See :class:`~fiftyone_reue.vault.ledger.base.Ledger`, also for the rest."""
        query = (
            f"SELECT CASE WHEN length(CAST(document AS BLOB)) <= {LONGEST_TEXT} "
            "THEN document END AS document FROM meta WHERE id = 1"
        )
        with self._sipping() as connection:
            try:
                row = connection.execute(query).fetchone()
            except sqlite3.DataError as error:
                _require_too_big(error)
                return {}
        return None if row is None else as_description(row["document"])

    def create_meta(self, meta: dict[str, Any]) -> None:
        try:
            with self._writing() as connection:
                connection.execute("INSERT INTO meta VALUES (1, ?)", [to_json(meta)])
        except sqlite3.IntegrityError:
            raise VaultError(
                f"There is a vault already in {self._path}; use it, or choose "
                "another folder"
            ) from None

    def put_meta(self, meta: dict[str, Any]) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO meta VALUES (1, ?) "
                "ON CONFLICT(id) DO UPDATE SET document = excluded.document",
                [to_json(meta)],
            )
        # Until the log is folded in, the old description is still in the file.
        with self._reading() as connection:
            if not connection.in_transaction:
                self._fold_log()

    def _fold_log(self) -> None:
        with self._reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- recipients

    def put_recipient(self, recipient: Recipient) -> None:
        try:
            self._put("recipients", "id", [recipient])
        except VaultError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise InputError(
                    f"There is a recipient named {recipient.name!r} already; choose "
                    "another name"
                ) from None
            raise

    def recipient(self, recipient_id: str) -> Recipient | None:
        return self._one(Recipient, "recipients", id=recipient_id)

    def recipient_by_name(self, name: str) -> Recipient | None:
        return self._one(Recipient, "recipients", name=name)

    def recipients(self) -> list[Recipient]:
        return sorted(self._all(Recipient, "recipients"), key=age)

    # -- fits

    def put_fit(self, fit: Fit) -> None:
        self._put("fits", "id", [fit])

    def fit(self, fit_id: str) -> Fit | None:
        return self._one(Fit, "fits", id=fit_id)

    def fits(self, each: Each[Fit] = as_read) -> list[Fit]:
        found = (
            self._row(Fit, "fits", row, _is_all([]))
            for row in self._rowids("fits", "SELECT rowid FROM fits", [])
        )
        return sorted((each(one) for one in found if one is not None), key=age)

    # -- papers

    def put_paper(self, paper: Paper) -> None:
        self._put("papers", "id", [paper])

    def papers(self, kind: str, each: Each[Paper] = as_read) -> list[Paper]:
        query = "SELECT rowid FROM papers WHERE kind = ?"
        found = (
            self._row(Paper, "papers", row, _is_all([("kind", kind)]))
            for row in self._rowids("papers", query, [kind])
        )
        return sorted((each(one) for one in found if one is not None), key=age)

    # -- releases

    def put_release(self, release: Release) -> None:
        self._put("releases", "id", [release])

    def release(self, release_id: str) -> Release | None:
        return self._one(Release, "releases", id=release_id)

    def releases(self, recipient_id: str | None = None) -> list[Release]:
        wanted = {} if recipient_id is None else {"recipient_id": recipient_id}
        return sorted(self._all(Release, "releases", **wanted), key=age)

    def delete_release(self, release_id: str) -> None:
        with self._writing() as connection:
            connection.execute("PRAGMA defer_foreign_keys = ON")
            for table in ("records", "withdrawn"):
                connection.execute(
                    f"DELETE FROM images WHERE id IN "
                    f"(SELECT image_id FROM {table} WHERE release_id = :release) "
                    "AND NOT EXISTS (SELECT 1 FROM records AS other WHERE "
                    "other.image_id = images.id AND other.release_id <> :release) "
                    "AND NOT EXISTS (SELECT 1 FROM withdrawn AS other WHERE "
                    "other.image_id = images.id AND other.release_id <> :release)",
                    {"release": release_id},
                )
            for table in ("records", "withdrawn"):
                connection.execute(
                    f"DELETE FROM {table} WHERE release_id = ?", [release_id]
                )
            connection.execute("DELETE FROM releases WHERE id = ?", [release_id])

    # -- images

    def put_images(self, images: Sequence[Image]) -> None:
        self._put("images", "id", images)

    def image(self, image_id: str) -> Image | None:
        return self._one(Image, "images", id=image_id)

    def image_by_digest(self, digest: bytes) -> Image | None:
        return self._one(Image, "images", digest=digest)

    def find_images(self, image_ids: Iterable[str]) -> list[Image]:
        found: list[Image] = []
        for page in pages(image_ids, _PAGE):
            marks = ", ".join("?" * len(page))
            some = self._select(
                Image, "images", f"id IN ({marks})", page, _is_one_of("id", page)
            )
            by_id = {image.id: image for image in some}
            found += [by_id[image_id] for image_id in page if image_id in by_id]
        return found

    def images(self) -> Iterator[Image]:
        # Pages instead of one long cursor: an open cursor would keep the log from
        # being folded in, and would be tied to other threads' statements.
        return self._walk(Image, "images", "id", _PAGE)

    def image_macs(self) -> Iterator[tuple[str, bytes]]:
        query = (
            "SELECT rowid AS at, CASE WHEN typeof(id) = 'text' AND length(id) <= 64 "
            "THEN id ELSE '' END AS one, CASE WHEN typeof(mac) = 'blob' "
            "AND length(mac) = 32 THEN mac END AS mac FROM images "
            "WHERE rowid > ? ORDER BY rowid LIMIT ?"
        )
        at: int | None = -(1 << 63)
        while at is not None:
            with self._reading() as connection:
                rows = connection.execute(query, (at, _MACS_PAGE)).fetchall()
            yield from ((row["one"], mac_of(row)) for row in rows)
            at = rows[-1]["at"] if rows else None

    # -- records

    def put_records(self, records: Sequence[Record]) -> None:
        self._put("records", "release_id, sample_id", records)

    def record(self, record_id: str) -> Record | None:
        return self._one(Record, "records", id=record_id)

    def records(
        self, release_id: str, sample_ids: Iterable[str] | None = None
    ) -> Iterator[Record]:
        # One row at a time, since a blob may be as large as an image.
        if sample_ids is None:
            yield from self._walk(Record, "records", "sample_id", 1, release_id)
            return
        for sample_id in sorted(set(sample_ids)):
            wanted = {"release_id": release_id, "sample_id": sample_id}
            record = self._one(Record, "records", **wanted)
            if record is not None:
                yield record

    def record_sample_ids(self, release_id: str) -> set[str]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT sample_id FROM records WHERE release_id = ?", [release_id]
            ).fetchall()
        return {row[0] for row in rows if isinstance(row[0], str)}

    def records_by_digest(self, digest: bytes) -> Iterator[Record]:
        return self._of_both(("digest_p", "digest_w"), digest)

    def records_by_image(self, image_id: str) -> Iterator[Record]:
        return self._of_both(("image_id",), image_id)

    def _of_both(self, names: Sequence[str], value: Value) -> Iterator[Record]:
        # One at a time: anybody may have put many there, each as large as an image.
        where = " OR ".join(f"{name} = ?" for name in names)
        for table in ("records", "withdrawn"):
            query = f"SELECT rowid FROM {table} WHERE {where} ORDER BY created, rowid"
            for row in self._rowids(table, query, [value] * len(names)):
                found = self._row(Record, table, row, _is_any(names, value))
                if found is not None:
                    yield found

    def count_records(self, release_id: str) -> int:
        with self._reading() as connection:
            return connection.execute(
                "SELECT count(*) FROM records WHERE release_id = ?", [release_id]
            ).fetchone()[0]

    def delete_records(self, release_id: str, sample_ids: Sequence[str]) -> None:
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM records WHERE release_id = ? AND sample_id = ?",
                [(release_id, sample_id) for sample_id in sample_ids],
            )

    def put_withdrawn(self, records: Sequence[Record]) -> None:
        self._put("withdrawn", "id", records)

    def withdrawn(self, release_id: str) -> Iterator[Record]:
        return self._walk(Record, "withdrawn", "id", 1, release_id)

    # -- authentication

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        with self._writing():
            yield True

    def get_inventory(self) -> bytes | None:
        size = f"typeof(sealed) = 'blob' AND length(sealed) <= {_LONGEST_LIST}"
        with self._reading() as connection:
            row = connection.execute(
                f"SELECT CASE WHEN {size} THEN sealed END AS sealed "
                "FROM inventory WHERE id = 1"
            ).fetchone()
        return None if row is None else as_bytes(row["sealed"])

    def put_inventory(self, sealed: bytes) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO inventory VALUES (1, ?) "
                "ON CONFLICT(id) DO UPDATE SET sealed = excluded.sealed",
                [sealed],
            )

    def macs(self, table: Table, keys: Sequence[Key]) -> dict[Key, bytes]:
        if table != "records":
            return self._macs(table, "", (), [str(key) for key in keys])
        found: dict[Key, bytes] = {}
        by_release: dict[str, list[str]] = {}
        for key in keys:
            by_release.setdefault(key[0], []).append(key[1])
        for release_id, sample_ids in by_release.items():
            wanted = ("release_id = ? AND sample_id", (release_id,), sample_ids)
            some = self._macs(table, *wanted)
            found.update({(release_id, str(s)): mac for s, mac in some.items()})
        return found

    def _macs(
        self, table: str, where: str, values: tuple[str, ...], ids: list[str]
    ) -> dict[Key, bytes]:
        name = "sample_id" if where else "id"
        found: dict[Key, bytes] = {}
        for page in pages(ids, _PAGE):
            marks = ", ".join("?" * len(page))
            query = (
                f"SELECT {name} AS one, CASE WHEN typeof(mac) = 'blob' "
                f"AND length(mac) = 32 THEN mac END AS mac FROM {table} "
                f"WHERE {where or name} IN ({marks})"
            )
            with self._reading() as connection:
                rows = connection.execute(query, [*values, *page]).fetchall()
            found.update({row["one"]: mac_of(row) for row in rows})
        return found

    def set_macs(self, table: Table, macs: Mapping[str, bytes]) -> None:
        with self._writing() as connection:
            connection.executemany(
                f"UPDATE {table} SET mac = ? WHERE id = ?",
                [(mac, one) for one, mac in macs.items()],
            )

    def images_of_only(self, release_id: str) -> Iterator[bytes]:
        last: bytes | None = b""
        while last is not None:
            with self._reading() as connection:
                rows = connection.execute(
                    _IMAGES_OF_ONLY, {"release": release_id, "last": last}
                ).fetchall()
            yield from map(mac_of, rows)
            last = rows[-1]["one"] if rows else None

    def damage(self) -> list[str]:
        found = []
        with self._reading() as connection:
            try:
                rows = connection.execute("PRAGMA integrity_check").fetchall()
                found = [str(row[0]) for row in rows if row[0] != "ok"]
            except sqlite3.DatabaseError as error:
                if _code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_TOOBIG):
                    raise
                found = [str(error)]
            for table in ("meta", "inventory"):
                query = f"SELECT count(*) FROM {table} WHERE id <> 1"
                if connection.execute(query).fetchone()[0]:
                    found.append(f"the table {table!a} has rows that aren't ours")
            return differences(connection, SCHEMA_VERSION) + found

    def strays(self, table: Table, release_ids: set[str]) -> Iterator[Record]:
        query = f"SELECT rowid, release_id FROM {table}"
        with self._sipping() as connection:
            try:
                every = connection.execute(query)
                rows = [row[0] for row in every if row[1] not in release_ids]
            except sqlite3.DataError as error:
                _require_too_big(error)
                every = connection.execute(f"SELECT rowid FROM {table}")
                rows = [row[0] for row in every]
        for row in rows:
            found = self._row(
                Record, table, row, lambda some: some["release_id"] not in release_ids
            )
            if found is not None:
                yield found

    def has_rows(self) -> bool:
        with self._reading() as connection:
            return any(
                connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
                for table in TABLES
            )

    def back_up(self) -> str:
        with self._reading() as connection:
            self._copy(connection)
        return str(self._path.with_name(self._path.name + BACKUP_SUFFIX))

    # -- life

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- helpers

    def _put(self, table: str, key: str, entities: Sequence[Entity]) -> None:
        if not entities:
            return
        statement = _upsert(table, key, columns(type(entities[0])))
        try:
            with self._writing() as connection, storable_text():
                connection.executemany(statement, map(to_row, entities))
        except sqlite3.IntegrityError as error:
            raise VaultError(
                f"The ledger {self._path} can't take these {table}: {error}"
            ) from error

    def _one(self, kind: type[E], table: str, **wanted: Value) -> E | None:
        found = self._all(kind, table, **wanted)
        return found[0] if found else None

    def _all(self, kind: type[E], table: str, **wanted: Value) -> list[E]:
        where = " AND ".join(f"{name} = ?" for name in wanted) or "1"
        return self._select(
            kind, table, where, list(wanted.values()), _is_all(wanted.items())
        )

    def _select(
        self,
        kind: type[E],
        table: str,
        where: str,
        values: Sequence[Value],
        wanted: _Wanted,
    ) -> list[E]:
        """Rows; `wanted` says the same as `where`, if a row can't be looked at."""
        query = f"SELECT rowid, {_columns(kind)} FROM {table} WHERE {where}"
        with self._sipping() as connection, _snapshot(connection):
            try:
                rows = connection.execute(query, values).fetchall()
            except sqlite3.DataError as error:
                _require_too_big(error)
            else:
                return [self._entity(kind, table, row[0], row[1:]) for row in rows]
        every = self._rowids(table, f"SELECT rowid FROM {table}", [])
        found = (self._row(kind, table, row, wanted) for row in every)
        return [one for one in found if one is not None]

    def _rowids(self, table: str, query: str, values: Sequence[Value]) -> list[int]:
        with self._sipping() as connection:
            try:
                found = connection.execute(query, values).fetchall()
            except sqlite3.DataError as error:
                _require_too_big(error)
                query = f"SELECT rowid FROM {table}"
                found = connection.execute(query).fetchall()
        return [row[0] for row in found]

    def _walk(
        self, kind: type[E], table: str, key: str, size: int, *release: str
    ) -> Iterator[E]:
        """A table by a text column, so many rows at a time, and then rows without.

        The last key is bound as bytes, since it may be no valid text.

        Args:
            kind: of the table's entities
            table: which
            key: the column
            size: how many rows
            release: its id, if only its rows are wanted
        """
        is_wanted = _is_all([("release_id", one) for one in release])
        of_release = "release_id = ? AND " if release else ""
        is_key = (
            f"typeof({key}) = 'text' AND length(CAST({key} AS BLOB)) <= {longest(key)}"
        )
        last, above = b"", ">="
        rows: list[Any] = [None]
        while rows:
            query = (
                f"SELECT rowid, CAST({key} AS BLOB), {_columns(kind)} FROM {table} "
                f"WHERE {of_release}{is_key} AND {key} {above} CAST(? AS TEXT) "
                f"ORDER BY {key} LIMIT {size}"
            )
            with self._sipping() as connection, _snapshot(connection):
                try:
                    rows = connection.execute(query, [*release, last]).fetchall()
                except sqlite3.DataError as error:
                    _require_too_big(error)
                    break
                page = [self._entity(kind, table, row[0], row[2:]) for row in rows]
            if rows:
                last, above = rows[-1][1], ">"
            yield from page
        if rows:  # one of them can't be looked at
            yield from self._left(kind, table, key, last, above == ">", is_wanted)
            return
        query = f"SELECT rowid FROM {table} WHERE {of_release}NOT ({is_key})"
        for row in self._rowids(table, query, release):
            found = self._row(kind, table, row, is_wanted)
            if found is not None:
                yield found

    def _left(
        self,
        kind: type[E],
        table: str,
        key: str,
        last: bytes,
        begun: bool,
        wanted: _Wanted,
    ) -> Iterator[E]:
        """One by one, those that a walk up to a key hasn't given, if it had begun."""
        with self._sipping() as connection:
            query = f"SELECT rowid, typeof({key}) FROM {table}"
            rows = connection.execute(query).fetchall()
        for row, kind_of_key in rows:
            found = self._row(kind, table, row, wanted)
            if found is None:
                continue
            value = getattr(found, key)
            data = value.encode() if isinstance(value, str) else value
            known = kind_of_key == "text" and isinstance(data, bytes)
            if not (begun and known and data <= last):
                yield found

    def _row(self, kind: type[E], table: str, row: int, wanted: _Wanted) -> E | None:
        """One by its number, if it is there and wanted; value by value if need be."""
        names = columns(kind)
        with self._sipping() as connection, _snapshot(connection):
            try:
                query = f"SELECT {_columns(kind)} FROM {table} WHERE rowid = ?"
                values = connection.execute(query, [row]).fetchone()
            except sqlite3.DataError as error:
                _require_too_big(error)
                values = [self._value(table, row, name) for name in names]
            if values is None or not wanted(_usable(kind, values)):
                return None
            return self._entity(kind, table, row, values)

    def _value(self, table: str, row: int, name: str) -> Any:
        query = f"SELECT {_bounded(name)} FROM {table} WHERE rowid = ?"
        try:
            found = self._connection.execute(query, [row]).fetchone()
        except sqlite3.DataError as error:
            _require_too_big(error)
            return _TOO_LONG
        return None if found is None else found[0]

    def _entity(self, kind: type[E], table: str, row: int, values: Sequence[Any]) -> E:
        """The entity of what was selected, with its box, in the same snapshot."""
        fields = _usable(kind, values)
        for name in BOXES & fields.keys():
            size = f"typeof({name}) = 'blob' AND length({name}) <= {longest(name)}"
            query = (
                f"SELECT CASE WHEN {size} THEN {name} ELSE -9e999 END FROM {table} "
                "WHERE rowid = ?"
            )
            most = self._connection.setlimit(
                sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE
            )
            try:
                found = self._connection.execute(query, [row]).fetchone()
            finally:
                self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)
            fields[name] = _usable_value(None if found is None else found[0])
        return from_row(kind, fields)


_Wanted = Callable[[Mapping[str, Any]], bool]


def _is_all(wanted: Iterable[tuple[str, Value]]) -> _Wanted:
    pairs = list(wanted)
    return lambda row: all(row[name] == value for name, value in pairs)


def _is_any(names: Sequence[str], value: Value) -> _Wanted:
    return lambda row: any(row[name] == value for name in names)


def _is_one_of(name: str, values: Iterable[Value]) -> _Wanted:
    known = set(values)
    return lambda row: row[name] in known


def _columns(kind: type[Entity]) -> str:
    """What to select: a value that is longer than we write isn't given, boxes later.

    Without names, which an ``ORDER BY`` would refer to.
    """
    return ", ".join(_bounded(name) for name in columns(kind))


def _bounded(name: str) -> str:
    if name in BOXES:
        return "NULL"
    size = f'length(CAST("{name}" AS BLOB))'
    return f'CASE WHEN {size} > {longest(name)} THEN -9e999 ELSE "{name}" END'


def _usable(kind: type[Entity], values: Sequence[Any]) -> dict[str, Any]:
    names = columns(kind)
    return {n: _usable_value(value) for n, value in zip(names, values, strict=True)}


def _usable_value(value: Any) -> Any:
    return TooLong() if value == _TOO_LONG else value


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _require_too_big(error: sqlite3.Error) -> None:
    if _code(error) != sqlite3.SQLITE_TOOBIG:
        raise error


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """What is read inside is of one moment."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def _text(data: bytes) -> str | bytes:
    """Text; bytes where somebody made it no valid text, which fails its row's MAC."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _enter_wal_mode(connection: sqlite3.Connection, busy_seconds: float) -> None:
    # SQLite doesn't apply its busy timeout when two processes switch a new file to
    # WAL at the same moment.
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors, a full disk among them, SQLite has rolled back itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _upsert(table: str, key: str, names: list[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f":{name}" for name in names)
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    return (
        f"INSERT INTO {table} ({quoted}) VALUES ({values}) "
        f"ON CONFLICT({key}) DO UPDATE SET {updates}"
    )
