"""Whoever writes the database without the owner key is noticed, whatever is written.

None of this was noticed before rows had MACs.
"""

import base64
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import TamperedLedgerError, VaultError
from fiftyone_reue.vault import Vault
from fiftyone_reue.vault.entities import Image, Record, Release
from fiftyone_reue.vault.ledger import Ledger
from fiftyone_reue.vault.ledger.rows import TABLES, columns, parsed
from fiftyone_reue.vault.owner_keys import EnvironmentKey
from fiftyone_reue.vault.vault import repair_ledger
from tests.vault.attacks import SECRETS, Attacker, Held, held_in_mongo

TABLE_NAMES = list(TABLES)


def other_value(value: Any) -> Any:
    match value:
        case None:
            return 1.0
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:] if value else b"x"
        case int() | float():
            return value + 1
        case str() if value.startswith("{"):
            return json.dumps({**json.loads(value), "x": 1})
        case _:
            return f"{value}x"


def by_name(attacker: Attacker, table: str, name: str) -> str:
    (found,) = [i for i, row in attacker.rows(table).items() if row["name"] == name]
    return found


def test_an_untouched_ledger_is_as_it_was_left(held: Held) -> None:
    assert held.problems() == []
    with held.open().ledger as ledger:
        assert [len(ledger.recipients()), len(ledger.releases())] == [2, 2]
        assert len(list(ledger.images())) == 4
        assert len(ledger.fits()) == 1
        counts = [
            (len(list(ledger.records(r.id))), len(list(ledger.withdrawn(r.id))))
            for r in ledger.releases()
        ]
        assert counts == [(3, 1), (4, 0)]
        assert ledger.problems == []


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_every_field_of_a_row_counts(held: Held, table: str) -> None:
    attacker = held.attacker
    before = attacker.rows(table)
    row = sorted(before)[0]
    for name in columns(TABLES[table]):  # type: ignore[index]
        attacker.edit(table, row, **{name: other_value(before[row][name])})
        found = held.problems()
        assert any(line.startswith(f"{table}, ") for line in found), (name, found)
        attacker.put(table, before)
    assert held.problems() == []


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_a_removed_row_is_missed(held: Held, table: str) -> None:
    attacker = held.attacker
    before = attacker.rows(table)
    for row in before:
        attacker.remove(table, row)
        assert any("missing" in line for line in held.problems()), row
        attacker.put(table, before)
    assert held.problems() == []


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_an_emptied_table_is_missed(held: Held, table: str) -> None:
    held.attacker.put(table, {})
    assert held.problems() != []


def changed(vault: Vault, table: str) -> None:
    """Change a row of a table as the owner does."""
    ledger = vault.ledger
    release = ledger.releases()[0]
    match table:
        case "recipients":
            vault.revoke("alice")
        case "fits":
            ledger.put_fit(replace(ledger.fits()[0], summary={"new": 1}))
        case "releases":
            ledger.put_release(replace(release, state="failed"))
        case "images":
            ledger.put_images([replace(next(iter(ledger.images())), source="new")])
        case "records":
            ledger.put_records(
                [replace(next(iter(ledger.records(release.id))), psnr=1)]
            )
        case "withdrawn":
            (one,) = ledger.withdrawn(release.id)
            ledger.put_withdrawn([replace(one, psnr=1)])


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_a_row_from_a_backup_is_noticed(held: Held, table: str) -> None:
    backup = held.attacker.rows(table)
    with held.opened() as vault:
        changed(vault, table)
    assert held.problems() == []
    held.attacker.put(table, backup)
    assert any("earlier state" in line for line in held.problems())


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_a_whole_ledger_from_a_backup_is_noticed_and_can_be_accepted(
    held: Held, table: str
) -> None:
    backup = held.attacker.everything()
    with held.opened() as vault:
        changed(vault, table)
        vault.add_recipient("carol")
    held.attacker.put_back(backup)
    assert any("older than what the owner wrote last" in p for p in held.problems())
    with held.opened() as vault:
        with pytest.raises(TamperedLedgerError, match="put back from a backup"):
            vault.add_recipient("dave")
        with pytest.raises(TamperedLedgerError, match="put back from a backup"):
            vault.require_active(vault.recipient("alice"))
        vault.ledger.accept()
        vault.require_active(vault.recipient("alice"))
    assert held.problems() == []


