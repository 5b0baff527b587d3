import copy
import pickle
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fiftyone_reue.errors import (
    DamagedRecordError,
    InputError,
    OutputError,
    RevokedKeyError,
    VaultError,
    WrongKeyError,
)
from fiftyone_reue.prf import derive
from fiftyone_reue.vault import (
    RecipientKey,
    SqliteLedger,
    Vault,
    create_folder,
    crypto,
    open_folder,
    rotate_folder,
)
from fiftyone_reue.vault.crypto import key_id
from fiftyone_reue.vault.description import FORMAT, UNAUTHENTICATED
from fiftyone_reue.vault.owner_keys import EnvironmentKey, KeyFile, Passphrase
from fiftyone_reue.vault.passphrases import ScryptParameters
from fiftyone_reue.vault.vault import LEDGER_NAME

pytestmark = pytest.mark.unit

OWNER_KEY = bytes(range(60, 92))
SECRETS = {"REUE_OWNER_KEY": OWNER_KEY.hex()}


@pytest.fixture
def ledger(tmp_path: Path):
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


@pytest.fixture
def vault(ledger: SqliteLedger) -> Vault:
    return Vault.create(ledger, EnvironmentKey(SECRETS))


def test_an_opened_vault_derives_the_same_keys(vault: Vault) -> None:
    again = Vault.open(vault.ledger, EnvironmentKey(SECRETS))
    assert again.vault_id == vault.vault_id
    assert again.derive("purpose", "a", b"b") == vault.derive("purpose", "a", b"b")
    assert len(vault.derive("purpose")) == 32
    assert vault.derive("purpose") != vault.derive("other")


def test_two_vaults_of_one_owner_share_no_key(vault: Vault, tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "other.sqlite") as ledger:
        other = Vault.create(ledger, EnvironmentKey(SECRETS))
        assert other.vault_id != vault.vault_id
        assert other.derive("purpose") != vault.derive("purpose")


def test_a_vault_is_created_once(vault: Vault) -> None:
    with pytest.raises(VaultError, match="already"):
        Vault.create(vault.ledger, EnvironmentKey(SECRETS))
    assert Vault.open(vault.ledger, EnvironmentKey(SECRETS)).derive("x") == (
        vault.derive("x")
    )


def test_opening_what_was_never_created(ledger: SqliteLedger) -> None:
    with pytest.raises(VaultError, match="no vault here yet"):
        Vault.open(ledger, EnvironmentKey(SECRETS))


def test_a_wrong_owner_key_names_both_ids(vault: Vault) -> None:
    other = bytes(32)
    with pytest.raises(WrongKeyError) as caught:
        Vault.open(vault.ledger, EnvironmentKey({"REUE_OWNER_KEY": other.hex()}))
    assert key_id(other) in str(caught.value)
    assert key_id(OWNER_KEY) in str(caught.value)
    assert other.hex() not in str(caught.value)


def test_a_newer_vault_asks_for_an_update(vault: Vault) -> None:
    vault.ledger.put_meta({**(vault.ledger.get_meta() or {}), "format": FORMAT + 1})
    with pytest.raises(VaultError, match=r"newer version: update .*pip install"):
        Vault.open(vault.ledger, EnvironmentKey(SECRETS))


def test_a_vault_can_not_be_pickled_or_copied(vault: Vault) -> None:
    with pytest.raises(TypeError, match="holds a key"):
        pickle.dumps(vault)
    with pytest.raises(TypeError, match="holds a key"):
        copy.copy(vault)
    assert vault._key.hex() not in repr(vault)


def test_a_recipient_has_a_key_and_a_seed(vault: Vault) -> None:
    recipient, key = vault.add_recipient("ann@example.org")
    again = Vault.open(vault.ledger, EnvironmentKey(SECRETS))
    found = again.recipient("ann@example.org")
    assert found == recipient == again.recipient(recipient.id)
    assert again.recipients() == [recipient]
    assert again.recipient_key(found) == key
    assert key.key_id == recipient.key_id == key_id(key.key)
    assert (key.vault_id, key.recipient_id) == (vault.vault_id, recipient.id)
    assert again.code_seed(found) == vault.code_seed(recipient)
    assert len(again.code_seed(found)) == 16
    assert RecipientKey.from_text(key.to_text()) == key


def test_recipients_share_nothing(vault: Vault) -> None:
    (ann, ann_key), (bob, bob_key) = map(vault.add_recipient, ["ann", "bob"])
    assert ann_key.key != bob_key.key
    assert vault.code_seed(ann) != vault.code_seed(bob)


def test_wrapped_keys_can_not_be_swapped(vault: Vault) -> None:
    (ann, _), (bob, _) = map(vault.add_recipient, ["ann", "bob"])
    with pytest.raises(WrongKeyError):
        vault.recipient_key(replace(ann, wrapped_key=bob.wrapped_key))
    with pytest.raises(DamagedRecordError):
        vault.recipient_key(replace(ann, wrapped_key=ann.wrapped_code_seed))


