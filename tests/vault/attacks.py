"""Somebody who writes a database without the owner key, and a vault to try."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiftyone_reue.progress import finish
from fiftyone_reue.vault import MongoLedger, SqliteLedger, Vault
from fiftyone_reue.vault.check import check
from fiftyone_reue.vault.entities import PAPER_KINDS, Paper
from fiftyone_reue.vault.ledger import Ledger, mongo
from fiftyone_reue.vault.owner_keys import EnvironmentKey

DATA = Path(__file__).parent / "data" / "unauthenticated"
SECRETS = {"REUE_OWNER_KEY": "ab" * 32}
COLLECTIONS = {
    "recipients": mongo.RECIPIENTS,
    "fits": mongo.FITS,
    "papers": mongo.PAPERS,
    "releases": mongo.RELEASES,
    "images": mongo.IMAGES,
    "records": mongo.RECORDS,
    "withdrawn": mongo.WITHDRAWN,
}


class Attacker:
    """Somebody who writes the database, and has no key. Rows are plain values."""

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        """A table's rows by id."""
        raise NotImplementedError

    def put(self, table: str, rows: dict[str, dict[str, Any]]) -> None:
        """Replace a whole table, whatever that breaks."""
        raise NotImplementedError

    def edit(self, table: str, row: str, **values: Any) -> None:
        """Change a row."""
        rows = self.rows(table)
        rows[row].update(values)
        self.put(table, rows)

    def remove(self, table: str, row: str) -> None:
        """Remove a row."""
        rows = self.rows(table)
        del rows[row]
        self.put(table, rows)

    def get_inventory(self) -> bytes | None:
        raise NotImplementedError

    def put_inventory(self, sealed: Any) -> None:
        """Replace the ledger's list; None removes it."""
        raise NotImplementedError

    def everything(self) -> dict[str, Any]:
        """What a backup holds."""
        tables = {table: self.rows(table) for table in [*COLLECTIONS, "meta"]}
        return {"tables": tables, "inventory": self.get_inventory()}

    def put_back(self, backup: dict[str, Any]) -> None:
        """Put everything back from a backup."""
        for table, rows in backup["tables"].items():
            self.put(table, rows)
        self.put_inventory(backup["inventory"])


def by_name(attacker: Attacker, table: str, name: str) -> str:
    """The id of a table's only row of this name."""
    (found,) = [i for i, row in attacker.rows(table).items() if row["name"] == name]
    return found


class SqliteAttacker(Attacker):
    def __init__(self, path: Path) -> None:
        self._path = path

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        return connection

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        with contextlib.closing(self._connect()) as connection:
            found = connection.execute(f"SELECT * FROM {table}").fetchall()
        return {str(row["id"]): dict(row) for row in found}

    def put(self, table: str, rows: dict[str, dict[str, Any]]) -> None:
        with contextlib.closing(self._connect()) as connection:
            connection.execute("BEGIN")
            connection.execute(f"DELETE FROM {table}")
            for row in rows.values():
                names = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {table} ({names}) VALUES ({marks})",
                    list(row.values()),
                )
            connection.execute("COMMIT")

    def get_inventory(self) -> bytes | None:
        rows = self.rows("inventory")
        return rows["1"]["sealed"] if rows else None

    def put_inventory(self, sealed: Any) -> None:
        rows = {} if sealed is None else {"1": {"id": 1, "sealed": sealed}}
        self.put("inventory", rows)


class MongoAttacker(Attacker):
    def __init__(self, database: Any) -> None:
        self._database = database

    def _wanted(self, table: str) -> tuple[Any, dict[str, Any]]:
        if table == "meta":
            return self._database[mongo.META], {"_id": "vault"}
        return self._database[COLLECTIONS[table]], {}

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        collection, wanted = self._wanted(table)
        key = "id" if table == "records" else "_id"
        return {
            str(row[key]): {"id": row[key], **row} for row in collection.find(wanted)
        }

    def put(self, table: str, rows: dict[str, dict[str, Any]]) -> None:
        collection, wanted = self._wanted(table)
        collection.delete_many(wanted)
        for row in rows.values():
            plain = {name: value for name, value in row.items() if name != "id"}
            both = {"id": row["id"]} if table == "records" else {"_id": row["id"]}
            collection.insert_one({**plain, **both})

    def get_inventory(self) -> bytes | None:
        found = self._database[mongo.META].find_one({"_id": "inventory"})
        return None if found is None else found["sealed"]

    def put_inventory(self, sealed: Any) -> None:
        meta = self._database[mongo.META]
        meta.delete_many({"_id": "inventory"})
        if sealed is not None:
            meta.insert_one({"_id": "inventory", "sealed": sealed})


@dataclass
class Held:
    """A vault with two releases, its database, and somebody else who writes it.

    Alice and bob have a release each, of which one copy is withdrawn; bob is revoked.
    """

    folder: Path
    connect: Callable[[], Ledger]
    attacker: Attacker

    def open(self, secrets: dict[str, str] = SECRETS) -> Vault:
        """The owner opens it, in what could be a new process."""
        return Vault.open(
            self.connect(), EnvironmentKey(secrets), folder=self.folder / "memo"
        )

    @contextlib.contextmanager
    def opened(self, secrets: dict[str, str] = SECRETS) -> Iterator[Vault]:
        """The same, and closed at the end."""
        vault = self.open(secrets)
        with vault.ledger:
            yield vault

    def problems(self, secrets: dict[str, str] = SECRETS) -> list[str]:
        """What `reue vault check` finds."""
        with self.opened(secrets) as vault:
            return [str(problem) for problem in finish(check(vault)).problems]

    def memo(self) -> Path:
        """What is kept beside the owner key."""
        (path,) = (self.folder / "memo").glob("*.counter")
        return path


def put_papers(vault: Vault) -> None:
    """A paper of each kind, as the owner writes them."""
    for kind in PAPER_KINDS:
        sealed = vault.seal(kind, f"{kind}-1", b"{}")
        vault.ledger.put_paper(Paper(f"{kind}-1", kind, "", sealed, 1.0))


def held_in_mongo(database: Any, old: Path, scratch: Path) -> Held:
    """The vault in a database, as an old version would have left it."""
    (scratch / "memo").mkdir(exist_ok=True)
    copy = scratch / "copy.sqlite"
    shutil.copy(old, copy)
    ledger = MongoLedger(database)
    with SqliteLedger(copy) as source:
        meta = source.get_meta()
        assert meta is not None
        ledger.create_meta(meta)
        for recipient in source.recipients():
            ledger.put_recipient(recipient)
        for fit in source.fits():
            ledger.put_fit(fit)
        ledger.put_images(list(source.images()))
        for release in source.releases():
            ledger.put_release(release)
            ledger.put_records(list(source.records(release.id)))
            ledger.put_withdrawn(list(source.withdrawn(release.id)))
    for name in COLLECTIONS.values():
        database[name].update_many({}, {"$unset": {"mac": ""}})
    return Held(scratch, lambda: MongoLedger(database), MongoAttacker(database))
