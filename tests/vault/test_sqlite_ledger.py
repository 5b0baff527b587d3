"""What only a file can suffer."""

import multiprocessing
import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    TamperedLedgerError,
    VaultError,
)
from fiftyone_reue.vault.entities import Fit, Image, Recipient, Record, Release
from fiftyone_reue.vault.ledger import SqliteLedger
from fiftyone_reue.vault.ledger.sqlite_schema import SCHEMA, SCHEMA_VERSION

pytestmark = pytest.mark.unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def test_the_file_is_private(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.put_meta({})
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


def test_what_was_put_is_there_after_closing(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.put_meta({"a": 1})
    with SqliteLedger(path) as ledger:
        assert ledger.get_meta() == {"a": 1}


def test_replaced_meta_leaves_no_trace_in_the_files(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.create_meta({"wrap": "deadbeef" * 2000})
        ledger.put_meta({"wrap": "short"})
        files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"deadbeef" not in files
    assert b"short" in files


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_text("just a text, long enough to look like something" * 100)
    with pytest.raises(LedgerUnavailableError, match=r"ledger\.sqlite is damaged"):
        SqliteLedger(path)


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE cookies (a)")
    with pytest.raises(LedgerUnavailableError, match="another program's"):
        SqliteLedger(path)
    with sqlite3.connect(path) as other:
        tables = other.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("cookies",)]


def test_an_old_ledger_is_brought_up_to_date_without_loss(path: Path) -> None:
    with sqlite3.connect(path) as old:
        old.executescript(SCHEMA)
        old.executescript(
            """
            INSERT INTO recipients VALUES ('r', 'ann', 'k', x'00', x'01', 1.0, NULL);
            INSERT INTO releases VALUES ('p', 'n', 'r', 'rue', 's', 'o', '{}', 'done',
                NULL, '00', 1.0, 1.0, 2.0, '{}', '{}', x'02');
            INSERT INTO images VALUES ('i', x'03', 'a.png', 'cat', 8, 9, x'04');
            INSERT INTO records VALUES ('x', 'p', 'a.png', 'i', 'cat', 'a.png',
                'cat/a.png', x'05', x'06', x'07', 30.5, 3.0);
            PRAGMA user_version = 1;
            """
        )
    kept = Record(
        "x",
        "p",
        "a.png",
        "i",
        "cat",
        "a.png",
        "cat/a.png",
        b"\5",
        b"\6",
        b"\7",
        30.5,
        3.0,
    )
    known = replace(kept, file_digest=b"f", copy_digest=b"c")
    for _ in range(2):
        with SqliteLedger(path) as ledger:
            assert list(ledger.records("p")) == [kept]
            assert list(ledger.withdrawn("p")) == []
    with SqliteLedger(path) as ledger:
        ledger.put_records([known])
        ledger.put_withdrawn([replace(kept, id="w")])
    with SqliteLedger(path) as ledger:
        assert list(ledger.records_by_digest(b"\5")) == [known, replace(kept, id="w")]


def test_a_newer_ledger_asks_for_an_update(path: Path) -> None:
    SqliteLedger(path).close()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE newest (a)")
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(VaultError, match=r"newer version: update .*pip install"):
        SqliteLedger(path)


@pytest.mark.parametrize("version", [0, 99, -1])
def test_a_ledger_of_ours_that_says_another_version_is_named(
    path: Path, version: int
) -> None:
    """It was another program's database, or one of a newer version."""
    SqliteLedger(path).close()
    with sqlite3.connect(path) as attacker:
        attacker.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(TamperedLedgerError, match=f"it is of version {version};.*back"):
        SqliteLedger(path)


def test_a_damaged_ledger_says_so(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.put_images(
            [
                Image(f"i{n}", b"%d" % n, "s", None, 1, 1, os.urandom(2000))
                for n in range(50)
            ]
        )
    data = bytearray(path.read_bytes())
    data[4096 * 3 :] = b"\xaa" * len(data[4096 * 3 :])
    path.write_bytes(data)
    with (
        pytest.raises(LedgerUnavailableError, match="damaged"),
        SqliteLedger(path) as ledger,
    ):
        list(ledger.images())


def test_a_locked_ledger_says_so(path: Path) -> None:
    with SqliteLedger(path, busy_seconds=0.05) as ledger:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="locked by another process"):
            ledger.create_meta({})
        other.execute("ROLLBACK")
        other.close()
        ledger.create_meta({"a": 1})
        assert ledger.get_meta() == {"a": 1}


def test_a_full_disk_says_so_and_keeps_what_was_there(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.put_meta({"a": 1})
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerUnavailableError, match="disk is full"):
            ledger.put_fit(Fit("f", bytes(100_000), "rue", {}, 1.0))
        assert ledger.fits() == []
        assert ledger.get_meta() == {"a": 1}


def test_a_read_only_ledger_says_so(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(LedgerUnavailableError, match="permissions"):
            ledger.put_meta({})


def test_a_folder_without_permission(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the system's refusal is played.
    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LedgerUnavailableError, match="Permission denied; check"):
        SqliteLedger(path)


def test_a_folder_that_is_not_there(path: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match="folder exists"):
        SqliteLedger(path.parent / "none" / "ledger.sqlite")


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerUnavailableError, match="closed"):
        ledger.get_meta()


def _add_recipients(path: Path, prefix: str, count: int) -> None:
    with SqliteLedger(path) as ledger:
        for number in range(count):
            name = f"{prefix}{number}"
            ledger.put_recipient(Recipient(name, name, "k", b"", b"", 1.0, None))


@pytest.mark.integration
def test_two_processes_may_start_and_write_at_once(path: Path) -> None:
    start = multiprocessing.get_context("spawn").Process
    running = [start(target=_add_recipients, args=(path, p, 25)) for p in "ab"]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0, 0]
    with SqliteLedger(path) as ledger:
        assert len(ledger.recipients()) == 50


SCHEMAS = {
    "collation": "UPDATE sqlite_master SET sql = replace(sql, 'name TEXT NOT NULL', "
    "'name TEXT NOT NULL COLLATE NOCASE') WHERE name = 'recipients'",
    "virtual column": "ALTER TABLE recipients ADD COLUMN big BLOB AS (zeroblob(9))",
    "missing column": "ALTER TABLE recipients DROP COLUMN revoked_at",
    "table": "CREATE TABLE other (a)",
    "index": "CREATE INDEX other ON recipients(created)",
    "missing index": "DROP INDEX records_by_digest_p",
    "trigger": "CREATE TRIGGER other AFTER INSERT ON fits BEGIN DELETE FROM fits; END",
    "missing table": "DROP TABLE inventory",
    "view": "CREATE VIEW other AS SELECT * FROM recipients",
    "older": "PRAGMA user_version = 2",
    "negative": "PRAGMA user_version = -1",
}


@pytest.mark.parametrize("statement", SCHEMAS.values(), ids=SCHEMAS)
def test_another_schema_is_refused(path: Path, statement: str) -> None:
    """Whoever writes the file would decide what a query gives."""
    SqliteLedger(path).close()
    with sqlite3.connect(path, isolation_level=None) as attacker:
        attacker.execute("PRAGMA writable_schema = ON")
        attacker.execute(statement)
    before = path.read_bytes()
    with pytest.raises(TamperedLedgerError, match="put it back from a backup"):
        SqliteLedger(path)
    assert path.read_bytes() == before


def test_a_table_that_became_a_view_is_named(path: Path) -> None:
    SqliteLedger(path).close()
    with sqlite3.connect(path, isolation_level=None) as attacker:
        attacker.execute("PRAGMA legacy_alter_table = ON")
        attacker.execute("ALTER TABLE recipients RENAME TO r")
        attacker.execute("CREATE VIEW recipients AS SELECT * FROM r")
    with pytest.raises(TamperedLedgerError, match=r"the table '\w+' .*, and \d more"):
        SqliteLedger(path)


SWAPS = {
    "dropped": ["DROP TABLE recipients"],
    "renamed": ["ALTER TABLE recipients RENAME TO others"],
    "view": [
        "ALTER TABLE recipients RENAME TO others",
        "CREATE VIEW recipients AS SELECT * FROM others",
    ],
    "column": ["ALTER TABLE recipients DROP COLUMN revoked_at"],
    "trigger": [
        "CREATE TRIGGER recipients AFTER INSERT ON recipients "
        "BEGIN DELETE FROM recipients; END"
    ],
}
ACTIONS: dict[str, Callable[[SqliteLedger], object]] = {
    "read": lambda ledger: ledger.recipients(),
    "walk": lambda ledger: list(ledger.images()),
    "write": lambda ledger: ledger.put_recipient(
        Recipient("b", "b", "k", b"1", b"2", 1.0, None)
    ),
    "description": lambda ledger: ledger.get_meta(),
    "check": lambda ledger: ledger.damage(),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("statements", SWAPS.values(), ids=SWAPS)
def test_a_schema_that_is_swapped_while_the_ledger_is_open_is_named(
    path: Path, statements: list[str], action: Callable[[SqliteLedger], object]
) -> None:
    """A view or a trigger was obeyed, and a dropped table an unknown SQL error."""
    with SqliteLedger(path) as ledger:
        ledger.put_recipient(Recipient("a", "a", "k", b"1", b"2", 1.0, None))
        attacker = sqlite3.connect(path, isolation_level=None)
        attacker.execute("PRAGMA legacy_alter_table = ON")
        for statement in statements:
            attacker.execute(statement)
        left = attacker.execute("SELECT count(*) FROM sqlite_master").fetchall()
        attacker.close()
        message = r"the (table|trigger) 'recipients' .*put it back from a backup"
        for _ in range(2):
            with pytest.raises(TamperedLedgerError, match=message):
                action(ledger)
        again = sqlite3.connect(path)
        assert again.execute("SELECT count(*) FROM sqlite_master").fetchall() == left
        again.close()


def test_a_table_that_goes_between_check_and_use_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteLedger(path) as ledger:
        with sqlite3.connect(path, isolation_level=None) as attacker:
            attacker.execute("DROP TABLE fits")
        look = ledger._require_same_schema
        once = iter([lambda **_: None])
        monkeypatch.setattr(
            ledger, "_require_same_schema", lambda **v: next(once, look)(**v)
        )
        with pytest.raises(TamperedLedgerError, match="the table 'fits' is missing"):
            ledger.fits()


def test_rows_beside_the_description_and_the_list_are_not_taken_for_them(
    path: Path,
) -> None:
    """The first row there was taken, whatever its number."""
    with SqliteLedger(path) as ledger:
        ledger.put_meta({"a": 1})
        ledger.put_inventory(b"list")
    with sqlite3.connect(path) as attacker:
        attacker.execute("PRAGMA ignore_check_constraints = ON")
        attacker.execute("INSERT INTO meta VALUES (0, '{}')")
        attacker.execute("INSERT INTO inventory VALUES (-5, 'x')")
    with SqliteLedger(path) as ledger:
        assert ledger.get_meta() == {"a": 1}
        assert ledger.get_inventory() == b"list"
        found = ledger.damage()
        for table in ("meta", "inventory"):
            assert f"the table '{table}' has rows that aren't ours" in found


def test_doubled_rows_are_found(path: Path) -> None:
    """A file can hold what a unique index would refuse."""
    with SqliteLedger(path) as ledger:
        ledger.put_recipient(Recipient("a", "a", "k", b"1", b"2", 1.0, None))
    sql = "UPDATE sqlite_master SET sql = {} WHERE name = 'recipients'"
    with sqlite3.connect(path, isolation_level=None) as attacker:
        attacker.execute("PRAGMA writable_schema = ON")
        (kept,) = attacker.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'recipients'"
        ).fetchone()
        indexes = attacker.execute(
            "SELECT * FROM sqlite_master WHERE type = 'index' "
            "AND tbl_name = 'recipients'"
        ).fetchall()
        plain = kept.replace("PRIMARY KEY", "").replace("UNIQUE", "")
        attacker.execute(sql.format("?"), [plain])
        attacker.execute(
            "DELETE FROM sqlite_master WHERE type = 'index' AND tbl_name = 'recipients'"
        )
    with sqlite3.connect(path, isolation_level=None) as attacker:
        attacker.execute("INSERT INTO recipients SELECT * FROM recipients")
        attacker.execute("PRAGMA writable_schema = ON")
        attacker.execute(sql.format("?"), [kept])
        attacker.executemany(
            "INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", indexes
        )
    with SqliteLedger(path) as ledger:
        assert any("index" in line for line in ledger.damage())


def test_damage_that_ends_the_databases_own_check_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteLedger(path) as ledger:

        class Torn:
            def execute(self, statement: str) -> object:
                if "integrity" in statement:
                    error = sqlite3.DatabaseError("malformed")
                    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                    raise error
                return connection.execute(statement)

        connection = ledger._connection
        monkeypatch.setattr(ledger, "_connection", Torn())
        assert ledger.damage() == ["malformed"]
        monkeypatch.setattr(ledger, "_connection", connection)


def test_an_index_that_tells_something_else_is_found(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        for one in ("alice", "bob"):
            ledger.put_recipient(Recipient(one, one, "k", b"1", b"2", 1.0, None))
        assert ledger.damage() == []
    index = "type = 'index' AND name = 'sqlite_autoindex_recipients_2'"
    with sqlite3.connect(path, isolation_level=None) as attacker:
        attacker.execute("CREATE TABLE h (name TEXT NOT NULL UNIQUE)")
        attacker.execute("INSERT INTO h (rowid, name) VALUES (2, 'alice'), (1, 'bob')")
        attacker.execute("PRAGMA writable_schema = ON")
        attacker.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master "
            f"WHERE name = 'sqlite_autoindex_h_1') WHERE {index}"
        )
        attacker.execute("DELETE FROM sqlite_master WHERE tbl_name = 'h'")
    with SqliteLedger(path) as ledger:
        found = ledger.recipient_by_name("alice")
        assert found is not None
        assert found.id == "bob"
        assert any("index" in line for line in ledger.damage())


def test_text_in_another_encoding_is_refused(path: Path) -> None:
    """Ids don't compare as they are read by then, so that pages never ended."""
    SqliteLedger(path).close()
    with sqlite3.connect(path) as attacker:
        dump = "\n".join(attacker.iterdump())
    attacker.close()
    path.unlink()
    with sqlite3.connect(path) as attacker:
        attacker.execute("PRAGMA encoding = 'UTF-16'")
        attacker.executescript(dump)
        attacker.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    attacker.close()
    with pytest.raises(TamperedLedgerError, match="its text is in 'UTF-16"):
        SqliteLedger(path)


INVALID = "CAST(x'30ff' AS TEXT)"


@pytest.mark.parametrize("key", [INVALID, "x'00'", "NULL", "''", "CAST(x'80' AS TEXT)"])
def test_all_rows_are_read_whatever_a_key_is(path: Path, key: str) -> None:
    """Such a row ended the reading of all others with an error, or before its end."""
    with SqliteLedger(path) as ledger:
        ledger.put_recipient(Recipient("r", "r", "k", b"1", b"2", 1.0, None))
        ledger.put_fit(Fit("f", b"", "lsp", {}, 1.0))
        ledger.put_release(a_release())
        images = [Image(f"{n:04}", b"%d" % n, "s", None, 1, 1, b"") for n in range(300)]
        ledger.put_images(images)
        records = [a_record(f"{n:04}") for n in range(3)]
        ledger.put_records(records)
        ledger.put_withdrawn(records)
    with sqlite3.connect(path) as attacker:
        for table, column, new in (
            ("images", "id", {"digest": "x'99'"}),
            ("records", "sample_id", {"id": "'x'"}),
            ("withdrawn", "id", {}),
        ):
            if column == "sample_id" and key == "NULL":
                continue
            names = [row[1] for row in attacker.execute(f"PRAGMA table_info({table})")]
            values = {column: key, **new}
            some = ", ".join(values.get(name, f'"{name}"') for name in names)
            attacker.execute(f"INSERT INTO {table} SELECT {some} FROM {table} LIMIT 1")
    with SqliteLedger(path) as ledger:
        found = list(ledger.images())
        assert len(found) == 301
        assert [one for one in found if one in images] == images
        assert len(list(ledger.records("l"))) == 4 - (key == "NULL")
        assert len(list(ledger.withdrawn("l"))) == 4
        assert ledger.record_sample_ids("l") >= {"0000", "0001", "0002"}
        assert len(list(ledger.images_of_only("l"))) >= 1


def a_release() -> Release:
    dictionaries: dict[str, Any] = {"parameters": {}, "counts": {}, "scores": {}}
    return Release(
        id="l",
        name="l",
        recipient_id="r",
        method="lsp",
        source="s",
        output="o",
        state="done",
        fit_id=None,
        commitment="",
        created=1.0,
        updated=1.0,
        finished=None,
        sealed_seed=b"",
        **dictionaries,
    )


def a_record(one: str) -> Record:
    return Record(one, "l", one, "0000", None, "s", "o", b"p", b"w", b"b", 1.0, 1.0)


def test_a_text_that_is_too_long_is_not_stored(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        with pytest.raises(InputError, match="would have more than"):
            ledger.put_fit(Fit("f", b"", "lsp", {"a": "x" * (5 << 20)}, 1.0))
        assert ledger.fits() == []
