import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import TamperedLedgerError, VaultError
from fiftyone_reue.vault import (
    SqliteLedger,
    Vault,
    create_folder,
    file_lock,
    open_folder,
    rotate_folder,
)
from fiftyone_reue.vault import memo as memo_module
from fiftyone_reue.vault import vault as vault_module
from fiftyone_reue.vault.memo import (
    FolderStore,
    Memo,
    Remembered,
    remembered_in,
    remembered_of,
    stores_for,
)
from fiftyone_reue.vault.owner_keys import EnvironmentKey, KeyFile, KeyringKey
from fiftyone_reue.vault.vault import repair_folder

pytestmark = pytest.mark.unit

ID = "0123456789abcdef"


def test_it_is_kept_beside_the_key_and_in_the_folder(tmp_path: Path) -> None:
    key = tmp_path / "usb" / "my.key"
    key.parent.mkdir()
    vault = create_folder(tmp_path / "v", key_file=key, secrets={})
    vault.add_recipient("ann")
    vault.ledger.close()
    for folder in (key.parent, tmp_path / "v"):
        (one,) = remembered_in([folder])
        assert one.vault_id == vault.vault_id
        assert one.meta["vault_id"] == vault.vault_id
        assert one.counter == 2
    assert oct((tmp_path / "v" / f"{vault.vault_id}.counter").stat().st_mode)[-3:] == (
        "600"
    )


def test_the_highest_counter_counts_and_never_goes_back(tmp_path: Path) -> None:
    stores = [FolderStore(tmp_path / "a"), FolderStore(tmp_path / "b")]
    for store, counter in zip(stores, (7, 3), strict=True):
        store.folder.mkdir()
        store.write(Remembered(ID, counter, {"a": 1}))
    memo = Memo(ID, stores)
    assert (memo.counter, memo.known) == (7, True)
    memo.keep_meta({"a": 2})
    memo.keep_counter(5)
    assert [one.counter for one in remembered_in([tmp_path / "a", tmp_path / "b"])] == [
        7
    ]
    memo.keep_counter(8)
    kept = [store.read(ID) for store in stores]
    assert kept == [Remembered(ID, 8, {"a": 2})] * 2
    assert not Memo("f" * 16, stores).known


def test_a_place_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    memo = Memo(ID, [FolderStore(tmp_path / "none"), FolderStore(tmp_path)])
    memo.keep_meta({"a": 1})
    memo.keep_counter(1)
    assert memo.unkept == [str(tmp_path / "none" / f"{ID}.counter")]
    assert memo.places == [str(tmp_path / f"{ID}.counter")]


def test_a_vault_without_a_place_says_so(tmp_path: Path) -> None:
    assert stores_for(EnvironmentKey({}), None) == []
    assert Memo(ID).places == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"vault": 1}', '{"counter": "x"}'])
def test_a_damaged_memo_is_named(tmp_path: Path, text: str) -> None:
    vault = create_folder(tmp_path, plain_key_file=True, secrets={})
    vault.ledger.close()
    path = tmp_path / f"{vault.vault_id}.counter"
    path.write_text(text)
    with pytest.raises(VaultError, match=rf"{path.name} is damaged"):
        open_folder(tmp_path, secrets={})
    assert remembered_in([tmp_path]) == []


def test_a_counter_that_is_ahead_is_noticed(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, plain_key_file=True, secrets={})
    vault.ledger.close()
    path = tmp_path / f"{vault.vault_id}.counter"
    path.write_text(json.dumps({**json.loads(path.read_text()), "counter": 99}))
    again = open_folder(tmp_path, secrets={})
    with again.ledger, pytest.raises(TamperedLedgerError, match="change 1, not 99"):
        again.add_recipient("ann")


