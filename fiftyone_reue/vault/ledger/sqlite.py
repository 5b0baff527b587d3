"""A ledger in one SQLite file, for folders without a FiftyOne database."""

from __future__ import annotations

import os
import secrets as random
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    TamperedLedgerError,
    VaultError,
)
from fiftyone_reue.vault.entities import Fit, Image, Recipient, Record, Release
from fiftyone_reue.vault.ledger.rows import (
    LARGEST_VALUE,
    LONGEST_TEXT,
    TABLES,
    E,
    Each,
    Entity,
    Key,
    Table,
    as_bytes,
    as_description,
    as_read,
    columns,
    from_row,
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
_LARGEST_LIST = 128 << 20
_LARGE = frozenset({"blob", "sealed"})
Value = str | bytes | int
_IMAGES_OF_ONLY = f"""
SELECT CAST(id AS BLOB) AS one, mac FROM images WHERE id > CAST(:last AS TEXT)
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
    sqlite3.SQLITE_IOERR: "can't be read or written: the disk reports an error",
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
        self._connection = self._connect(busy_seconds)

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
        _enter_wal_mode(connection, busy_seconds)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # A dropped wrap must not stay readable in free pages: after a rotation, the
        # old owner key must not open the present file.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if 0 < version < SCHEMA_VERSION:
            self._require_schema(connection, version)
            self._copy(connection)
        with _transaction(connection):
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise VaultError(
                    f"The ledger {self._path} was made by a newer version of "
                    "fiftyone-reue; update it"
                )
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
        found = differences(connection, version)
        if version < 1:
            found = [f"its version is {version}"]
        if found:
            raise TamperedLedgerError(
                f"The ledger {self._path} isn't as the owner left it: {found[0]}"
                f"{f', and {len(found) - 1} more' if len(found) > 1 else ''}; put it "
                "back from a backup"
            )

    def _require_empty(self, connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise LedgerUnavailableError(
                f"{self._path} is another program's database; choose another file"
            )

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            reason = _REASONS.get(code, f"can't be used: {error}")
            raise LedgerUnavailableError(f"The ledger {self._path} {reason}") from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._plain_errors():
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            if connection.in_transaction:  # ours, since the lock is
                yield connection
                return
            with _transaction(connection):
                yield connection

    # -- meta

    def get_meta(self) -> dict[str, Any] | None:
        """See :class:`~fiftyone_reue.vault.ledger.base.Ledger`, also for the rest."""
        with self._reading() as connection:
            row = connection.execute(
                f"SELECT CASE WHEN length(CAST(document AS BLOB)) <= {LONGEST_TEXT} "
                "THEN document END AS document FROM meta"
            ).fetchone()
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
        return self._one(Recipient, "recipients WHERE id = ?", recipient_id)

    def recipient_by_name(self, name: str) -> Recipient | None:
        return self._one(Recipient, "recipients WHERE name = ?", name)

    def recipients(self, each: Each[Recipient] = as_read) -> list[Recipient]:
        return self._all(Recipient, "recipients ORDER BY created, id", each=each)

    # -- fits

    def put_fit(self, fit: Fit) -> None:
        self._put("fits", "id", [fit])

    def fit(self, fit_id: str) -> Fit | None:
        return self._one(Fit, "fits WHERE id = ?", fit_id)

    def fits(self, each: Each[Fit] = as_read) -> list[Fit]:
        return self._all(Fit, "fits ORDER BY created, id", each=each)

    # -- releases

    def put_release(self, release: Release) -> None:
        self._put("releases", "id", [release])

    def release(self, release_id: str) -> Release | None:
        return self._one(Release, "releases WHERE id = ?", release_id)

    def releases(
        self, recipient_id: str | None = None, each: Each[Release] = as_read
    ) -> list[Release]:
        if recipient_id is None:
            return self._all(Release, "releases ORDER BY created, id", each=each)
        return self._all(
            Release,
            "releases WHERE recipient_id = ? ORDER BY created, id",
            recipient_id,
            each=each,
        )

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
        return self._one(Image, "images WHERE id = ?", image_id)

    def image_by_digest(self, digest: bytes) -> Image | None:
        return self._one(Image, "images WHERE digest = ?", digest)

    def find_images(self, image_ids: Iterable[str]) -> list[Image]:
        found: list[Image] = []
        for page in pages(image_ids, _PAGE):
            marks = ", ".join("?" * len(page))
            some = self._all(Image, f"images WHERE id IN ({marks})", *page)
            by_id = {image.id: image for image in some}
            found += [by_id[image_id] for image_id in page if image_id in by_id]
        return found

    def images(self) -> Iterator[Image]:
        # Pages instead of one long cursor: an open cursor would keep the log from
        # being folded in, and would be tied to other threads' statements.
        return self._walk(Image, "images", "id", _PAGE, "1")

    # -- records

    def put_records(self, records: Sequence[Record]) -> None:
        self._put("records", "release_id, sample_id", records)

    def record(self, record_id: str) -> Record | None:
        return self._one(Record, "records WHERE id = ?", record_id)

    def records(
        self, release_id: str, sample_ids: Iterable[str] | None = None
    ) -> Iterator[Record]:
        # One row at a time, since a blob may be as large as an image.
        if sample_ids is None:
            where = "release_id = ?"
            yield from self._walk(Record, "records", "sample_id", 1, where, release_id)
            return
        query = "records WHERE release_id = ? AND sample_id = ?"
        for sample_id in sorted(set(sample_ids)):
            record = self._one(Record, query, release_id, sample_id)
            if record is not None:
                yield record

    def record_sample_ids(self, release_id: str) -> set[str]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT sample_id FROM records WHERE release_id = ?", [release_id]
            ).fetchall()
        return {row[0] for row in rows if isinstance(row[0], str)}

    def records_by_digest(
        self, digest: bytes, each: Each[Record] = as_read
    ) -> list[Record]:
        query = "WHERE digest_p = ? OR digest_w = ? ORDER BY created, id"
        return self._of_both(each, query, digest, digest)

    def records_by_image(
        self, image_id: str, each: Each[Record] = as_read
    ) -> list[Record]:
        query = "WHERE image_id = ? ORDER BY created, id"
        return self._of_both(each, query, image_id)

    def _of_both(
        self, each: Each[Record], query: str, *values: str | bytes
    ) -> list[Record]:
        return [
            record
            for table in ("records", "withdrawn")
            for record in self._all(Record, f"{table} {query}", *values, each=each)
        ]

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
        where = "release_id = ?"
        return self._walk(Record, "withdrawn", "id", 1, where, release_id)

    # -- authentication

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        with self._writing():
            yield True

    def get_inventory(self) -> bytes | None:
        with self._reading() as connection:
            # What is longer was written by somebody else, and isn't even read.
            row = connection.execute(
                "SELECT CASE WHEN typeof(sealed) = 'blob' AND length(sealed) <= "
                f"{_LARGEST_LIST} THEN sealed END AS sealed FROM inventory"
            ).fetchone()
        return None if row is None else as_bytes(row["sealed"])

    def put_inventory(self, sealed: bytes) -> None:
        if len(sealed) > _LARGEST_LIST:
            raise VaultError(
                f"The ledger {self._path} can't list so many recipients and releases; "
                "begin another vault"
            )
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
                f"SELECT {name} AS one, mac FROM {table} "
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
        with self._reading() as connection:
            rows = connection.execute("PRAGMA integrity_check").fetchall()
            found = differences(connection, SCHEMA_VERSION)
        return found + [str(row[0]) for row in rows if row[0] != "ok"]

    def strays(self, table: Table, release_ids: set[str]) -> Iterator[Record]:
        with self._reading() as connection:
            query = f"SELECT rowid, release_id FROM {table}"
            rows = [
                row[0] for row in connection.execute(query) if row[1] not in release_ids
            ]
        yield from self._at(Record, table, rows)

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

    def _one(self, kind: type[E], query: str, *values: Value) -> E | None:
        with self._reading() as connection:
            statement = f"SELECT {_columns(kind)} FROM {query}"
            row = connection.execute(statement, values).fetchone()
        return None if row is None else _entity(kind, row)

    def _all(
        self, kind: type[E], query: str, *values: Value, each: Each[E] = as_read
    ) -> list[E]:
        # One after the other: sorted together with what is in them, all are in memory.
        with self._reading() as connection:
            rows = connection.execute(f"SELECT rowid FROM {query}", values).fetchall()
        table = query.partition(" ")[0]
        return [each(one) for one in self._at(kind, table, [row[0] for row in rows])]

    def _walk(
        self, kind: type[E], table: str, key: str, size: int, where: str, *values: Value
    ) -> Iterator[E]:
        """A table by a text column, so many rows at a time, and then rows without.

        The last key is bound as bytes, since it may be no valid text.
        """
        wanted = f"{where} AND typeof({key}) = 'text' AND {key}"
        last, above = b"", ">="
        while True:
            with self._reading() as connection:
                rows = connection.execute(
                    f"SELECT CAST({key} AS BLOB), {_columns(kind)} FROM {table} WHERE "
                    f"{wanted} {above} CAST(? AS TEXT) ORDER BY {key} LIMIT {size}",
                    [*values, last],
                ).fetchall()
            if not rows:
                break
            for row in rows:
                yield _entity(kind, row[1:])
            last, above = rows[-1][0], ">"
        with self._reading() as connection:
            others = connection.execute(
                f"SELECT rowid FROM {table} WHERE {where} AND typeof({key}) <> 'text'",
                values,
            ).fetchall()
        yield from self._at(kind, table, [row[0] for row in others])

    def _at(self, kind: type[E], table: str, rows: Iterable[int]) -> Iterator[E]:
        for row in rows:
            found = self._one(kind, f"{table} WHERE rowid = ?", row)
            if found is not None:
                yield found


def _columns(kind: type[Entity]) -> str:
    """What to select: a value that is longer than we write isn't read at all.

    Without names, which an ``ORDER BY`` would refer to.
    """
    return ", ".join(
        f'"{name}"'
        if name in _LARGE
        else f'CASE WHEN length(CAST("{name}" AS BLOB)) <= {LONGEST_TEXT} '
        f'THEN "{name}" END'
        for name in columns(kind)
    )


def _entity(kind: type[E], row: Sequence[Any]) -> E:
    return from_row(kind, dict(zip(columns(kind), row, strict=True)))


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