def test_a_removed_row_that_is_put_back_is_no_longer_the_ledgers(held: Held) -> None:
    with held.opened() as vault:
        release = vault.ledger.releases()[0]
        sample = sorted(vault.ledger.record_sample_ids(release.id))[0]
        backup = held.attacker.rows("records")
        vault.ledger.delete_records(release.id, [sample])
    assert held.problems() == []
    held.attacker.put("records", backup)
    assert any("were removed before" in line for line in held.problems())


def test_a_deleted_release_that_is_put_back_is_noticed(held: Held) -> None:
    backup = held.attacker.everything()["tables"]
    with held.opened() as vault:
        gone = vault.ledger.releases()[0]
        vault.ledger.delete_release(gone.id)
    assert held.problems() == []
    held.attacker.put("releases", backup["releases"])
    found = held.problems()
    assert any("was removed before and is there again" in line for line in found)
    with held.opened() as vault:
        assert gone.id not in {one.id for one in vault.ledger.releases()}
        with pytest.raises(TamperedLedgerError, match="is there again"):
            vault.ledger.release(gone.id)


def test_swapped_names_name_nobody(held: Held) -> None:
    attacker = held.attacker
    rows = attacker.rows("recipients")
    alice, bob = (by_name(attacker, "recipients", who) for who in ("alice", "bob"))
    rows[alice]["name"], rows[bob]["name"] = "bob", "alice"
    attacker.put("recipients", rows)
    with held.opened() as vault:
        for who in ("alice", "bob", alice, bob):
            with pytest.raises(TamperedLedgerError, match="changed without the owner"):
                vault.recipient(who)
        assert vault.recipients() == []
        assert vault.known_recipients() == []
        assert len(vault.ledger.problems) == 2


def test_swapped_rows_name_nobody(held: Held) -> None:
    attacker = held.attacker
    rows = attacker.rows("recipients")
    (one, other) = rows
    rows[one]["id"], rows[other]["id"] = other, one
    attacker.put("recipients", rows)
    with held.opened() as vault:
        assert vault.recipients() == []


def test_a_revocation_can_not_be_undone(held: Held) -> None:
    bob = by_name(held.attacker, "recipients", "bob")
    held.attacker.edit("recipients", bob, revoked_at=None)
    with held.opened() as vault, pytest.raises(TamperedLedgerError, match="'bob'"):
        vault.require_active(replace(vault.recipients()[0], id=bob))
    with held.opened() as vault:
        before = held.attacker.rows("recipients")
        vault.revoke("alice")
        held.attacker.put("recipients", before)
        alice = by_name(held.attacker, "recipients", "alice")
        with pytest.raises(TamperedLedgerError, match="earlier state"):
            vault.recipient(alice)


def test_a_missing_recipient_is_named_and_the_other_is_there(held: Held) -> None:
    bob = by_name(held.attacker, "recipients", "bob")
    held.attacker.remove("recipients", bob)
    with held.opened() as vault:
        assert [one.name for one in vault.recipients()] == ["alice"]
        (problem,) = vault.ledger.problems
        assert problem.table == "recipients"
        assert bob in problem.row
        assert "'bob'" in problem.row
        assert "reue vault check" in problem.what
        with pytest.raises(TamperedLedgerError, match=r"'bob' \(.*is missing"):
            vault.recipient("bob")


def test_a_forged_recipient_is_left_out(held: Held) -> None:
    rows = held.attacker.rows("recipients")
    forged = {**next(iter(rows.values())), "id": "f" * 16, "name": "mallory"}
    held.attacker.put("recipients", {**rows, "f": forged})
    with held.opened() as vault:
        assert "mallory" not in {one.name for one in vault.recipients()}
        with pytest.raises(TamperedLedgerError, match="'mallory'"):
            vault.recipient("mallory")


