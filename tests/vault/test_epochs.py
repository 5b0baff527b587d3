"""What a former owner, with the old key and backups, can't do after a rotation.

Before there were epochs, the one key of a vault outlived every rotation, so that the
old key with an old description opened all of it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.errors import (
    DamagedRecordError,
    ReueError,
    TamperedLedgerError,
    WrongKeyError,
)
from fiftyone_reue.media.codec import load
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault import Vault, records
from fiftyone_reue.vault.description import unwrap
from fiftyone_reue.vault.ledger.authenticated import AuthenticatedLedger
from fiftyone_reue.vault.ledger.macs import row_mac
from fiftyone_reue.vault.memo import Memo
from fiftyone_reue.vault.owner_keys import EnvironmentKey
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_original
from tests.vault.attacks import DATA, SECRETS, Held

NEW = {"REUE_OWNER_KEY": "cd" * 32}
OLD_KEY = bytes.fromhex(SECRETS["REUE_OWNER_KEY"])


class FormerOwner:
    """Has the owner key and a backup of before the rotation, and the whole ledger."""

    def __init__(self, held: Held) -> None:
        self.backup = held.attacker.everything()
        (row,) = self.backup["tables"]["meta"].values()
        self._meta = json.loads(row["document"])
        self.keys = unwrap(self._meta, OLD_KEY, "").keys

    def vault(self, held: Held) -> Vault:
        """The vault as their program has it, over the ledger as it is now."""
        ledger = held.connect()
        opened = unwrap(self._meta, OLD_KEY, "")
        vault_id = self._meta["vault_id"]
        return Vault(ledger, vault_id, opened, Memo(vault_id))

    def forge(self, held: Held, table: str, row: str, **values: Any) -> None:
        """Change a row and give it a MAC of the old epoch."""
        held.attacker.edit(table, row, **values)
        vault = self.vault(held)
        with vault.ledger.raw as raw:
            entity = raw.recipient(row) if table == "recipients" else raw.image(row)
            assert entity is not None
            mac = row_mac(vault.ledger._keys, table, entity)  # type: ignore[arg-type]
        held.attacker.edit(table, row, mac=mac)


def rotated(held: Held) -> FormerOwner:
    former = FormerOwner(held)
    with held.opened() as vault:
        vault.rotate(EnvironmentKey(NEW))
    return former


def release(vault: Vault, folder: Path, who: str) -> None:
    steps = protect(
        vault,
        who,
        labelled_items(DATA / "source"),
        folder / f"new_{who}",
        name=f"new {who}",
        source="source",
        config=ProtectConfig("lsp", seed=1),
    )
    assert not finish(steps).outcome.failures


@pytest.mark.slow
def test_what_was_made_since_stays_closed(held: Held, tmp_path: Path) -> None:
    with held.opened() as vault:
        release(vault, tmp_path / "before", "alice")
    former = rotated(held)
    with held.opened(NEW) as vault:
        carol, _ = vault.add_recipient("carol")
        release(vault, tmp_path, "carol")
        made = vault.ledger.releases()[-1]
        fit = vault.ledger.fit(made.fit_id or "")
        assert fit is not None
        record = next(iter(vault.ledger.records(made.id)))
    old = former.vault(held)
    with old.ledger.raw:
        for action in (
            lambda: old.recipient_key(carol),
            lambda: old.code_seed(carol),
            lambda: old.unseal("release-seed", made.id, made.sealed_seed),
            lambda: old.unseal("fit", fit.id, fit.sealed),
        ):
            with pytest.raises(WrongKeyError):
                action()
        envelope = records.unpack(record.blob)
        keys = old.derive_all("owner-box")
        for key in records.release_keys(keys, envelope.header.release):
            with pytest.raises(DamagedRecordError):
                records.open_owner(envelope, key, old.vault_id, record.digest_w)
    with pytest.raises(WrongKeyError):
        held.open(SECRETS)


@pytest.mark.slow
def test_the_owner_restores_and_traces_what_was_made_in_any_epoch(
    held: Held, tmp_path: Path
) -> None:
    rotated(held)
    with held.opened(NEW) as vault:
        release(vault, tmp_path, "alice")
        vault.rotate(EnvironmentKey(SECRETS))
        vault.add_recipient("carol")
        release(vault, tmp_path, "carol")
    assert held.problems() == []
    folders = [DATA / "for_bob", tmp_path / "new_alice", tmp_path / "new_carol"]
    with held.opened() as vault:
        for number, folder in enumerate(folders):
            items = image_items(folder)
            back = tmp_path / f"back{number}"
            assert finish(restore_original(vault, items, back)).outcome.done == 4
            for item in image_items(back):
                original = load(DATA / "source" / item.sample_id).raster.samples
                assert np.array_equal(load(item.path).raster.samples, original)
        assert len(vault.known_recipients()) == 3


def test_old_keys_make_no_row_that_is_believed(held: Held) -> None:
    former = rotated(held)
    rows = held.attacker.rows("recipients")
    bob = next(one for one, row in rows.items() if row["name"] == "bob")
    former.forge(held, "recipients", bob, revoked_at=None)
    image = next(iter(held.attacker.rows("images")))
    former.forge(held, "images", image, height=60000)
    with held.opened(NEW) as vault:
        with pytest.raises(TamperedLedgerError, match="changed without the owner key"):
            vault.recipient("bob")
        assert len(list(vault.ledger.images())) == 3
    assert len(held.problems(NEW)) >= 2


def test_putting_the_old_description_back_undoes_nothing(held: Held) -> None:
    former = rotated(held)
    after = held.attacker.rows("meta")
    held.attacker.put("meta", former.backup["tables"]["meta"])
    with pytest.raises(WrongKeyError):
        held.open(NEW)
    with pytest.raises(TamperedLedgerError, match="replaced"), held.opened():
        pass
    held.memo().unlink()  # the worst case
    with held.opened() as vault:  # the old key opens the old description, no more
        assert vault.recipients() == []
        with pytest.raises(ReueError):
            vault.add_recipient("carol")
    held.memo().unlink()
    held.attacker.put("meta", after)
    assert held.problems(NEW) == []


def middle_of_a_rotation(held: Held) -> dict[str, Any]:
    """Everything as it is while both keys open the vault."""
    seen = {}
    with held.opened() as vault:
        vault.rotate(
            EnvironmentKey(NEW), lambda: seen.update(held.attacker.everything())
        )
    return seen


def test_the_middle_of_a_rotation_can_not_be_filled_with_forged_rows(
    held: Held,
) -> None:
    former = FormerOwner(held)
    middle = middle_of_a_rotation(held)
    held.memo().unlink()  # the worst case
    held.attacker.put_back(middle)
    bob = next(
        one
        for one, row in held.attacker.rows("recipients").items()
        if row["name"] == "bob"
    )
    former.forge(held, "recipients", bob, revoked_at=None)
    vault = former.vault(held)
    with vault.ledger.raw:
        vault.ledger.accept()
    with held.opened(NEW) as vault:
        assert vault.recipients() == []
        assert any("former owner" in str(one) for one in vault.ledger.problems)


def test_the_middle_itself_is_older_than_the_memo(held: Held) -> None:
    middle = middle_of_a_rotation(held)
    held.attacker.put_back(middle)
    assert any("older than" in line for line in held.problems(NEW))


def test_nothing_is_written_in_the_middle(held: Held) -> None:
    def write() -> None:
        with (
            held.opened() as vault,
            pytest.raises(ReueError, match="reue keys rotate"),
        ):
            vault.add_recipient("carol")

    with held.opened() as vault:
        vault.rotate(EnvironmentKey(NEW), write)
    with held.opened(NEW) as vault:
        vault.add_recipient("carol")
    assert held.problems(NEW) == []


def test_a_rotation_hides_no_tampering(held: Held) -> None:
    rows = held.attacker.rows("recipients")
    bob = next(one for one, row in rows.items() if row["name"] == "bob")
    held.attacker.remove("recipients", bob)
    for table in ("images", "records"):
        held.attacker.remove(table, next(iter(held.attacker.rows(table))))
    before = {line for line in held.problems() if "missing" in line}
    assert len(before) >= 3
    rotated(held)
    assert {line for line in held.problems(NEW) if "missing" in line} == before


class KilledError(BaseException):
    """Stands for a power failure."""


def die_at(
    patch: pytest.MonkeyPatch, owner: type, name: str, fatal: int, done: bool
) -> None:
    real: Callable[..., Any] = getattr(owner, name)
    left = fatal

    def call(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and not done:
            raise KilledError
        result = real(*arguments)
        if left == 0:
            raise KilledError
        return result

    patch.setattr(owner, name, call)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["set_macs", "put_inventory", "put_meta"])
@pytest.mark.parametrize("done", [False, True])
def test_killed_anywhere_a_rotation_can_be_finished(
    held: Held, monkeypatch: pytest.MonkeyPatch, name: str, done: bool
) -> None:
    with held.connect() as ledger:
        kind = type(ledger)
    kills = 0
    secrets, others = SECRETS, NEW
    for fatal in range(1, 9):
        with monkeypatch.context() as patch, held.opened(secrets) as vault:
            die_at(patch, kind, name, fatal, done)
            try:
                vault.rotate(EnvironmentKey(others))
            except KilledError:
                kills += 1
        for one in (others, secrets):
            try:
                with held.opened(one) as vault:
                    assert {p.name for p in vault.recipients()} == {"alice", "bob"}
                    assert vault.ledger.problems == []
                    if len((vault.ledger.get_meta() or {})["wraps"]) > 1 or (
                        one is secrets
                    ):
                        vault.rotate(EnvironmentKey(others))
                break
            except WrongKeyError:
                continue
        secrets, others = others, secrets
        assert held.problems(secrets) == []
        with held.opened(secrets) as vault:
            vault.ledger.put_release(replace(vault.ledger.releases()[0], updated=9.0))
    assert kills >= 2


def test_another_process_may_read_while_the_key_is_replaced(held: Held) -> None:
    with held.opened() as other, held.opened() as vault:
        assert isinstance(other.ledger, AuthenticatedLedger)
        seen: list[str] = []
        vault.rotate(
            EnvironmentKey(NEW), lambda: seen.extend(p.name for p in other.recipients())
        )
        assert seen == ["alice", "bob"]
        with pytest.raises(ReueError, match="open it again"):
            other.recipients()
        assert other.ledger.problems == []


def once(
    patch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    beside: Callable[[], object],
    *,
    first: bool = False,
    call: int = 1,
) -> None:
    """Let something happen beside a call of a method, before or after it."""
    real: Callable[..., Any] = getattr(owner, name)
    left = call

    def method(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        now = left == 0
        if now and first:
            beside()
        result = real(*arguments)
        if now and not first:
            beside()
        return result

    patch.setattr(owner, name, method)


def kind_of(held: Held) -> type:
    with held.connect() as ledger:
        return type(ledger)


def names_and_problems(held: Held) -> tuple[set[str], list[str]]:
    with held.opened(NEW) as vault:
        names = {one.name for one in vault.recipients()}
        return names, [str(one) for one in vault.ledger.problems]


SOUND = ({"alice", "bob"}, [])


@pytest.mark.parametrize("name", ["exclusive", "get_inventory"])
def test_two_that_open_at_once_both_finish_a_rotation(
    held: Held, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with monkeypatch.context() as patch, held.opened() as vault:
        die_at(patch, AuthenticatedLedger, "rekey", 1, done=False)
        with pytest.raises(KilledError):
            vault.rotate(EnvironmentKey(NEW))
    seen = []

    def other() -> None:
        seen.append(names_and_problems(held))

    with monkeypatch.context() as patch:
        once(patch, kind_of(held), name, other, first=name == "exclusive")
        assert names_and_problems(held) == SOUND
    assert seen == [SOUND]
    assert held.problems(NEW) == []


def test_a_rotation_goes_on_where_somebody_else_finished_it(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    with monkeypatch.context() as patch, held.opened() as vault:
        once(
            patch,
            kind_of(held),
            "put_meta",
            lambda: seen.append(names_and_problems(held)),
            call=2,
        )
        vault.rotate(EnvironmentKey(NEW))
        vault.add_recipient("carol")
    assert seen == [SOUND]
    assert held.problems(NEW) == []


def test_a_description_that_is_replaced_while_it_is_read_is_read_again(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = middle_of_a_rotation(held)
    after = held.attacker.everything()
    held.attacker.put_back(middle)
    with monkeypatch.context() as patch:
        once(
            patch,
            kind_of(held),
            "get_inventory",
            lambda: held.attacker.put_back(after),
        )
        assert names_and_problems(held) == SOUND


def test_who_opened_it_in_the_middle_is_told_to_open_it_again(held: Held) -> None:
    opened = []
    with held.opened() as vault:
        vault.rotate(EnvironmentKey(NEW), lambda: opened.append(held.open(NEW)))
    (other,) = opened
    with other.ledger:
        with pytest.raises(ReueError, match="open it again"):
            other.recipients()
        assert other.ledger.problems == []
