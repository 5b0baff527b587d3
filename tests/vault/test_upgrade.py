"""A vault of a version that authenticated nothing is brought up to date, once."""

import sqlite3
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_reue.batch.folders import image_items
from fiftyone_reue.errors import TamperedLedgerError, VaultError
from fiftyone_reue.media.codec import load
from fiftyone_reue.progress import finish
from fiftyone_reue.vault import Vault, open_folder
from fiftyone_reue.vault.ledger import mongo, sqlite
from fiftyone_reue.vault.ledger.authenticated import AuthenticatedLedger
from fiftyone_reue.vault.vault import create_folder, repair_folder
from fiftyone_reue.workflows.restore import restore_original
from tests.vault.attacks import DATA, SECRETS, Held, held_in_mongo


def restores(vault: Vault, folder: Path) -> None:
    """The owner gets every original back."""
    for release in ("for_alice", "for_bob"):
        items = image_items(DATA / release)
        summary = finish(restore_original(vault, items, folder / release))
        assert summary.outcome.done == len(items)
        for item in image_items(folder / release):
            original = load(DATA / "source" / item.sample_id).raster.samples
            assert np.array_equal(load(item.path).raster.samples, original)


def test_nothing_is_lost(unauthenticated: Held, tmp_path: Path) -> None:
    assert unauthenticated.problems() == []
    assert unauthenticated.problems() == []
    with unauthenticated.opened() as vault:
        restores(vault, tmp_path / "back")
        assert vault.recipient("bob").revoked_at is not None
        vault.require_active(vault.recipient("alice"))
        vault.add_recipient("carol")
        assert len(vault.recipients()) == 3
    assert unauthenticated.problems() == []


def test_it_happens_once(
    unauthenticated: Held, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        unauthenticated.open().ledger.close()
    assert caplog.text.count("authenticated from now on") == 1
    row = next(iter(unauthenticated.attacker.rows("recipients")))
    unauthenticated.attacker.edit("recipients", row, mac=b"")
    assert any("changed" in line for line in unauthenticated.problems())


@pytest.mark.parametrize("fatal", range(1, 8))
def test_killed_on_the_way_it_is_repeated(
    unauthenticated: Held, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    left = fatal

    def mortal(name: str) -> None:
        real = getattr(AuthenticatedLedger, name)

        def call(*arguments: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
            return real(*arguments)

        monkeypatch.setattr(AuthenticatedLedger, name, call)

    for name in ("_set_macs", "_taken", "put_meta", "back_up"):
        mortal(name)
    with pytest.raises(KeyboardInterrupt):
        unauthenticated.open()
    monkeypatch.undo()
    assert unauthenticated.problems() == []


@pytest.mark.unit
def test_an_old_description_alone_is_noticed_and_repaired(old_ledger: Path) -> None:
    """It would have the ledger's rows believed as they are."""
    folder = old_ledger.parent
    with sqlite.SqliteLedger(old_ledger) as ledger:
        old = ledger.get_meta() or {}
    open_folder(folder, secrets=SECRETS).ledger.close()
    with sqlite.SqliteLedger(old_ledger) as ledger:
        ledger.put_meta(old)
    with pytest.raises(TamperedLedgerError, match="authenticated before"):
        open_folder(folder, secrets=SECRETS)
    assert repair_folder(folder, secrets=SECRETS) == old["vault_id"]
    with open_folder(folder, secrets=SECRETS).ledger as whole:
        assert whole.problems == []


@pytest.mark.unit
def test_the_old_file_is_kept_for_its_owner_alone(old_ledger: Path) -> None:
    with sqlite3.connect(old_ledger) as before:
        recipients = before.execute("SELECT * FROM recipients").fetchall()
    for _ in range(2):
        open_folder(old_ledger.parent, secrets=SECRETS).ledger.close()
    copy = old_ledger.with_name("ledger.sqlite" + sqlite.BACKUP_SUFFIX)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as kept:
        assert kept.execute("SELECT * FROM recipients").fetchall() == recipients
        assert kept.execute("PRAGMA user_version").fetchone()[0] == 2
    assert not list(old_ledger.parent.glob(".*"))


@pytest.mark.integration
def test_the_old_collections_are_kept(
    mongo_database: Any, old_ledger: Path, tmp_path: Path
) -> None:
    held_in_mongo(mongo_database, old_ledger, tmp_path).open()
    for name in (mongo.RECIPIENTS, mongo.RECORDS, mongo.IMAGES, mongo.META):
        kept = list(mongo_database[name + mongo.BACKUP_SUFFIX].find())
        assert len(kept) >= 1
        assert not any("mac" in one for one in kept)


@pytest.mark.unit
def test_a_lost_description_is_put_back(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, plain_key_file=True, secrets={})
    vault.add_recipient("ann")
    vault.ledger.close()
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(VaultError, match="are whole"):
        repair_folder(tmp_path, secrets={})
    with sqlite3.connect(path) as attacker:
        attacker.execute("DELETE FROM meta")
    for action in (create_folder, open_folder):
        with pytest.raises(VaultError, match=r"lost the vault's description.*repair"):
            action(tmp_path, secrets={})
    assert repair_folder(tmp_path, secrets={}) == vault.vault_id
    again = open_folder(tmp_path, secrets={})
    assert again.derive("x") == vault.derive("x")
    again.ledger.close()
    path.unlink()
    with pytest.raises(VaultError, match="its ledger is gone"):
        create_folder(tmp_path, plain_key_file=True, secrets={})


@pytest.mark.unit
def test_only_the_description_of_this_ledger_is_put_back(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with create_folder(tmp_path / name, secrets=SECRETS).ledger:
            pass
    (foreign,) = (tmp_path / "a").glob("*.counter")
    (own,) = (tmp_path / "b").glob("*.counter")
    own.unlink()
    foreign.rename(own.parent / foreign.name)
    with sqlite3.connect(tmp_path / "b" / "ledger.sqlite") as attacker:
        attacker.execute("DELETE FROM meta")
    with pytest.raises(VaultError, match="no copy of the description"):
        repair_folder(tmp_path / "b", secrets=SECRETS)