@pytest.mark.parametrize("sealed", [None, b"", b"x" * 100, "text"])
def test_without_its_list_nothing_is_written(held: Held, sealed: Any) -> None:
    held.attacker.put_inventory(sealed)
    with held.opened() as vault:
        assert len(vault.recipients()) == 2
        assert any(problem.table == "ledger" for problem in vault.ledger.problems)
        with pytest.raises(TamperedLedgerError, match="list of its rows"):
            vault.add_recipient("carol")
        with pytest.raises(TamperedLedgerError, match="list of its rows"):
            vault.require_active(vault.recipient("alice"))
    assert held.problems() != []


@pytest.mark.parametrize("sealed", [None, b"x" * 100])
def test_without_its_list_nothing_that_was_removed_is_believed(
    held: Held, sealed: bytes | None
) -> None:
    """With the list, whoever has a backup removes what tells that it was removed."""
    before = held.attacker.everything()["tables"]
    with held.opened() as vault:
        gone = next(r for r in vault.ledger.releases() if r.name == "bob")
        kept = next(r for r in vault.ledger.releases() if r.name == "alice")
        row = next(vault.ledger.records(gone.id))
        vault.ledger.delete_release(gone.id)
    whole = held.attacker.get_inventory()
    for table in ("releases", "images", "records", "withdrawn"):
        held.attacker.put(table, before[table])
    held.attacker.put_inventory(sealed)
    with held.opened() as vault:
        ledger = vault.ledger
        assert ledger.records_by_digest(row.digest_p) == []
        assert ledger.records_by_image(row.image_id) == []
        look_ups: list[Callable[[], Any]] = [
            ledger.releases,
            lambda: ledger.release(gone.id),
            lambda: ledger.record(row.id),
            lambda: list(ledger.records(gone.id)),
            lambda: list(ledger.records(gone.id, [row.sample_id])),
            lambda: list(ledger.withdrawn(gone.id)),
            lambda: ledger.count_records(gone.id),
            lambda: ledger.record_sample_ids(gone.id),
            lambda: list(ledger.records(kept.id)),
        ]
        for look_up in look_ups:
            with pytest.raises(TamperedLedgerError, match=r"list .*reue vault repair"):
                look_up()
        assert [one.name for one in vault.recipients()] == ["alice", "bob"]
    assert any("reue vault repair" in one for one in held.problems())
    held.attacker.put_inventory(whole)
    with held.opened() as vault:
        assert list(vault.ledger.records(gone.id)) == []
        assert list(vault.ledger.records(gone.id, [row.sample_id])) == []
        assert list(vault.ledger.withdrawn(gone.id)) == []
        with pytest.raises(TamperedLedgerError, match="was removed before"):
            vault.ledger.release(gone.id)
        assert [one.name for one in vault.ledger.releases()] == ["alice"]


@pytest.mark.parametrize("sealed", [None, b"x" * 100, "text"])
def test_a_lost_list_is_put_back_and_tells_what_was_removed(
    held: Held, sealed: Any
) -> None:
    before = held.attacker.everything()["tables"]
    with held.opened() as vault:
        gone = next(r for r in vault.ledger.releases() if r.name == "bob")
        vault.ledger.delete_release(gone.id)
    held.attacker.put_inventory(sealed)

    def repair() -> None:
        with held.connect() as ledger:
            repair_ledger(ledger, held.folder / "memo", secrets=SECRETS)

    repair()
    assert held.problems() == []
    with pytest.raises(VaultError, match="are whole"):
        repair()
    held.attacker.put_inventory(None)
    held.attacker.put("releases", before["releases"])
    repair()
    assert any("removed before" in one for one in held.problems())
    with held.opened() as vault:
        vault.ledger.accept()
    held.attacker.put_inventory(None)
    held.attacker.put("meta", {})
    repair()
    assert held.problems() == []
    content = json.loads(held.memo().read_text())
    del content["list"]
    held.memo().write_text(json.dumps(content))
    held.attacker.put_inventory(None)
    with pytest.raises(VaultError, match=r"no copy of it.*--accept"):
        repair()
    with held.opened() as vault:
        vault.ledger.accept()
    assert held.problems() == []