@pytest.mark.slow
def test_the_keyring_keeps_it(
    tmp_path: Path, memory_keyring: dict[tuple[str, str], str]
) -> None:
    vault = create_folder(tmp_path, use_keyring=True, secrets={})
    vault.add_recipient("ann")
    vault.ledger.close()
    text = memory_keyring["fiftyone-reue", f"{vault.vault_id}.counter"]
    assert json.loads(text)["counter"] == 2
    (tmp_path / f"{vault.vault_id}.counter").unlink()
    with open_folder(tmp_path, secrets={}).ledger:
        pass
    assert stores_for(KeyringKey("x"), tmp_path)[1:] == [FolderStore(tmp_path)]


def test_a_rotation_leaves_no_old_seal_in_it(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, plain_key_file=True, secrets={})
    vault.ledger.close()
    (old,) = remembered_in([tmp_path])
    rotate_folder(tmp_path, secrets={})
    (new,) = remembered_in([tmp_path])
    text = (tmp_path / f"{vault.vault_id}.counter").read_text()
    assert old.meta["wraps"][0]["wrapped"] not in text
    assert new.counter > old.counter


@pytest.mark.parametrize("counter", ["1e999", "-1", "true", '"1"', "1.5", "null"])
def test_a_counter_that_is_none_is_refused(tmp_path: Path, counter: str) -> None:
    text = f'{{"vault": "{ID}", "counter": {counter}, "description": {{}}}}'
    (tmp_path / f"{ID}.counter").write_text(text)
    with pytest.raises(VaultError, match="is damaged"):
        FolderStore(tmp_path).read(ID)
    assert remembered_in([tmp_path]) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"{ID}.counter")
    with pytest.raises(VaultError, match="isn't a file"):
        FolderStore(tmp_path).read(ID)
    assert remembered_in([tmp_path]) == []


def test_an_opener_with_an_older_view_never_lowers_it(tmp_path: Path) -> None:
    """It wrote the number that it had read, whatever others had written since."""
    place = FolderStore(tmp_path)
    place.write(Remembered(ID, 5, {"a": 1}, b"five"))
    old, new = Memo(ID, [place]), Memo(ID, [place])
    new.keep_meta({"a": 2})
    new.keep_counter(9, b"nine")
    old.keep_counter(6, b"six")
    assert place.read(ID) == Remembered(ID, 9, {"a": 2}, b"nine")
    assert old.counter == 9
    old.keep_counter(9)
    assert place.read(ID) == Remembered(ID, 9, {"a": 2}, b"nine")
    old.keep_meta({"a": 1}, lambda: False)
    assert place.read(ID) == Remembered(ID, 9, {"a": 2}, b"nine")


def test_a_vault_that_was_opened_before_keeps_what_was_changed_since(
    tmp_path: Path,
) -> None:
    made = create_folder(tmp_path, plain_key_file=True, secrets={})
    early = open_folder(tmp_path, secrets={})
    for name in ("ann", "ben", "cyd"):
        made.add_recipient(name)
    early.memo.keep_counter(2)
    (kept,) = remembered_in([tmp_path])
    assert kept.counter == 4
    early.add_recipient("dan")
    (kept,) = remembered_in([tmp_path])
    assert kept.counter == 5
    for vault in (made, early):
        assert vault.ledger.problems == []
        vault.ledger.close()


def test_a_description_from_before_a_rotation_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody opens the vault, and the owner key is replaced before they are done."""
    create_folder(tmp_path, plain_key_file=True, secrets={}).ledger.close()
    (old,) = remembered_in([tmp_path])
    keep_meta = Memo.keep_meta

    def late(memo: Memo, *values: Any) -> None:
        monkeypatch.setattr(Memo, "keep_meta", keep_meta)
        rotate_folder(tmp_path, secrets={})
        memo.keep_meta(*values)

    monkeypatch.setattr(Memo, "keep_meta", late)
    with pytest.raises(VaultError, match="replaced since"):
        open_folder(tmp_path, secrets={})
    (new,) = remembered_in([tmp_path])
    assert new.meta["wraps"][0]["wrapped"] != old.meta["wraps"][0]["wrapped"]


def test_a_rotation_while_a_vault_is_opened_accuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered is newer then than the description that was read before."""
    create_folder(tmp_path, plain_key_file=True, secrets={}).ledger.close()
    unwrap = vault_module.unwrap

    def late(*values: Any, **named: Any) -> Any:
        opened = unwrap(*values, **named)
        monkeypatch.setattr(vault_module, "unwrap", unwrap)
        rotate_folder(tmp_path, secrets={})
        return opened

    monkeypatch.setattr(vault_module, "unwrap", late)
    with open_folder(tmp_path, secrets={}).ledger as ledger:
        assert ledger.problems == []


