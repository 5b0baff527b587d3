"""What only a server can suffer."""

import threading
import time
from typing import Any

import pytest

from fiftyone_reue.errors import LedgerUnavailableError, VaultError, WrongKeyError
from fiftyone_reue.vault import MongoLedger, Vault
from fiftyone_reue.vault.entities import Fit, Record
from fiftyone_reue.vault.ledger import mongo
from fiftyone_reue.vault.owner_keys import EnvironmentKey, resolve

pytestmark = pytest.mark.integration

SECRETS = {"REUE_OWNER_KEY": "ab" * 32}


def test_a_server_that_is_not_there() -> None:
    import pymongo

    client: Any = pymongo.MongoClient(
        "mongodb://127.0.0.1:9", serverSelectionTimeoutMS=50
    )
    with pytest.raises(LedgerUnavailableError, match="MongoDB can't be reached"):
        MongoLedger(client["reue"])
    client.close()


def test_a_closed_client(mongo_uri: str) -> None:
    import pymongo

    client: Any = pymongo.MongoClient(mongo_uri)
    ledger = MongoLedger(client["reue_closed"])
    client.close()
    with pytest.raises(LedgerUnavailableError, match="MongoDB can't be used"):
        ledger.recipients()


def test_writes_wait_for_the_journal(mongo_database: Any) -> None:
    concern = MongoLedger(mongo_database)._database.write_concern.document
    assert concern["w"] == "majority"
    assert concern["j"] is True


def test_replaced_large_blobs_leave_nothing_behind(mongo_database: Any) -> None:
    ledger = MongoLedger(mongo_database)
    fit = Fit("f1", bytes(mongo.INLINE_BYTES + 1), "rue", {}, 1.0)
    files = mongo_database[f"{mongo.BLOBS}.files"]
    for _ in range(3):
        ledger.put_fit(fit)
        assert files.count_documents({}) == 1
    ledger.put_fit(Fit("f1", b"small", "rue", {}, 1.0))
    assert files.count_documents({}) == 0
    assert mongo_database[f"{mongo.BLOBS}.chunks"].count_documents({}) == 0


def test_a_lost_blob_is_not_taken_for_an_empty_one(mongo_database: Any) -> None:
    ledger = MongoLedger(mongo_database)
    ledger.put_fit(Fit("f1", bytes(mongo.INLINE_BYTES + 1), "rue", {}, 1.0))
    mongo_database[f"{mongo.BLOBS}.files"].delete_many({})
    with pytest.raises(LedgerUnavailableError, match="missing"):
        ledger.fit("f1")


def test_records_of_an_older_version_have_no_file_digests(mongo_database: Any) -> None:
    ledger = MongoLedger(mongo_database)
    old = {
        **{"id": "x", "release_id": "p", "sample_id": "s", "image_id": "i"},
        **{"label": None, "source": "a.png", "output": "a.png", "digest_p": b"p"},
        **{"digest_w": b"w", "blob": b"b", "psnr": 30.0, "created": 1.0},
    }
    mongo_database[mongo.RECORDS].insert_one(dict(old))
    assert list(ledger.records("p")) == [Record(**old)]
    assert (Record(**old).file_digest, Record(**old).copy_digest) == (b"", b"")


def test_only_our_own_collections_are_used(mongo_database: Any) -> None:
    mongo_database["samples"].insert_one({"_id": 1})
    vault = Vault.create(MongoLedger(mongo_database), EnvironmentKey(SECRETS))
    vault.add_recipient("ann")
    names = set(mongo_database.list_collection_names())
    assert {name for name in names if not name.startswith("reue_")} == {"samples"}


def test_a_vault_lives_in_mongodb_without_its_secrets(mongo_database: Any) -> None:
    vault = Vault.create(MongoLedger(mongo_database), EnvironmentKey(SECRETS))
    recipient, key = vault.add_recipient("ann")
    ledger = MongoLedger(mongo_database)
    meta = ledger.get_meta()
    assert meta is not None
    again = Vault.open(ledger, resolve(meta, None, SECRETS))
    assert again.recipient_key(again.recipient("ann")) == key
    assert again.derive("x") == vault.derive("x")
    with pytest.raises(WrongKeyError, match="expects"):
        Vault.open(ledger, EnvironmentKey({"REUE_OWNER_KEY": "cd" * 32}))
    everything = "".join(
        repr(list(mongo_database[name].find()))
        for name in mongo_database.list_collection_names()
    )
    for secret in (bytes([0xAB] * 32), vault._key, key.key, vault.code_seed(recipient)):
        assert secret.hex() not in everything
        assert repr(secret)[2:-1] not in everything


def test_only_one_of_two_creators_wins(mongo_database: Any) -> None:
    ledger = MongoLedger(mongo_database)
    made: list[Vault] = []
    lost: list[VaultError] = []
    gate = threading.Barrier(4)

    class Slow(EnvironmentKey):
        def load(self) -> bytes:
            gate.wait()
            time.sleep(0.01)
            return super().load()

    def create() -> None:
        try:
            made.append(Vault.create(ledger, Slow(SECRETS)))
        except VaultError as error:
            lost.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(lost) == 3
    assert Vault.open(ledger, EnvironmentKey(SECRETS)).derive("x") == made[0].derive(
        "x"
    )