def test_the_list_of_another_vault_or_an_old_one_is_not_put_back(held: Held) -> None:
    old = json.loads(held.memo().read_text())
    with held.opened() as vault:
        vault.add_recipient("carol")
    content = json.loads(held.memo().read_text())
    for listed in (old["list"], base64.b64encode(bytes(200)).decode()):
        held.memo().write_text(json.dumps({**content, "list": listed}))
        with (
            held.connect() as ledger,
            pytest.raises(VaultError, match="are whole"),
        ):
            repair_ledger(ledger, held.folder / "memo", secrets=SECRETS)
    assert held.problems() == []


def test_counts_and_samples_are_not_what_an_added_row_says(held: Held) -> None:
    """They were whatever rows there were, of whatever content."""
    with held.opened() as vault:
        release = next(r for r in vault.ledger.releases() if r.name == "bob")
        names = vault.ledger.record_sample_ids(release.id)
        assert vault.ledger.count_records(release.id) == len(names) == 4
    rows = held.attacker.rows("records")
    mine = [one for one, row in rows.items() if row["release_id"] == release.id]
    first = dict(rows[mine[0]])
    first.pop("_id", None)
    added = {**first, "id": "other", "sample_id": "other", "digest_p": b"other"}
    held.attacker.put("records", {**rows, "other": added})
    with held.opened() as vault:
        assert vault.ledger.count_records(release.id) == 4
        assert vault.ledger.record_sample_ids(release.id) == names
        assert vault.ledger.problems
    held.attacker.put("records", rows)
    held.attacker.remove("records", mine[0])
    with held.opened() as vault:
        assert vault.ledger.count_records(release.id) == 4
        assert len(vault.ledger.record_sample_ids(release.id)) == 3
        assert vault.ledger.problems
    held.attacker.put("records", {**rows, mine[0]: {**first, "sample_id": "renamed"}})
    with held.opened() as vault:
        assert vault.ledger.record_sample_ids(release.id) < names
        assert vault.ledger.problems


def test_an_old_list_is_noticed_by_the_rows(held: Held) -> None:
    old = held.attacker.get_inventory()
    with held.opened() as vault:
        vault.add_recipient("carol")
    held.attacker.put_inventory(old)
    assert held.problems() != []


DAMAGE: list[tuple[str, str, Any]] = [
    ("recipients", "created", "soon"),
    ("recipients", "name", b"\xff\xfe"),
    ("recipients", "revoked_at", "never"),
    ("releases", "parameters", "{"),
    ("releases", "counts", "[1]"),
    ("releases", "created", b"x"),
    ("images", "height", "tall"),
    ("images", "descriptor", 7),
    ("records", "blob", "text"),
    ("records", "digest_w", 1.5),
    ("fits", "summary", "NaN" * 50),
]


@pytest.mark.parametrize(("table", "name", "value"), DAMAGE)
def test_junk_is_left_out_and_the_rest_is_read(
    held: Held, table: str, name: str, value: Any
) -> None:
    row = sorted(held.attacker.rows(table))[0]
    held.attacker.edit(table, row, **{name: value})
    assert held.problems() != []
    with held.opened() as vault:
        ledger = vault.ledger
        release = ledger.raw.releases()[0].id
        read = {
            "recipients": ledger.recipients,
            "releases": ledger.releases,
            "fits": ledger.fits,
            "images": lambda: list(ledger.images()),
            "records": lambda: [
                one for r in ledger.raw.releases() for one in ledger.records(r.id)
            ],
        }[table]
        good = len(held.attacker.rows(table)) - 1
        assert len(read()) == good, release
        assert ledger.problems


@pytest.mark.integration
def test_documents_of_any_shape_are_left_out(
    mongo_database: Any, old_ledger: Path, tmp_path: Path
) -> None:
    database = mongo_database
    held = held_in_mongo(database, old_ledger, tmp_path)
    held.open()
    for name in ("reue_recipients", "reue_releases", "reue_images", "reue_fits"):
        database[name].insert_one({"_id": 7, "name": [1], "digest": 7})
        database[name].insert_one({"_id": "empty", "digest": "d", "name": {"a": 1}})
    found = held.problems()
    assert any("'empty'" in line for line in found)
    with held.opened() as vault:
        assert [one.name for one in vault.recipients()] == ["alice", "bob"]
        assert len(vault.ledger.releases()) == 2
        assert len(list(vault.ledger.images())) == 4