def test_which_database_it_is_of_is_kept_by_who_does_not_say_it(
    tmp_path: Path,
) -> None:
    place = FolderStore(tmp_path)
    memo, other = Memo(ID, [place], "mongodb://a/b"), Memo(ID, [place])
    memo.keep_meta({"a": 1})
    other.keep_meta({"a": 2})
    other.keep_counter(4, b"four")
    kept = Remembered(ID, 4, {"a": 2}, b"four", "mongodb://a/b")
    assert place.read(ID) == kept
    assert remembered_of(tmp_path, "mongodb://a/b") == [kept]
    assert remembered_of(tmp_path) == []
    moved = Memo(ID, [place], "mongodb://c/b")
    moved.keep_meta({"a": 2})
    assert place.read(ID) == replace(kept, ledger="mongodb://c/b")


@pytest.mark.parametrize("ledger", ["7", "null", "[]"])
def test_a_database_that_is_no_text_is_refused(tmp_path: Path, ledger: str) -> None:
    text = f'{{"vault": "{ID}", "counter": 1, "description": {{}}, "ledger": {ledger}}}'
    (tmp_path / f"{ID}.counter").write_text(text)
    with pytest.raises(VaultError, match="is damaged"):
        FolderStore(tmp_path).read(ID)


def _keep(folder: Path, first: int, count: int) -> None:
    memo = Memo(ID, [FolderStore(folder)])
    memo.keep_meta({"a": 1})
    for number in range(first, first + 3 * count, 3):
        memo.keep_counter(number, b"%d" % number)


@pytest.mark.slow
@pytest.mark.integration
def test_it_only_goes_up_while_several_write(tmp_path: Path) -> None:
    count = 150
    start = multiprocessing.get_context("spawn").Process
    place = FolderStore(tmp_path)
    running = [start(target=_keep, args=(tmp_path, n, count)) for n in (1, 2, 3)]
    for process in running:
        process.start()
    seen = [0]
    while any(process.is_alive() for process in running):
        kept = place.read(ID)
        if kept is not None:
            assert kept.listed in (b"", b"%d" % kept.counter)
            seen.append(kept.counter)
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0, 0, 0]
    assert seen == sorted(seen)
    kept = place.read(ID)
    assert kept is not None
    assert kept.counter == 3 * count
    assert [one.name for one in tmp_path.glob("*tmp*")] == []


def test_who_keeps_the_lock_keeps_others_out_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock.file_lock.__wrapped__, "__defaults__", (0.05,))
    place = FolderStore(tmp_path)
    memo = Memo(ID, [place])
    with place.locked(ID):
        memo.keep_meta({"a": 1})
        assert memo.unkept == [str(tmp_path / f"{ID}.counter")]
        assert place.read(ID) is None
    memo.keep_meta({"a": 1})
    assert memo.unkept == []
    assert place.read(ID) == Remembered(ID, 0, {"a": 1})


def test_that_of_another_vault_is_refused(tmp_path: Path) -> None:
    path = FolderStore(tmp_path).path(ID)
    path.write_text(Remembered("f" * 16, 3, {"a": 1}).to_text())
    with pytest.raises(VaultError, match="another vault"):
        Memo(ID, [FolderStore(tmp_path)])


@pytest.mark.parametrize("listed", ['"*"', "7", "null", "[]"])
def test_a_list_that_is_none_is_refused(tmp_path: Path, listed: str) -> None:
    text = f'{{"vault": "{ID}", "counter": 1, "description": {{}}, "list": {listed}}}'
    (tmp_path / f"{ID}.counter").write_text(text)
    with pytest.raises(VaultError, match="is damaged"):
        FolderStore(tmp_path).read(ID)


