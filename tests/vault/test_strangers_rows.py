"""Rows that no program of ours has written, whatever their ids and sizes.

Those whose ids were no text were never seen, and one value above SQLite's limit kept a
whole table from being read.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import TamperedLedgerError
from fiftyone_reue.vault import MongoLedger, SqliteLedger, Vault
from fiftyone_reue.vault.entities import Fit, Image
from fiftyone_reue.vault.ledger import authenticated, mongo, sqlite
from fiftyone_reue.vault.ledger.problems import CHANGED, DOUBLED, STRANGER, TOO_LONG
from fiftyone_reue.vault.ledger.rows import BOXES, longest
from tests.vault.attacks import (
    COLLECTIONS,
    Held,
    MongoAttacker,
    held_in_mongo,
    put_papers,
)

MB = 1 << 20


def counts(vault: Vault) -> dict[str, int]:
    """How many good rows can be read, in every way that leads through a table."""
    ledger = vault.ledger
    found: dict[str, int] = {
        "recipients": len(ledger.recipients()),
        "fits": len(ledger.fits()),
        "releases": len(ledger.releases()),
        "images": len(list(ledger.images())),
        "records": 0,
        "withdrawn": 0,
    }
    for release in ledger.releases():
        records = list(ledger.records(release.id))
        names = [record.sample_id for record in records]
        assert list(ledger.records(release.id, names)) == records
        found["records"] += len(records)
        found["withdrawn"] += len(list(ledger.withdrawn(release.id)))
        for record in records:
            assert record in ledger.records_by_digest(record.digest_p)
            assert record in ledger.records_by_image(record.image_id)
    return found


# -- values that are too long


LONG: list[tuple[str, str, Callable[[int], Any]]] = [
    ("recipients", "id", "x".__mul__),
    ("recipients", "name", "x".__mul__),
    ("recipients", "wrapped_key", bytes),
    ("recipients", "created", "x".__mul__),
    ("fits", "sealed", "x".__mul__),
    ("fits", "summary", "x".__mul__),
    ("releases", "id", bytes),
    ("releases", "output", "x".__mul__),
    ("releases", "parameters", "x".__mul__),
    ("images", "id", "0".__mul__),
    ("images", "digest", bytes),
    ("images", "label", "x".__mul__),
    ("images", "height", "x".__mul__),
    ("images", "descriptor", bytes),
    ("records", "id", "x".__mul__),
    ("records", "release_id", "x".__mul__),
    ("records", "sample_id", "0".__mul__),
    ("records", "image_id", "x".__mul__),
    ("records", "digest_p", bytes),
    ("records", "blob", "x".__mul__),
    ("records", "mac", bytes),
    ("withdrawn", "id", "0".__mul__),
    ("withdrawn", "created", "x".__mul__),
]


@pytest.mark.slow
@pytest.mark.parametrize(("table", "name", "made"), LONG)
def test_a_value_that_is_too_long_keeps_nothing_else_from_being_read(
    held: Held,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    name: str,
    made: Callable[[int], Any],
) -> None:
    monkeypatch.setattr(sqlite, "_LARGEST_VALUE", 12 * MB)  # or files would be large
    size = 5 * MB if isinstance(held.attacker, MongoAttacker) else 16 * MB
    with held.opened() as vault:
        before = counts(vault)
    # A release that nothing refers to, so that only its own row is missed.
    row = sorted(held.attacker.rows(table))[0]
    if (table, name) == ("releases", "id"):
        rows = held.attacker.rows(table)
        held.attacker.put(table, {**rows, "x": {**rows[row], "id": made(size)}})
        before["releases"] += 1
    else:
        held.attacker.edit(table, row, **{name: made(size)})
    found = held.problems()
    in_box = name in BOXES and isinstance(held.attacker, MongoAttacker)
    if name != "release_id" and not in_box:
        long = [line for line in found if line.startswith(table) and TOO_LONG in line]
        assert long
        assert all(len(line) < 1000 for line in found)
    assert found
    with held.opened() as vault:
        if table == "releases" and name != "id":
            vault.ledger.releases()
            assert vault.ledger.problems
            return
        after = counts(vault)
        assert after == {**before, table: before[table] - 1}


@pytest.mark.slow
@pytest.mark.integration
def test_what_is_longer_than_sqlites_own_limit_is_not_read(
    tmp_path: Path, old_ledger: Path
) -> None:
    """With the real limit; no memory is taken for it."""
    resource = pytest.importorskip("resource")
    with sqlite3.connect(old_ledger) as attacker:
        attacker.execute(
            "UPDATE recipients SET name = CAST(zeroblob(540000000) AS TEXT) "
            "WHERE name = 'bob'"
        )
        attacker.execute(
            "UPDATE records SET blob = zeroblob(540000000) WHERE id IN "
            "(SELECT min(id) FROM records)"
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with SqliteLedger(old_ledger) as ledger:
        assert len(ledger.recipients()) == 2
        assert [one.name for one in ledger.recipients()].count("alice") == 1
        assert sum(len(list(ledger.records(r.id))) for r in ledger.releases()) == 7
        assert ledger.recipient_by_name("alice") is not None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used < 100 * 1024


def test_a_label_that_is_too_long_is_not_taken_for_none(held: Held) -> None:
    """It was read as None, for which the MAC was right."""
    with held.opened() as vault:
        one = Image("0" * 32, b"d" * 32, "a.png", None, 8, 8, b"d")
        vault.ledger.put_images([one])
    held.attacker.edit("images", "0" * 32, label="x" * (5 * MB))
    with held.opened() as vault:
        assert len(list(vault.ledger.images())) == 4
        with pytest.raises(TamperedLedgerError, match="longer than any"):
            vault.ledger.image("0" * 32)


@pytest.mark.unit
def test_a_list_or_a_description_that_is_too_long_is_not_read(
    old_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_LONGEST_LIST", 1000)
    with SqliteLedger(old_ledger) as ledger:
        ledger.put_inventory(bytes(1000))
        assert ledger.get_inventory() == bytes(1000)
        ledger.put_inventory(bytes(1001))
        assert ledger.get_inventory() == b""
    for size in (5 * MB, 9 * MB):
        with sqlite3.connect(old_ledger) as attacker:
            attacker.execute("UPDATE meta SET document = ?", ["x" * size])
        with SqliteLedger(old_ledger) as ledger:
            assert ledger.get_meta() == {}


@pytest.mark.unit
def test_no_row_of_ours_is_too_long(old_ledger: Path) -> None:
    with SqliteLedger(old_ledger) as ledger:
        fit = Fit("f", bytes(longest("sealed") // 64), "m", {"a": "x" * 60_000}, 1.0)
        ledger.put_fit(fit)
        assert ledger.fit("f") is not None


@pytest.mark.integration
def test_a_blob_file_that_says_another_size_is_not_read(mongo_database: Any) -> None:
    ledger = MongoLedger(mongo_database)
    ledger.put_fit(Fit("f1", bytes(mongo.INLINE_BYTES + 1), "rue", {}, 1.0))
    ledger.put_fit(Fit("f2", b"sealed", "rue", {}, 1.0))
    files = mongo_database[mongo.BLOBS].files
    for values in ({"length": 1 << 40}, {"length": "x"}, {"chunkSize": 0}):
        files.update_one({}, {"$set": values})
        assert [one.id for one in ledger.fits()] == ["f1", "f2"]
        assert not isinstance(ledger.fits()[0].sealed, bytes)
    for file in (7, {"$gt": ""}, "x"):
        mongo_database[mongo.FITS].update_one(
            {"_id": "f1"}, {"$set": {"blob_file": file}}
        )
        assert [one.id for one in ledger.fits()] == ["f1", "f2"]
    chunks = mongo_database[mongo.BLOBS].chunks
    chunks.update_many({}, {"$unset": {"data": ""}})
    (found,) = files.find()
    files.update_one({}, {"$set": {"length": 9, "chunkSize": 9}})
    mongo_database[mongo.FITS].update_one(
        {"_id": "f1"}, {"$set": {"blob_file": found["_id"]}}
    )
    assert [one.id for one in ledger.fits()] == ["f1", "f2"]


# -- MongoDB: ids of any type, doubled rows, what is no collection of ours


@pytest.fixture
def in_mongo(mongo_database: Any, old_ledger: Path, tmp_path: Path) -> Held:
    held = held_in_mongo(mongo_database, old_ledger, tmp_path)
    with held.opened() as vault:
        put_papers(vault)
    return held


def strange_ids() -> list[Any]:
    from bson import Int64, MinKey, ObjectId

    return [7, Int64(1 << 40), 1.5, None, True, ObjectId(), {"a": {"b": 1}}, b"x", "",
            MinKey(), "y" * (5 * MB)]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("table", COLLECTIONS)
def test_rows_with_ids_of_any_type_are_named(
    in_mongo: Held, mongo_database: Any, table: str
) -> None:
    with in_mongo.opened() as vault:
        before = counts(vault)
    collection = mongo_database[COLLECTIONS[table]]
    row = collection.find_one()
    ids = strange_ids()
    for number, one in enumerate(ids):
        new = {**row, "_id": one}
        for name in ("name", "digest", "id"):
            if name in row:
                new[name] = f"{name}{number}"
        if table == "records":
            new["sample_id"] = one if one is not None else ["x"]
            del new["_id"]
        collection.insert_one(new)
    found = [line for line in in_mongo.problems() if line.startswith(table)]
    named = [line for line in found if STRANGER in line]
    assert len(named) >= len(ids) - 2  # an empty text is changed, a long one too long
    assert any(TOO_LONG in line for line in found)
    assert any(CHANGED in line for line in found)
    assert all(len(line) < 1000 for line in found)
    with in_mongo.opened() as vault:
        assert counts(vault) == before
        vault.ledger.accept()
        assert counts(vault) == before
        release = vault.ledger.releases()[0]
        vault.ledger.delete_release(release.id)
        assert len(vault.ledger.releases()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("table", sorted(COLLECTIONS.keys() - {"papers"}))
def test_an_old_ledger_with_strangers_rows_is_brought_up_to_date(
    mongo_database: Any, old_ledger: Path, tmp_path: Path, table: str
) -> None:
    held = held_in_mongo(mongo_database, old_ledger, tmp_path)
    collection = mongo_database[COLLECTIONS[table]]
    row = collection.find_one()
    new = {**row, "_id": {"a": 1}, "name": "other", "digest": b"other", "id": {"b": 2}}
    collection.insert_one({**new, "sample_id": "other"})
    found = held.problems()
    assert any(line.startswith(table) for line in found)
    with held.opened() as vault:
        assert [one.name for one in vault.recipients()] == ["alice", "bob"]


@pytest.mark.integration
@pytest.mark.parametrize("field", ["image_id", "sample_id", "blob_file", "release_id"])
def test_records_without_a_field_keep_no_release_from_being_deleted(
    in_mongo: Held, mongo_database: Any, field: str
) -> None:
    records = mongo_database[mongo.RECORDS]
    row = records.find_one()
    for number, value in enumerate((None, {"a": 1}, ["x"])):
        new = {**row, "id": f"n{number}", "sample_id": f"n{number}", field: value}
        del new["_id"]
        if value is None:
            del new[field]
        records.insert_one(new)
    with in_mongo.opened() as vault:
        vault.ledger.delete_release(row["release_id"])
        assert len(vault.ledger.releases()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("table", COLLECTIONS)
def test_doubled_rows_count_once_and_are_named(
    in_mongo: Held, mongo_database: Any, table: str
) -> None:
    """A second document could say that it has the first one's id."""
    from bson import ObjectId

    with in_mongo.opened() as vault:
        before = counts(vault)
    collection = mongo_database[COLLECTIONS[table]]
    collection.drop_indexes()
    row = collection.find_one()
    for _ in range(70):  # more than a page
        collection.insert_one(
            {**row, "id": row.get("id", row["_id"]), "_id": ObjectId()}
        )
    found = [line for line in in_mongo.problems() if line.startswith(table)]
    assert any(DOUBLED in line or STRANGER in line for line in found)
    with in_mongo.opened() as vault:
        assert counts(vault) == before
        vault.ledger.accept()
        assert counts(vault) == before
    if table in ("recipients", "images", "records"):
        assert any("rows are there twice" in line for line in in_mongo.problems())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("how", "named"),
    [("view", "was replaced by a view"), ("options", "options that aren't ours")],
)
def test_what_is_no_collection_of_ours_is_named(
    in_mongo: Held, mongo_database: Any, how: str, named: str
) -> None:
    collection = mongo_database[mongo.IMAGES]
    rows = list(collection.find())
    if how == "view":
        collection.rename("others")
        mongo_database.create_collection(mongo.IMAGES, viewOn="others", pipeline=[])
        with pytest.raises(TamperedLedgerError, match=r"replaced by a view.*backup"):
            in_mongo.open()
        return
    collection.drop()
    mongo_database.create_collection(
        mongo.IMAGES, collation={"locale": "en", "strength": 1}
    )
    collection.insert_many(rows)
    assert any(named in line for line in in_mongo.problems())