# -- writers that are killed, and several at once


class KilledError(BaseException):
    """Stands for a power failure."""


WRITES = {
    "put_recipient",
    "put_fit",
    "put_release",
    "put_images",
    "put_records",
    "put_withdrawn",
    "delete_records",
    "delete_release",
    "put_inventory",
    "set_macs",
    "put_meta",
}


class Mortal:
    """A ledger that dies at the n-th thing that is written, before or after it."""

    def __init__(self, ledger: Ledger, fatal: int, done: bool) -> None:
        self._ledger = ledger
        self._left = fatal
        self._done = done

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ledger, name)
        if name not in WRITES:
            return found

        def write(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._done:
                raise KilledError
            result = found(*arguments)
            if self._left == 0:
                raise KilledError
            return result

        return write


def new_image(number: int) -> Image:
    return Image(f"n{number}", b"new%d" % number, "a.png", None, 8, 8, b"d")


def sealed_like(ledger: Ledger, release: Release, sample: str) -> Record:
    """A record of a release as another of it."""
    one = next(iter(ledger.records(release.id)))
    return replace(one, id=f"{release.id}-{sample}", sample_id=sample)


def add_recipient(vault: Vault) -> None:
    vault.add_recipient(f"carol{len(vault.recipients())}")


def put_images(vault: Vault) -> None:
    vault.ledger.put_images([new_image(1), new_image(2)])


def put_records(vault: Vault) -> None:
    release = vault.ledger.releases()[0]
    records = list(vault.ledger.records(release.id))
    vault.ledger.put_records(
        [replace(records[0], psnr=1.0), sealed_like(vault.ledger, release, "new")]
    )


def withdraw(vault: Vault) -> None:
    release = vault.ledger.releases()[0]
    one = next(iter(vault.ledger.withdrawn(release.id)))
    vault.ledger.put_withdrawn([one, replace(one, id=f"{release.id}-x")])


def delete_records(vault: Vault) -> None:
    release = vault.ledger.releases()[0]
    names = vault.ledger.record_sample_ids(release.id)
    vault.ledger.delete_records(release.id, sorted(names)[:2])


def delete_release(vault: Vault) -> None:
    for release in vault.ledger.releases()[1:]:
        vault.ledger.delete_release(release.id)


def revoke(vault: Vault) -> None:
    vault.revoke("alice")


ACTS = [
    add_recipient,
    put_images,
    put_records,
    withdraw,
    delete_records,
    delete_release,
    revoke,
]


@contextmanager
def mortal(held: Held, fatal: int, done: bool) -> Iterator[Vault]:
    vault = held.open()
    real = vault.ledger.raw
    vault.ledger = Mortal(real, fatal, done)  # type: ignore[assignment]
    with real:
        yield vault


@pytest.mark.parametrize("act", ACTS)
def test_killed_at_any_moment_the_ledger_is_as_it_was_left(
    held: Held, act: Callable[[Vault], None]
) -> None:
    kills = 0
    for fatal in range(1, 10):
        for done in (False, True):
            with mortal(held, fatal, done) as vault:
                try:
                    act(vault)
                except KilledError:
                    kills += 1
            assert held.problems() == []
    assert kills >= 2
    with held.opened() as vault:
        vault.add_recipient("dave")


def test_a_reader_finishes_what_a_killed_writer_began(held: Held) -> None:
    with mortal(held, 2, True) as vault, pytest.raises(KilledError):
        vault.revoke("alice")
    with held.opened() as vault:
        assert {one.name for one in vault.recipients()} == {"alice", "bob"}
        assert vault.ledger.problems == []


def test_somebody_changes_a_row_while_a_killed_writer_is_pending(held: Held) -> None:
    with mortal(held, 2, True) as vault, pytest.raises(KilledError):
        vault.revoke("alice")
    alice = by_name(held.attacker, "recipients", "alice")
    held.attacker.edit("recipients", alice, name="alicia")
    assert any("recipients" in line for line in held.problems())


def test_several_writers_at_once_leave_no_trace_of_tampering(held: Held) -> None:
    errors: list[BaseException] = []
    with held.opened() as vault:
        releases = vault.ledger.releases()

    def work(number: int) -> None:
        try:
            with held.opened() as vault:
                ledger = vault.ledger
                for turn in range(4):
                    release = releases[number % 2]
                    ledger.put_images([new_image(turn), new_image(10 + number)])
                    ledger.put_records([sealed_like(ledger, release, f"s{turn}")])
                    ledger.put_release(replace(release, updated=float(turn)))
                    assert len(vault.recipients()) >= 2
                vault.add_recipient(f"person{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with held.opened() as vault:
        assert len(vault.recipients()) == 6
        releases = vault.ledger.releases()
        assert [len(list(vault.ledger.records(r.id))) for r in releases] == [7, 8]
        assert len(list(vault.ledger.images())) == 12
        assert vault.ledger.problems == []


# -- the description


def test_a_ledger_can_not_be_passed_off_as_one_that_never_had_macs(
    unauthenticated: Held,
) -> None:
    """The owner's memo is what tells."""
    unauthenticated.connect().close()
    backup = unauthenticated.attacker.everything()
    unauthenticated.open().ledger.close()
    unauthenticated.attacker.put("meta", backup["tables"]["meta"])
    with pytest.raises(TamperedLedgerError, match="authenticated before"):
        unauthenticated.open()
    unauthenticated.attacker.put_back(backup)
    with pytest.raises(TamperedLedgerError, match="authenticated before"):
        unauthenticated.open()


def edit_meta(held: Held, **values: Any) -> None:
    (row,) = held.attacker.rows("meta").values()
    content = {**json.loads(row["document"]), **values}
    held.attacker.put("meta", {"1": {**row, "document": json.dumps(content)}})


def test_the_format_of_a_sealed_key_can_not_be_changed(held: Held) -> None:
    held.memo().unlink()
    edit_meta(held, format=1)
    with pytest.raises(VaultError, match="description was changed"):
        held.open()


@pytest.mark.parametrize(
    "values",
    [
        {"created": 0.0},
        {"provider": {"kind": "passphrase", "salt": "00" * 16, "n": 2, "r": 1, "p": 1}},
        {"provider": 7},
        {"wraps": 7},
        {"wraps": [7]},
        {"vault_id": None},
        {"format": "1"},
    ],
)
def test_an_edited_description_is_refused(held: Held, values: dict[str, Any]) -> None:
    edit_meta(held, **values)
    with pytest.raises(VaultError, match="description was changed"):
        held.open()


def test_a_lost_description_never_leads_to_a_new_vault(held: Held) -> None:
    before = held.attacker.everything()["tables"]["meta"]
    held.attacker.put("meta", {})
    with held.connect() as ledger:
        with pytest.raises(VaultError, match=r"lost the vault's description.*repair"):
            Vault.create(ledger, EnvironmentKey(SECRETS))
        with pytest.raises(VaultError, match="lost the vault's description"):
            held.open()
        assert ledger.get_meta() is None
    held.attacker.put("meta", before)
    assert held.problems() == []


LOOK_UPS: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("recipient", "recipients", lambda row: row.id),
    ("recipient_by_name", "recipients", lambda row: row.name),
    ("fit", "fits", lambda row: row.id),
    ("release", "releases", lambda row: row.id),
    ("image", "images", lambda row: row.id),
    ("image_by_digest", "images", lambda row: row.digest),
    ("record", "records", lambda row: row.id),
]


def some_rows(ledger: Any, table: str) -> list[Any]:
    if table in ("records", "withdrawn"):
        read = getattr(ledger, table)
        return [one for r in ledger.releases() for one in read(r.id)]
    return list(getattr(ledger, table)())


@pytest.mark.parametrize(("name", "table", "asked"), LOOK_UPS)
def test_another_row_than_was_asked_for_is_not_believed(
    held: Held,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    table: str,
    asked: Callable[[Any], Any],
) -> None:
    """As an index or a collation that somebody replaced would give it."""
    with held.opened() as vault:
        ledger = vault.ledger
        one = some_rows(ledger.raw, table)[0]
        look_up = getattr(ledger, name)
        assert look_up(asked(one)) == parsed(one)
        monkeypatch.setattr(ledger.raw, name, lambda value: one)
        other = b"another" if name == "image_by_digest" else "another"
        with pytest.raises(TamperedLedgerError, match="another one was asked for"):
            look_up(other)
        assert ledger.problems


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("find_images", (["x"],)),
        ("records", ("x", ["y"])),
        ("records", ("x",)),
        ("withdrawn", ("x",)),
        ("records_by_digest", (b"x",)),
        ("records_by_image", ("x",)),
    ],
)
def test_other_rows_than_were_asked_for_are_left_out(
    held: Held, monkeypatch: pytest.MonkeyPatch, name: str, values: tuple[Any, ...]
) -> None:
    table = {"find_images": "images", "withdrawn": "withdrawn"}.get(name, "records")
    with held.opened() as vault:
        ledger = vault.ledger
        rows = some_rows(ledger.raw, table)
        assert rows
        monkeypatch.setattr(ledger.raw, name, lambda *asked: iter(rows))
        monkeypatch.setattr(ledger, "_is_listed", lambda release_id: True)
        assert list(getattr(ledger, name)(*values)) == []
        found = {problem.what.split(";")[0] for problem in ledger.problems}
        assert "the database gave its row where another one was asked for" in found


