"""What is said of vaults of newer and older versions."""

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import __version__
from fiftyone_reue.vault.ledger import SqliteLedger

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parents[1] / "golden"
COMMANDS = (
    ("vault", "check"),
    ("keys", "rotate"),
    ("recipient", "list"),
    ("restore", "@p", "@o"),
    ("extract", "@p"),
)


def assert_says_to_update(said: str) -> None:
    (line,) = said.splitlines()
    assert "was made by a newer version" in line
    assert f"update fiftyone-reue (this is {__version__})" in line
    assert "`pip install .`" in line
    assert "If you never used one" in line


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("where", ["ledger", "description"])
def test_a_vault_of_a_newer_version(place: Any, words: tuple, where: str) -> None:
    shutil.copytree(place.root / "source", place.root / "p")
    path = place.root / "vault" / "ledger.sqlite"
    if where == "ledger":
        ledger = sqlite3.connect(path)
        with contextlib.closing(ledger), ledger:
            ledger.execute("CREATE TABLE newest (a)")
            ledger.execute("PRAGMA user_version = 99")
    else:
        with SqliteLedger(path) as held:
            held.put_meta({**(held.get_meta() or {}), "format": 3})
    key = (place.root / "vault" / "owner.key").read_bytes()
    assert_says_to_update(place.fails(*words, "--vault", "@vault"))
    assert (place.root / "vault" / "owner.key").read_bytes() == key
    assert not (place.root / "o").exists()


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kind", ["file", "passphrase", "keyring", "environment"])
def test_an_older_vault_without_its_owner_key(
    empty: Any, words: tuple, kind: str
) -> None:
    shutil.copytree(GOLDEN / "0.1" / "vault", empty.root / "vault")
    shutil.copytree(GOLDEN / "0.1" / "lsp", empty.root / "p")
    key = empty.root / "vault" / "owner.key"
    key.rename(empty.root / "kept.key")
    salt = {"salt": "00" * 16, "n": 2**17, "r": 8, "p": 1}
    providers: dict[str, Any] = {
        "file": {"kind": "key-file", "path": "owner.key"},
        "passphrase": {"kind": "passphrase", **salt},
        "keyring": {"kind": "keyring", "account": "x"},
        "environment": {"kind": "environment"},
    }
    with SqliteLedger(empty.root / "vault" / "ledger.sqlite") as held:
        meta = held.get_meta() or {}
        assert meta["format"] == 1
        held.put_meta({**meta, "provider": providers[kind]})
    said = empty.fails(*words, "--vault", "@vault")
    expected = {
        "file": f"{key} is missing. Put it back, or set REUE_OWNER_KEY_FILE",
        "passphrase": "opens with a passphrase; set REUE_OWNER_PASSPHRASE",
        "keyring": "The system's keyring can't be used",
        "environment": "The owner key is missing. Set REUE_OWNER_KEY to the key",
    }
    assert expected[kind] in said
    assert len(said.splitlines()) == 1
    # Nothing was changed that the owner doesn't find again with the key.
    with SqliteLedger(empty.root / "vault" / "ledger.sqlite") as held:
        assert (held.get_meta() or {})["format"] == 1
        assert len(held.recipients()) == 2
    (empty.root / "kept.key").chmod(0o600)
    env: dict[str, str | None] = {"REUE_OWNER_KEY_FILE": empty.path("kept.key")}
    if kind in ("file", "environment"):
        checked = empty.run("vault", "check", "--vault", "@vault", env=env)
        assert "is as you left it: 2 recipients" in checked.stdout


def test_a_backup_from_before_a_rotation_names_its_key(place: Any) -> None:
    shutil.copy(place.root / "vault/ledger.sqlite", place.root / "backup")
    env: dict[str, str | None] = {"REUE_OWNER_KEY_NEW": "4f" * 32}
    assert place.run("keys", "rotate", "--vault", "@vault", env=env).exit_code == 0
    for path in (place.root / "vault").glob("ledger.sqlite-*"):
        path.unlink()
    shutil.copy(place.root / "backup", place.root / "vault/ledger.sqlite")
    said = place.fails("recipient", "list", "--vault", "@vault")
    (former,) = (place.root / "vault").glob("owner.key.old-*")
    assert f"from before a rotation, that is the former key: {former}" in said
    env = {"REUE_OWNER_KEY_FILE": str(former)}
    # It may be of somebody who got the former key: the owner has to say that it isn't.
    refused = place.run("recipient", "list", "--vault", "@vault", env=env)
    (memo,) = (place.root / "vault").glob("*.counter")
    assert f"If you did that yourself, remove {memo} first" in refused.stderr
    memo.unlink()
    listed = place.run("recipient", "list", "--vault", "@vault", env=env)
    assert "alice" in listed.stdout
