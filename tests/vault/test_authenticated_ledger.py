"""Whoever writes the database without the owner key is noticed, whatever is written.

None of this was noticed before rows had MACs.
"""

import base64
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import TamperedLedgerError, VaultError
from fiftyone_reue.vault import Vault
from fiftyone_reue.vault.ledger.rows import TABLES, columns, parsed
from fiftyone_reue.vault.vault import repair_ledger
from tests.vault.attacks import SECRETS, Held, by_name, held_in_mongo

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


def test_papers_are_read_by_kind_and_a_lost_one_is_missed(held: Held) -> None:
    attacker = held.attacker
    attacker.remove("papers", "look-1")
    with held.opened() as vault:
        assert [one.id for one in vault.ledger.papers("commitment")] == ["commitment-1"]
        assert vault.ledger.problems == []
        assert vault.ledger.papers("look") == []
        assert "missing" in str(vault.ledger.problems[0])


@pytest.mark.slow
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
        case "papers":
            (one,) = ledger.papers("look")
            ledger.put_paper(replace(one, created=2.0))
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


@pytest.mark.slow
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