def test_a_list_that_is_too_long_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo_module, "_LONGEST_LIST", 9)
    memo = Memo(ID, [FolderStore(tmp_path)])
    memo.keep_meta({"a": 1})
    memo.keep_counter(3, bytes(10))
    assert FolderStore(tmp_path).read(ID) == Remembered(ID, 3, {"a": 1})


def exchanged(folder: Path, vault_id: str | None) -> None:
    """Put a vault of somebody else's there, which leads to a key file of theirs."""
    theirs = folder.parent / "theirs"
    provider = KeyFile(folder.parent / "images" / "planted.key")
    provider.path.parent.mkdir()
    provider.create()
    theirs.mkdir()
    with SqliteLedger(theirs / "ledger.sqlite") as ledger:
        vault = Vault.create(ledger, provider, vault_id=vault_id)
        for number in range(5):  # so that its counter isn't an old one
            vault.add_recipient(f"ann{number}")
    (theirs / "ledger.sqlite").replace(folder / "ledger.sqlite")


@pytest.mark.parametrize("same_id", [True, False])
@pytest.mark.parametrize("where", ["beside the key", "in the folder"])
def test_no_vault_of_others_is_opened_in_place_of_ones_own(
    tmp_path: Path, same_id: bool, where: str
) -> None:
    """Whoever writes the ledger could give the owner's programs a key of theirs."""
    folder = tmp_path / "v"
    inside = where == "in the folder"
    key = {"plain_key_file": True} if inside else {"key_file": tmp_path / "my.key"}
    mine = create_folder(folder, **key, secrets={})  # type: ignore[arg-type]
    mine.ledger.close()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.counter")}
    exchanged(folder, mine.vault_id if same_id else None)
    match = "other keys" if same_id else f"was of {mine.vault_id}"
    with pytest.raises(TamperedLedgerError, match=match):
        open_folder(folder, secrets={})
    with pytest.raises(TamperedLedgerError, match=match):
        repair_folder(folder, secrets={})
    # Nothing was noted that would make it good the next time.
    after = {path: path.read_bytes() for path in tmp_path.rglob("*.counter")}
    assert after == before
    (folder / f"{mine.vault_id}.counter").unlink()  # as the error says
    open_folder(folder, secrets={}).ledger.close()


@pytest.mark.parametrize("same_id", [True, False])
@pytest.mark.parametrize("rows", [True, False])
def test_an_exchanged_description_can_be_repaired(
    tmp_path: Path, same_id: bool, rows: bool
) -> None:
    """Also where the list is lost as well, if there are any rows to tell whose."""
    folder = tmp_path / "v"
    vault = create_folder(folder, plain_key_file=True, secrets={})
    with vault.ledger:
        if rows:
            vault.add_recipient("ann")
    theirs = KeyFile(tmp_path / "k")
    theirs.create()
    with SqliteLedger(tmp_path / "w.sqlite") as ledger:
        vault_id = vault.vault_id if same_id else None
        other = Vault.create(ledger, theirs, vault_id=vault_id).ledger.get_meta()
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        if rows:
            ledger.put_inventory(b"")
        mine = ledger.get_meta()
        ledger.put_meta(other or {})
    with pytest.raises(TamperedLedgerError, match="reue vault repair"):
        open_folder(folder, secrets={})
    assert repair_folder(folder, secrets={}) == (mine or {})["vault_id"]
    with open_folder(folder, secrets={}).ledger as whole:
        assert whole.problems == []
        assert len(whole.recipients()) == rows


def test_a_memo_from_before_a_rotation_elsewhere_is_good(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    vault = create_folder(folder, plain_key_file=True, secrets={})
    vault.ledger.close()
    path = folder / f"{vault.vault_id}.counter"
    before = path.read_text()
    rotate_folder(folder, secrets={})
    rotate_folder(folder, secrets={})
    path.write_text(before)
    open_folder(folder, secrets={}).ledger.close()
    assert path.read_text() != before