@pytest.mark.parametrize("name", ["a", "A b-c_d.e@f", "x" * 64])
def test_names_that_can_be_used(vault: Vault, name: str) -> None:
    assert vault.add_recipient(name)[0].name == name


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "x" * 65, "a/b", "a\nb", "ann\n", "ä", "a:b", "0123456789abcdef"],
)
def test_names_that_can_not_be_used(vault: Vault, name: str) -> None:
    with pytest.raises(InputError, match=r"can't be used|looks like an id"):
        vault.add_recipient(name)
    assert vault.recipients() == []


def test_a_name_is_used_once(vault: Vault) -> None:
    recipient, key = vault.add_recipient("ann")
    with pytest.raises(InputError, match="named 'ann' already"):
        vault.add_recipient("ann")
    assert vault.recipient_key(recipient) == key
    assert vault.recipients() == [recipient]


def test_an_unknown_recipient_shows_the_known(vault: Vault) -> None:
    with pytest.raises(InputError, match="'ann'; add one first"):
        vault.recipient("ann")
    for name in "abcdef":
        vault.add_recipient(name)
    with pytest.raises(InputError, match=r"known are: a, b, c, d, e, \.\.\."):
        vault.recipient("ann")


def test_revoking_ends_restores_and_nothing_else(vault: Vault) -> None:
    recipient, key = vault.add_recipient("ann")
    vault.require_active(recipient)
    revoked = vault.revoke("ann")
    assert revoked.revoked_at is not None
    # The one passed in was read before.
    with pytest.raises(RevokedKeyError, match=r"'ann' was revoked on \d{4}-\d\d-\d\d"):
        vault.require_active(recipient)
    assert vault.revoke("ann") == revoked
    assert vault.recipient_key(revoked) == key
    assert vault.code_seed(revoked) == vault.code_seed(recipient)
    with pytest.raises(InputError, match="no recipient 'bob'"):
        vault.revoke("bob")


def test_a_folder_gets_a_private_vault(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "vault"
    vault = create_folder(folder, secrets={}, plain_key_file=True)
    _, key = vault.add_recipient("ann")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"owner.key", LEDGER_NAME} <= set(modes)
    vault.ledger.close()
    again = open_folder(folder, secrets={})
    assert again.recipient_key(again.recipient("ann")) == key


def test_a_vault_without_a_choice_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="A new vault needs an owner key"):
        create_folder(tmp_path / "vault", secrets={})
    assert not (tmp_path / "vault").exists()


def test_a_vault_without_a_choice_has_its_key_in_the_keyring(
    tmp_path: Path, memory_keyring: dict[tuple[str, str], str]
) -> None:
    vault = create_folder(tmp_path, secrets={})
    names = (vault.vault_id, f"{vault.vault_id}.counter")
    assert list(memory_keyring) == [("fiftyone-reue", name) for name in names]
    assert not list(tmp_path.rglob("*.key"))
    assert open_folder(tmp_path, secrets={}).derive("x") == vault.derive("x")


def test_a_folder_can_be_moved(tmp_path: Path) -> None:
    vault = create_folder(tmp_path / "a", secrets={}, plain_key_file=True)
    vault.ledger.close()
    (tmp_path / "a").rename(tmp_path / "b")
    assert open_folder(tmp_path / "b", secrets={}).vault_id == vault.vault_id


@pytest.mark.usefixtures("quick_scrypt")
def test_a_folder_with_a_passphrase_holds_no_key(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, passphrase="two words", secrets={})
    assert not (tmp_path / "owner.key").exists()
    opened = [
        open_folder(tmp_path, secrets={"REUE_OWNER_PASSPHRASE": "two words"}),
        open_folder(tmp_path, secrets={}, ask=lambda prompt: "two words"),
    ]
    assert {each.vault_id for each in opened} == {vault.vault_id}
    with pytest.raises(WrongKeyError, match="passphrase"):
        open_folder(tmp_path, secrets={"REUE_OWNER_PASSPHRASE": "other"})
    with pytest.raises(VaultError, match="REUE_OWNER_PASSPHRASE"):
        open_folder(tmp_path, secrets={})


@pytest.mark.usefixtures("quick_scrypt")
def test_nothing_shown_or_stored_names_a_passphrase(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, passphrase="two words", secrets={})
    meta = vault.ledger.get_meta()
    assert meta is not None
    scrypt = ScryptParameters.from_parameters(meta["provider"])
    ids = {key_id(scrypt.key(guess)) for guess in ("two words", "other")}
    with pytest.raises(WrongKeyError) as caught:
        open_folder(tmp_path, secrets={"REUE_OWNER_PASSPHRASE": "other"})
    shown = f"{meta} {caught.value}"
    assert not [each for each in ids if each in shown]