def test_a_copy_of_a_removed_release_is_not_believed(held: Held) -> None:
    """A record from a backup has the right MAC, but no release any more."""
    before = held.attacker.rows("records")
    with held.opened() as vault:
        gone = next(r for r in vault.ledger.releases() if r.name == "bob")
        row = next(vault.ledger.records(gone.id))
        assert vault.ledger.records_by_digest(row.digest_p) == [row]
        vault.ledger.delete_release(gone.id)
    now = held.attacker.rows("records")
    held.attacker.put("records", now | {row.id: before[row.id]})
    with held.opened() as vault:
        assert vault.ledger.records_by_digest(row.digest_p) == []
        assert row.id not in [
            one.id for one in vault.ledger.records_by_image(row.image_id)
        ]
        with pytest.raises(TamperedLedgerError, match="doesn't have"):
            vault.ledger.record(row.id)


def test_strays_are_found(held: Held) -> None:
    """Rows of a release that was removed, of which no list tells any more."""
    before = {table: held.attacker.rows(table) for table in ("records", "withdrawn")}
    with held.opened() as vault:
        release = next(r for r in vault.ledger.releases() if r.name == "alice")
        vault.ledger.delete_release(release.id)
    for table, rows in before.items():
        held.attacker.put(table, rows)
    found = [one for one in held.problems() if "doesn't have" in one]
    tables = [one.split(",")[0] for one in found]
    mine = [r for r in before["records"].values() if r["release_id"] == release.id]
    others = [r for r in before["withdrawn"].values() if r["release_id"] == release.id]
    assert mine
    assert tables.count("records") == len(mine)
    assert tables.count("withdrawn") == len(others)


