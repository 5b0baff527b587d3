"""A rotation may be killed anywhere, and the vault still opens."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import InputError, OutputError, VaultError, WrongKeyError
from fiftyone_reue.vault import (
    SqliteLedger,
    Vault,
    create_folder,
    open_folder,
    rotate_folder,
)
from fiftyone_reue.vault import vault as vault_module
from fiftyone_reue.vault.crypto import key_id
from fiftyone_reue.vault.owner_keys import EnvironmentKey, KeyFile
from tests.keyrings import owner_keys_in

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]
OLD = {"REUE_OWNER_KEY": "11" * 32}
NEW = {"REUE_OWNER_KEY": "22" * 32}


class KilledError(BaseException):
    """Stands for a power failure."""


class MortalLedger(SqliteLedger):
    """Dies at the n-th change of the description, before or after it is done."""

    def __init__(self, path: Path, fatal: int, done: bool) -> None:
        super().__init__(path)
        self._left = fatal
        self._done = done

    def put_meta(self, meta: dict[str, Any]) -> None:
        self._left -= 1
        if self._left == 0 and not self._done:
            raise KilledError
        super().put_meta(meta)
        if self._left == 0:
            raise KilledError


def description(folder: Path) -> dict[str, Any]:
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        meta = ledger.get_meta()
    assert meta is not None
    return meta


def wraps(folder: Path) -> list[dict[str, str]]:
    return description(folder)["wraps"]


def opens(folder: Path, secrets: dict[str, str]) -> bool:
    try:
        open_folder(folder, secrets=secrets).ledger.close()
    except WrongKeyError:
        return False
    return True


def test_only_the_new_key_opens_a_rotated_vault(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets=OLD)
    recipient, key = vault.add_recipient("ann")
    before = vault.derive("x"), vault.code_seed(recipient)
    ids = vault.rotate(EnvironmentKey(NEW))
    assert ids == (key_id(bytes([0x11] * 32)), key_id(bytes([0x22] * 32)))
    assert not opens(tmp_path, OLD)
    again = open_folder(tmp_path, secrets=NEW)
    assert (again.derive("x"), again.code_seed(recipient)) == before
    assert again.recipient_key(recipient) == key
    assert vault.recipient_key(recipient) == key


def test_the_old_wrap_is_gone_from_the_files(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets=OLD)
    (old,) = wraps(tmp_path)
    vault.rotate(EnvironmentKey(NEW))
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert old["wrapped"].encode() not in files
    assert wraps(tmp_path)[0]["wrapped"].encode() in files


def test_rotating_to_the_present_key_is_refused(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets=OLD)
    with pytest.raises(InputError, match="is the one that the vault has"):
        vault.rotate(EnvironmentKey(OLD))
    assert opens(tmp_path, OLD)


def test_a_new_key_that_does_not_load_changes_nothing(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets=OLD)
    before = wraps(tmp_path)
    with pytest.raises(VaultError):
        vault.rotate(EnvironmentKey({}))
    assert wraps(tmp_path) == before


@pytest.mark.parametrize(
    ("fatal", "done", "old_opens", "new_opens"),
    [
        (1, False, True, False),
        (1, True, True, True),
        (2, False, True, True),
        (2, True, False, True),
    ],
)
def test_killed_at_any_step_a_key_still_opens(
    tmp_path: Path, fatal: int, done: bool, old_opens: bool, new_opens: bool
) -> None:
    vault = create_folder(tmp_path, secrets=OLD)
    vault.ledger = MortalLedger(tmp_path / "ledger.sqlite", fatal, done)
    with pytest.raises(KilledError):
        vault.rotate(EnvironmentKey(NEW))
    assert opens(tmp_path, OLD) == old_opens
    assert opens(tmp_path, NEW) == new_opens
    # Whichever opens it can finish.
    again = open_folder(tmp_path, secrets=NEW if new_opens else OLD)
    if len(wraps(tmp_path)) > 1 or not new_opens:
        again.rotate(EnvironmentKey(NEW))
    assert opens(tmp_path, NEW)
    assert not opens(tmp_path, OLD)
    assert again.derive("x") == vault.derive("x")


def test_killed_while_the_new_key_is_installed(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets=OLD)

    def die() -> None:
        raise KilledError

    with pytest.raises(KilledError):
        vault.rotate(EnvironmentKey(NEW), die)
    assert opens(tmp_path, OLD)
    assert opens(tmp_path, NEW)


def test_a_rotated_folder_swaps_its_key_file(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets={}, plain_key_file=True)
    old = (tmp_path / "owner.key").read_text()
    rotation = rotate_folder(tmp_path, secrets={})
    old_id, new_id = rotation.old_id, rotation.new_id
    assert old_id in old
    assert new_id in (tmp_path / "owner.key").read_text()
    kept = tmp_path / f"owner.key.old-{old_id}"
    assert rotation.renamed == {kept: tmp_path / "owner.key"}
    assert kept.read_text() == old
    assert kept.stat().st_mode & 0o777 == 0o600
    assert open_folder(tmp_path, secrets={}).derive("x") == vault.derive("x")
    assert not (tmp_path / "owner.key.next").exists()
    (tmp_path / "owner.key").write_text(old)
    with pytest.raises(WrongKeyError, match=old_id):
        open_folder(tmp_path, secrets={})


KILL_SCRIPT = """
import os, signal, sys
from fiftyone_reue.vault import rotation as module
from fiftyone_reue.vault.ledger import SqliteLedger