@pytest.mark.integration
def test_a_view_in_place_of_a_collection_while_the_vault_is_open(
    in_mongo: Held, mongo_database: Any
) -> None:
    with in_mongo.opened() as vault:
        mongo_database[mongo.RECIPIENTS].rename("others")
        mongo_database.create_collection(mongo.RECIPIENTS, viewOn="others", pipeline=[])
        with pytest.raises(TamperedLedgerError, match="replaced by a view"):
            vault.add_recipient("carol")
        assert any("replaced by a view" in one for one in vault.ledger.damage())


@pytest.mark.integration
def test_another_index_and_documents_beside_the_description_are_named(
    in_mongo: Held, mongo_database: Any
) -> None:
    recipients = mongo_database[mongo.RECIPIENTS]
    recipients.drop_indexes()
    recipients.create_index("name", unique=False)
    mongo_database[mongo.META].insert_one({"_id": 7})
    found = in_mongo.problems()
    assert any("'reue_recipients' by name was replaced" in line for line in found)
    assert any("'reue_meta' has documents that aren't ours" in line for line in found)
    with in_mongo.opened() as vault:
        assert [one.name for one in vault.recipients()] == ["alice", "bob"]


def test_more_problems_than_memory_holds_are_not_all_named(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticated, "_MOST_PROBLEMS", 3)
    for row in held.attacker.rows("images"):
        held.attacker.edit("images", row, height=9)
    found = held.problems()
    assert len(found) == 4
    assert "more problems than these" in found[-1]