@pytest.mark.parametrize("table", ["records", "withdrawn"])
def test_rows_of_a_release_whose_row_is_bad_are_checked(held: Held, table: str) -> None:
    rows = held.attacker.rows(table)
    row = sorted(rows)[0]
    held.attacker.edit("releases", rows[row]["release_id"], output="elsewhere")
    held.attacker.edit(table, row, psnr=1.25)
    assert any(one.startswith(f"{table}, ") for one in held.problems())


@pytest.mark.parametrize("count", [1 << 19, 3 << 20])
def test_nothing_is_parsed_before_its_mac_is_right(
    held: Held, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Parsed, a text can take many times its size."""
    row = sorted(held.attacker.rows("releases"))[0]
    held.attacker.edit("releases", row, parameters=f"[{'0,' * count}0]")
    parse, parsed_sizes = json.loads, []

    def watched(text: Any) -> Any:
        parsed_sizes.append(len(text))
        return parse(text)

    monkeypatch.setattr(json, "loads", watched)
    with held.opened() as vault:
        assert len(vault.ledger.releases()) == 1
        assert [p.table for p in vault.ledger.problems] == ["releases"]
    assert max(parsed_sizes) < 1 << 19


# -- what a driver can't decode, and rows that fill the memory


def put_raw(collection: Any, document: dict[str, Any], old: bytes, new: bytes) -> None:
    """Insert bytes that no driver would write."""
    import bson
    from bson.raw_bson import RawBSONDocument

    raw = bson.encode(document)
    assert raw.count(old) == 1
    collection.insert_one(RawBSONDocument(raw.replace(old, new)))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("old", "new"),
    [(b"zzzz", b"z\xff\xfez"), (b"\x12when\0", b"\x09when\0"), (b"when", b"\xffhen")],
    ids=["text", "date", "field"],
)
def test_documents_that_can_not_be_decoded_are_left_out(
    mongo_database: Any, old_ledger: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    """Each ended every job with the driver's error; as an id, text ran for ever."""
    held = held_in_mongo(mongo_database, old_ledger, tmp_path)
    held.open()
    with held.opened() as vault:
        one = some_rows(vault.ledger.raw, "records")[0]
    known = {"release_id": one.release_id, "image_id": one.image_id, "sample_id": "zz"}
    ids = {"name": "n", "digest": b"d", **known}
    for name in ("recipients", "fits", "releases", "images", "records", "withdrawn"):
        document = {"_id": "zzzz", "when": 1 << 62, **ids}
        put_raw(mongo_database[f"reue_{name}"], document, old, new)
    found = held.problems()
    assert len({line.partition(", ")[0] for line in found}) == 6
    with held.opened() as vault:
        ledger = vault.ledger
        assert [one.name for one in vault.recipients()] == ["alice", "bob"]
        assert len(ledger.fits()) == 1
        assert len(ledger.releases()) == 2
        assert len(list(ledger.images())) == 4
        assert len(some_rows(ledger, "records")) == 7
        assert len(some_rows(ledger, "withdrawn")) == 1
        assert one in ledger.records_by_image(one.image_id)


@pytest.mark.integration
def test_many_ids_that_are_no_text_are_all_told(
    mongo_database: Any, old_ledger: Path, tmp_path: Path
) -> None:
    """More than a page of them, with good ones behind."""
    held = held_in_mongo(mongo_database, old_ledger, tmp_path)
    held.open()
    with held.opened() as vault:
        one = some_rows(vault.ledger.raw, "records")[0]
    for number in range(200):
        document = {"_id": number, "sample_id": "zzzz", "release_id": one.release_id}
        document["id"] = f"{number}"
        text = b"\x01\xff" + number.to_bytes(2, "big").replace(b"\0", b"\xfe")
        put_raw(mongo_database["reue_records"], document, b"zzzz", text)
    with held.opened() as vault:
        assert len(list(vault.ledger.records(one.release_id))) in (3, 4)
        told = [p for p in vault.ledger.problems if p.table == "records"]
        assert len({p.row for p in told}) > 100


@pytest.mark.parametrize("table", ["recipients", "fits", "releases", "records"])
def test_many_large_rows_are_not_held_together(held: Held, table: str) -> None:
    """Forty rows of 4 MB each took 160 MB and more."""
    rows = held.attacker.rows(table)
    one = rows[sorted(rows)[0]]
    large = {"fits": "sealed", "recipients": "wrapped_key", "releases": "sealed_seed"}
    for number in range(40):
        unique = {"id": f"x{number}", large.get(table, "blob"): bytes(4 << 20)}
        unique |= {"name": f"x{number}"} if "name" in one else {}
        unique |= {"sample_id": f"x{number}"} if "sample_id" in one else {}
        kept = {name: value for name, value in one.items() if name != "_id"}
        rows[f"x{number}"] = {**kept, **unique}
    held.attacker.put(table, rows)
    with held.opened() as vault:
        ledger = vault.ledger
        tracemalloc.start()
        try:
            if table == "records":
                ledger.records_by_image(one["image_id"])
            else:
                getattr(ledger, table)()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(ledger.problems) >= 40
    assert peak < 100 << 20