@pytest.mark.usefixtures("quick_scrypt")
def test_an_old_vault_with_a_passphrase_opens_and_forgets_the_derived_id(
    tmp_path: Path,
) -> None:
    word = {"REUE_OWNER_PASSPHRASE": "two words"}
    provider = Passphrase.new("two words")
    owner_key, key, vault_id = provider.load(), b"k" * 32, "a" * 16
    wrapping_key = derive(owner_key, "vault-wrap", vault_id)
    wrapped = crypto.seal(wrapping_key, key, vault_id.encode()).hex()
    meta = {
        "format": UNAUTHENTICATED,
        "vault_id": vault_id,
        "created": 0.0,
        "provider": provider.public(),
        "wraps": [{"key_id": key_id(owner_key), "wrapped": wrapped}],
    }
    with SqliteLedger(tmp_path / LEDGER_NAME) as ledger:
        ledger.create_meta(meta)
    opened = open_folder(tmp_path, secrets=word)
    assert opened.derive("x") == derive(key, "x", vault_id)
    assert key_id(owner_key) not in str(opened.ledger.get_meta())
    again = open_folder(tmp_path, secrets=word)
    assert again.derive("x") == opened.derive("x")


@pytest.mark.slow
def test_a_vault_made_cheap_on_purpose_can_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = {"REUE_OWNER_PASSPHRASE": "two words"}
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", "16")
    with SqliteLedger(tmp_path / LEDGER_NAME) as ledger:
        made = Vault.create(ledger, Passphrase.new("two words", n=16))
    monkeypatch.delenv("REUE_SCRYPT_LEAST_N")
    with pytest.raises(VaultError, match="set REUE_SCRYPT_LEAST_N=16 for one command"):
        open_folder(tmp_path, secrets=word)
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", "16")
    rotate_folder(tmp_path, passphrase="two words", secrets=word)
    monkeypatch.delenv("REUE_SCRYPT_LEAST_N")
    assert open_folder(tmp_path, secrets=word).derive("x") == made.derive("x")


def test_the_raw_key_wins_over_a_passphrase(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, passphrase="two words", secrets=SECRETS)
    assert open_folder(tmp_path, secrets=SECRETS).vault_id == vault.vault_id
    assert not (tmp_path / "owner.key").exists()


def test_the_owner_may_come_with_the_raw_key_of_a_key_file(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, secrets={}, plain_key_file=True)
    raw = KeyFile(tmp_path / "owner.key").load().hex()
    (tmp_path / "owner.key").unlink()
    opened = open_folder(tmp_path, secrets={"REUE_OWNER_KEY": raw})
    assert opened.derive("x") == vault.derive("x")
    with pytest.raises(VaultError, match="missing"):
        open_folder(tmp_path, secrets={})


def test_a_key_file_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "usb" / "my.key"
    elsewhere.parent.mkdir()
    create_folder(tmp_path / "a", key_file=elsewhere, secrets={})
    create_folder(tmp_path / "b", key_file=elsewhere, secrets={})
    assert not (tmp_path / "a" / "owner.key").exists()
    first, second = (open_folder(tmp_path / name, secrets={}) for name in "ab")
    assert first.derive("x") != second.derive("x")


def test_a_folder_is_not_given_a_second_vault(tmp_path: Path) -> None:
    create_folder(tmp_path, secrets={}, plain_key_file=True).ledger.close()
    key = (tmp_path / "owner.key").read_bytes()
    with pytest.raises(VaultError, match=r"There is a vault in .* already"):
        create_folder(tmp_path, secrets={}, plain_key_file=True)
    assert (tmp_path / "owner.key").read_bytes() == key


def test_an_interrupted_creation_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SqliteLedger, "create_meta", fail)
        with pytest.raises(KeyboardInterrupt):
            create_folder(tmp_path, secrets={}, plain_key_file=True)
    with pytest.raises(VaultError, match="no vault in"):
        open_folder(tmp_path, secrets={})
    vault = create_folder(tmp_path, secrets={}, plain_key_file=True)
    assert open_folder(tmp_path, secrets={}).vault_id == vault.vault_id


def test_a_folder_without_a_vault_says_what_to_run(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(VaultError, match=r"Run `reue init --vault .*` first"):
            open_folder(folder, secrets={})
        assert not (folder / LEDGER_NAME).exists()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        create_folder(tmp_path / "file", secrets={}, plain_key_file=True)
    with pytest.raises(OutputError, match="can't be made"):
        create_folder(tmp_path / "file" / "vault", secrets={}, plain_key_file=True)


@pytest.mark.usefixtures("quick_scrypt")
def test_no_secret_is_in_the_ledgers_files(tmp_path: Path) -> None:
    vault = create_folder(tmp_path, passphrase="correct horse", secrets={})
    recipient, key = vault.add_recipient("ann")
    vault.revoke("ann")
    secrets = [vault._key, key.key, vault.code_seed(recipient), b"correct horse"]
    other = create_folder(tmp_path / "env", secrets=SECRETS)
    secrets += [OWNER_KEY, other._key]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) >= 2
    found = b"".join(file.read_bytes() for file in files)
    for secret in secrets:
        assert secret not in found
        assert secret.hex().encode() not in found.lower()


def test_the_vault_imports_without_databases_and_fiftyone() -> None:
    heavy = {"fiftyone", "pymongo", "bson", "gridfs", "keyring", "torch", "numpy"}
    code = (
        "import sys, fiftyone_reue.vault\n"
        f"print(sorted({heavy!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