point = int(sys.argv[2])
calls = 0

def mortal(function):
    def call(*args):
        global calls
        for _ in range(2):
            if calls == point:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1
            if _ == 0:
                result = function(*args)
        return result
    return call

SqliteLedger.put_meta = mortal(SqliteLedger.put_meta)
module._move_key_file = mortal(module._move_key_file)
module.rotate_folder(sys.argv[1], secrets={})
"""


@pytest.mark.integration
@pytest.mark.parametrize("point", range(7))
def test_a_killed_process_leaves_a_vault_that_opens(tmp_path: Path, point: int) -> None:
    vault = create_folder(tmp_path, secrets={}, plain_key_file=True)
    vault.ledger.close()
    result = subprocess.run(
        [sys.executable, "-c", KILL_SCRIPT, str(tmp_path), str(point)],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )
    # Six points to die at: before and after each of two puts and the swap.
    assert result.returncode == (-signal.SIGKILL if point < 6 else 0)
    assert open_folder(tmp_path, secrets={}).derive("x") == vault.derive("x")
    rotate_folder(tmp_path, secrets={})
    assert len(wraps(tmp_path)) == 1
    assert "next_provider" not in description(tmp_path)
    assert open_folder(tmp_path, secrets={}).derive("x") == vault.derive("x")


@pytest.mark.usefixtures("quick_scrypt")
def test_rotating_between_kinds(tmp_path: Path) -> None:
    first, second = (
        {"REUE_OWNER_PASSPHRASE": "first"},
        {"REUE_OWNER_PASSPHRASE": "second"},
    )
    vault = create_folder(tmp_path / "v", secrets={}, plain_key_file=True)
    rotate_folder(tmp_path / "v", passphrase="first", secrets={})
    with pytest.raises(VaultError, match="passphrase is missing"):
        open_folder(tmp_path / "v", secrets={})
    rotate_folder(tmp_path / "v", passphrase="second", secrets=first)
    with pytest.raises(WrongKeyError):
        open_folder(tmp_path / "v", secrets=first)
    rotate_folder(tmp_path / "v", key_file=tmp_path / "my.key", secrets=second)
    assert open_folder(tmp_path / "v", secrets={}).derive("x") == vault.derive("x")
    rotate_folder(tmp_path / "v", provider=EnvironmentKey(NEW), secrets={})
    assert open_folder(tmp_path / "v", secrets=NEW).derive("x") == vault.derive("x")
    # The file in the folder that the vault left long ago isn't taken up again.
    assert not (tmp_path / "v" / "owner.key").exists()
    with pytest.raises(VaultError, match="Say where the new owner key is to come"):
        rotate_folder(tmp_path / "v", secrets=NEW)
    assert not (tmp_path / "v" / "owner.key").exists()
    rotate_folder(tmp_path / "v", secrets=NEW, plain_key_file=True)
    assert open_folder(tmp_path / "v", secrets={}).derive("x") == vault.derive("x")


@pytest.mark.usefixtures("quick_scrypt")
def test_a_key_stays_where_its_kind_is(
    tmp_path: Path, memory_keyring: dict[Any, str]
) -> None:
    vault = create_folder(tmp_path / "ring", secrets={})
    rotate_folder(tmp_path / "ring", secrets={})
    assert len(owner_keys_in(memory_keyring)) == 2
    opened = open_folder(tmp_path / "ring", secrets={})
    assert opened.derive("x") == vault.derive("x")

    first = {"REUE_OWNER_PASSPHRASE": "first"}
    create_folder(tmp_path / "word", secrets=first).ledger.close()
    with pytest.raises(VaultError, match="--passphrase"):
        rotate_folder(tmp_path / "word", secrets=first)
    assert opens(tmp_path / "word", first)
    rotate_folder(tmp_path / "word", secrets=first, ask_new=lambda prompt: "second")
    assert opens(tmp_path / "word", {"REUE_OWNER_PASSPHRASE": "second"})
    assert not list(tmp_path.rglob("*.key*"))


@pytest.mark.usefixtures("quick_scrypt")
@pytest.mark.parametrize("fatal", [1, 2])
def test_either_passphrase_opens_in_the_middle(
    tmp_path: Path, fatal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_folder(tmp_path, passphrase="old", secrets={}).ledger.close()
    with monkeypatch.context() as patched:
        patched.setattr(
            vault_module, "SqliteLedger", lambda path: MortalLedger(path, fatal, True)
        )
        with pytest.raises(KilledError):
            rotate_folder(
                tmp_path, passphrase="new", secrets={}, ask=lambda prompt: "old"
            )
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "new"

    open_folder(tmp_path, secrets={}, ask=ask)
    assert len(asked) == 1
    assert opens(tmp_path, {"REUE_OWNER_PASSPHRASE": "old"}) == (fatal == 1)
    assert not opens(tmp_path, {"REUE_OWNER_PASSPHRASE": "neither"})
    rotate_folder(tmp_path, passphrase="last", secrets={}, ask=ask)
    assert opens(tmp_path, {"REUE_OWNER_PASSPHRASE": "last"})
    assert not opens(tmp_path, {"REUE_OWNER_PASSPHRASE": "new"})


def test_in_the_middle_a_missing_key_file_is_explained(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets={}, plain_key_file=True)
    vault.ledger = MortalLedger(tmp_path / "ledger.sqlite", 1, True)
    with pytest.raises(KilledError):
        vault.rotate(EnvironmentKey(NEW))
    (tmp_path / "owner.key").unlink()
    with pytest.raises(VaultError, match="missing"):
        open_folder(tmp_path, secrets={})
    assert opens(tmp_path, NEW)


def test_a_key_file_elsewhere_is_swapped_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "my.key"
    create_folder(tmp_path / "v", key_file=path, secrets={}).ledger.close()
    old = path.read_text()
    rotate_folder(tmp_path / "v", secrets={})
    assert path.read_text() != old
    assert opens(tmp_path / "v", {})
    with pytest.raises(OutputError, match=r"my\.key is there already"):
        rotate_folder(tmp_path / "v", key_file=path, secrets={})


def test_a_key_that_can_not_be_installed_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_folder(tmp_path, secrets={}, plain_key_file=True).ledger.close()

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    real = os.replace
    monkeypatch.setattr(
        os,
        "replace",
        lambda a, b: refuse() if Path(b).name == "owner.key" else real(a, b),
    )
    with pytest.raises(OutputError, match="the old one is still valid"):
        rotate_folder(tmp_path, secrets={})
    monkeypatch.undo()
    assert opens(tmp_path, {})


def test_a_vault_that_was_open_is_shut_out_by_a_rotation(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets=OLD)
    other = Vault.open(vault.ledger, EnvironmentKey(OLD))
    vault.rotate(EnvironmentKey(NEW))
    with pytest.raises(VaultError, match="open it again with the new one"):
        other.add_recipient("ann")
    recipient, key = vault.add_recipient("ann")
    assert vault.recipient_key(recipient) == key


RING = ("keyring", {"use_keyring": True}, {})
WORDS = (
    "passphrase",
    {"passphrase": "two words"},
    {"REUE_OWNER_PASSPHRASE": "two words"},
)
RAW = ("raw", {"provider": EnvironmentKey(NEW)}, NEW)
FILE = ("file", {}, {})


@pytest.mark.usefixtures("quick_scrypt", "memory_keyring")
@pytest.mark.parametrize(
    ("wanted", "secrets"),
    [pytest.param(*one[1:], id=one[0]) for one in (RING, WORDS, RAW, FILE)],
)
def test_a_former_plain_file_is_put_away(
    tmp_path: Path, wanted: dict[str, Any], secrets: dict[str, str]
) -> None:
    folder = tmp_path / "v"
    create_folder(folder, secrets={}, plain_key_file=True).ledger.close()
    shutil.copytree(folder, tmp_path / "backup")
    old = (folder / "owner.key").read_text()
    rotation = rotate_folder(folder, secrets={}, **wanted)
    vault = open_folder(folder, secrets=secrets)
    sealed, _ = vault.add_recipient("made since")
    ((kept, was),) = rotation.renamed.items()
    assert was == folder / "owner.key"
    assert kept == folder / f"owner.key.old-{rotation.old_id}"
    assert kept.read_text() == old
    holders = [p for p in folder.iterdir() if p.read_bytes() == old.encode()]
    assert holders == [kept]
    # Of today's vault the old key opens nothing, of a backup what was there then.
    assert not opens(folder, _raw_of(kept))
    former = open_folder(tmp_path / "backup", secrets=_raw_of(kept))
    with pytest.raises(WrongKeyError):
        former.recipient_key(sealed)
    said = "\n".join(rotation.notes())
    assert f"{was} was renamed to {kept}" in said
    assert "opens backups of the ledger from before" in said
    assert "nothing that is made from now on" in said


def _raw_of(path: Path) -> dict[str, str]:
    return {"REUE_OWNER_KEY": KeyFile(path).load().hex()}


def test_the_old_file_stays_until_the_new_key_opens_the_vault(
    tmp_path: Path, memory_keyring: dict[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_folder(tmp_path, secrets={}, plain_key_file=True).ledger.close()
    old = (tmp_path / "owner.key").read_text()
    real = Vault.rotate

    def forgetful(*args: Any) -> Any:
        done = real(*args)
        memory_keyring.clear()
        return done

    monkeypatch.setattr(Vault, "rotate", forgetful)
    with pytest.raises(VaultError, match="holds no owner key"):
        rotate_folder(tmp_path, secrets={}, use_keyring=True)
    assert (tmp_path / "owner.key").read_text() == old


@pytest.mark.usefixtures("memory_keyring")
def test_a_key_of_several_vaults_is_not_taken_from_the_others(tmp_path: Path) -> None:
    path = tmp_path / "my.key"
    for name in ("one", "two"):
        create_folder(tmp_path / name, key_file=path, secrets={}).ledger.close()
    old = path.read_text()
    with pytest.raises(InputError, match=r"my\.key is the owner key of the vault"):
        rotate_folder(tmp_path / "one", secrets={})
    assert path.read_text() == old
    assert opens(tmp_path / "one", {})
    rotation = rotate_folder(tmp_path / "one", secrets={}, use_keyring=True)
    assert rotation.renamed == {}
    assert list(rotation.left) == [path]
    assert "was left where it is: it is the owner key of" in rotation.notes()[-1]
    assert opens(tmp_path / "one", {})
    assert opens(tmp_path / "two", {})
    # The last one that it opens may take it away.
    rotation = rotate_folder(tmp_path / "two", secrets={}, use_keyring=True)
    assert list(rotation.renamed.values()) == [path]


@pytest.mark.usefixtures("memory_keyring")
def test_an_owner_key_that_is_not_known_stays(tmp_path: Path) -> None:
    create_folder(tmp_path, secrets=OLD).ledger.close()
    KeyFile(tmp_path / "owner.key").create()
    rotation = rotate_folder(tmp_path, secrets=OLD, use_keyring=True)
    assert rotation.renamed == {}
    assert "opens no vault known here" in rotation.left[tmp_path / "owner.key"]
    assert (tmp_path / "owner.key").exists()


@pytest.mark.usefixtures("memory_keyring")
def test_a_file_that_can_not_be_renamed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_folder(tmp_path, secrets={}, plain_key_file=True).ledger.close()
    real = os.replace

    def refuse(a: Path, b: Path) -> None:
        if Path(a).name == "owner.key":
            raise PermissionError(13, "Permission denied")
        real(a, b)

    monkeypatch.setattr(os, "replace", refuse)
    rotation = rotate_folder(tmp_path, secrets={}, use_keyring=True)
    assert "delete it yourself" in rotation.left[tmp_path / "owner.key"]
    assert opens(tmp_path, {})
