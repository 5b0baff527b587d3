import base64
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import InputError, OutputError, VaultError
from fiftyone_reue.vault import create_folder, crypto, rotate_folder
from fiftyone_reue.vault.key_files import RecipientKey, write_key_file
from fiftyone_reue.vault.owner_keys import (
    EnvironmentKey,
    KeyFile,
    KeyringKey,
    Passphrase,
    choose,
    keyring_problem,
    load_keyring,
    plain_file,
    planned_kind,
    resolve,
)
from fiftyone_reue.vault.passphrases import ScryptParameters

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]
KEY = bytes(range(200, 232))
SALT = bytes(16)


def meta(**provider: Any) -> dict[str, Any]:
    return {"format": 1, "vault_id": "v", "provider": provider, "wraps": []}


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        f" {KEY.hex()}\n",
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(KEY).decode(),
    ],
)
def test_the_environment_may_spell_the_key_in_many_ways(text: str) -> None:
    assert EnvironmentKey({"REUE_OWNER_KEY": text}).load() == KEY


@pytest.mark.parametrize("text", ["a secret word", KEY.hex()[:-1], KEY.hex() + "00"])
def test_a_bad_key_is_refused_and_not_repeated(text: str) -> None:
    provider = EnvironmentKey({"REUE_OWNER_KEY": text})
    with pytest.raises(VaultError, match="64 hex digits") as caught:
        provider.load()
    assert text not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_real_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REUE_OWNER_KEY", KEY.hex())
    assert EnvironmentKey().load() == KEY
    assert resolve(meta(kind="environment")).load() == KEY


@pytest.mark.usefixtures("quick_scrypt")
def test_no_provider_shows_its_secret() -> None:
    providers = [
        EnvironmentKey({"REUE_OWNER_KEY": KEY.hex()}),
        Passphrase("hunter two", ScryptParameters(SALT, 2)),
    ]
    for provider in providers:
        shown = f"{provider!r} {provider.describe()} {provider.public()}"
        assert KEY.hex() not in shown
        assert "hunter two" not in shown


def test_a_key_file_is_random_private_and_checked(tmp_path: Path) -> None:
    first, second = KeyFile(tmp_path / "a.key"), KeyFile(tmp_path / "b.key")
    first.create()
    second.create()
    assert len(first.load()) == 32
    assert first.load() != second.load()
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    text = first.path.read_text()
    first.path.write_text(text.replace("Key-Id: ", "Key-Id: 0"))
    with pytest.raises(VaultError, match=r"a\.key is damaged"):
        first.load()


def test_a_key_file_for_all_to_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    KeyFile(path).create()
    path.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        KeyFile(path).load()
    # A mounted secret is often readable by all in its container.
    named = resolve(meta(kind="environment"), None, {"REUE_OWNER_KEY_FILE": str(path)})
    assert len(named.load()) == 32


def test_a_missing_key_file_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match=r"missing.*REUE_OWNER_KEY_FILE"):
        KeyFile(tmp_path / "owner.key").load()


def test_a_recipients_key_is_not_an_owner_key(tmp_path: Path) -> None:
    key = RecipientKey("ann", "v", "r", crypto.key_id(KEY), KEY)
    write_key_file(tmp_path / "ann.key", key)
    with pytest.raises(VaultError, match="recipient's key where the owner key"):
        KeyFile(tmp_path / "ann.key").load()


@pytest.mark.usefixtures("quick_scrypt")
def test_a_passphrase_gives_one_key_a_salt() -> None:
    key = Passphrase("word", ScryptParameters(SALT, 2)).load()
    assert key == Passphrase(lambda prompt: "word", ScryptParameters(SALT, 2)).load()
    assert key != Passphrase("Word", ScryptParameters(SALT, 2)).load()
    assert key != Passphrase("word", ScryptParameters(bytes(15) + b"1", 2)).load()
    assert key != Passphrase("word", ScryptParameters(SALT, 4)).load()


def test_scrypt_costs_enough_by_default() -> None:
    assert Passphrase.new("word").public()["n"] >= 2**17


@pytest.mark.parametrize("n", [2, 2**16])
def test_a_ledger_that_makes_guessing_cheap_is_refused(n: int) -> None:
    stored = meta(**{**Passphrase.new("word").public(), "n": n})
    word = {"REUE_OWNER_PASSPHRASE": "word"}
    with pytest.raises(VaultError, match=f"can't be trusted: scrypt's n is {n}") as e:
        resolve(stored, None, word)
    assert "put it back from a backup" in str(e.value)
    assert f"set REUE_SCRYPT_LEAST_N={n} for one command" in str(e.value)


@pytest.mark.parametrize(
    "changed", [{"n": 2**21}, {"n": None}, {"r": 9}, {"p": 99}, {"salt": ""}]
)
def test_a_ledger_that_would_use_up_memory_is_refused(changed: dict[str, Any]) -> None:
    stored = meta(**{**Passphrase.new("word").public(), **changed})
    with pytest.raises(VaultError, match="description is damaged"):
        resolve(stored, None, {"REUE_OWNER_PASSPHRASE": "word"})


def test_resolve_takes_the_raw_key_first(tmp_path: Path) -> None:
    secrets = {"REUE_OWNER_KEY": KEY.hex(), "REUE_OWNER_PASSPHRASE": "word"}
    for kind in ("environment", "key-file", "passphrase", "keyring", "unheard-of"):
        assert resolve(meta(kind=kind), tmp_path, secrets).load() == KEY


def test_resolve_finds_the_key_file_in_the_folder_or_elsewhere(tmp_path: Path) -> None:
    inside = KeyFile(tmp_path / "owner.key", reference="owner.key")
    outside = KeyFile(tmp_path / "elsewhere.key")
    inside.create()
    outside.create()
    stored = meta(**inside.public())
    assert resolve(stored, tmp_path, {}).load() == inside.load()
    assert resolve(meta(**outside.public()), None, {}).load() == outside.load()
    named = {"REUE_OWNER_KEY_FILE": str(outside.path)}
    assert resolve(stored, tmp_path, named).load() == outside.load()
    with pytest.raises(VaultError, match="REUE_OWNER_KEY_FILE"):
        resolve(stored, None, {})


@pytest.mark.usefixtures("quick_scrypt")
def test_resolve_finds_the_passphrase(tmp_path: Path) -> None:
    provider = Passphrase("word", ScryptParameters(SALT, 2))
    stored = meta(**provider.public())
    (tmp_path / "pass.txt").write_text("word\n")
    found = [
        resolve(stored, None, {"REUE_OWNER_PASSPHRASE": "word"}),
        resolve(
            stored, None, {"REUE_OWNER_PASSPHRASE_FILE": str(tmp_path / "pass.txt")}
        ),
        resolve(stored, None, {}, ask=lambda prompt: "word"),
    ]
    assert {each.load() for each in found} == {provider.load()}
    with pytest.raises(VaultError, match="Set REUE_OWNER_PASSPHRASE"):
        resolve(stored, None, {"REUE_OWNER_PASSPHRASE": ""})
    with pytest.raises(VaultError, match=r"none\.txt"):
        resolve(stored, None, {"REUE_OWNER_PASSPHRASE_FILE": "none.txt"})


def test_resolve_explains_what_it_does_not_know() -> None:
    with pytest.raises(VaultError, match="'abacus'"):
        resolve(meta(kind="abacus"), None, {})
    with pytest.raises(VaultError, match="description is damaged"):
        resolve(meta(kind="passphrase"), None, {"REUE_OWNER_PASSPHRASE": "word"})
    with pytest.raises(VaultError, match="Set REUE_OWNER_KEY"):
        resolve(meta(kind="environment"), None, {}).load()


def test_the_keyring_keeps_the_key(memory_keyring: dict[Any, str]) -> None:
    provider = KeyringKey("vault-1")
    with pytest.raises(VaultError, match="holds no owner key"):
        provider.load()
    provider.create()
    assert list(memory_keyring) == [("fiftyone-reue", "vault-1")]
    assert resolve(meta(**provider.public()), None, {}).load() == provider.load()
    assert len(provider.load()) == 32


def test_a_machine_without_a_keyring() -> None:
    keyring = load_keyring()
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(VaultError, match="keyring can't be used"):
            KeyringKey("vault-1").create()
        with pytest.raises(VaultError, match="keyring can't be used"):
            KeyringKey("vault-1").load()
    finally:
        keyring.set_keyring(before)


def test_choose_follows_the_order(
    tmp_path: Path, memory_keyring: dict[Any, str]
) -> None:
    both = {"REUE_OWNER_KEY": KEY.hex(), "REUE_OWNER_PASSPHRASE": "word"}
    word = {"REUE_OWNER_PASSPHRASE": "word"}
    named = {"REUE_OWNER_KEY_FILE": str(tmp_path / "named.key")}
    kinds = [
        choose("v", tmp_path, passphrase="word", use_keyring=True, secrets=both).kind,
        choose("v", tmp_path, use_keyring=True, secrets=word).kind,
        choose("v", tmp_path, passphrase="word", use_keyring=True, secrets={}).kind,
        choose("v", tmp_path, use_keyring=True, plain_key_file=True, secrets={}).kind,
        choose("v", tmp_path, plain_key_file=True, secrets={}).kind,
        choose("v", tmp_path, secrets=named).kind,
    ]
    first = ["environment", "passphrase", "passphrase", "keyring"]
    assert kinds == [*first, "key-file", "key-file"]


def test_nothing_chosen_is_the_keyring(
    tmp_path: Path, memory_keyring: dict[Any, str]
) -> None:
    def ask(prompt: str) -> str:
        raise AssertionError(prompt)

    provider = choose("v", tmp_path, secrets={}, ask=ask)
    assert provider.kind == "keyring"
    assert list(memory_keyring) == [("fiftyone-reue", "v")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick_scrypt")
def test_without_a_keyring_a_passphrase_is_asked_for(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "two words"

    provider = choose("v", tmp_path, secrets={}, ask=ask)
    assert provider.kind == "passphrase"
    assert provider.load() == provider.load()
    assert asked == ["New passphrase of the vault"]
    assert list(tmp_path.iterdir()) == []


def test_without_any_the_choices_are_named_and_no_file_is_written(
    tmp_path: Path,
) -> None:
    for choosing in (
        lambda: planned_kind(secrets={}),
        lambda: choose("v", tmp_path, secrets={}),
        lambda: choose("v", secrets={"REUE_OWNER_PASSPHRASE": ""}),
    ):
        with pytest.raises(VaultError, match="there is no keyring here") as caught:
            choosing()
        for name in ("PASSPHRASE", "PASSPHRASE_FILE", "KEY", "KEY_FILE"):
            assert f"REUE_OWNER_{name}" in str(caught.value)
        assert "--plain-key-file" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "variables", "said"),
    [
        ("key-file", "", "The owner key"),
        ("key-file", "KEY", "The owner key"),
        ("environment", "KEY", None),
        ("environment", "KEY_FILE", "The owner key"),
        ("environment", "KEY KEY_FILE", None),
        ("keyring", "", None),
        ("passphrase", "", None),
        ("passphrase", "PASSPHRASE", None),
        ("passphrase", "PASSPHRASE_FILE", "The owner's passphrase"),
        ("passphrase", "PASSPHRASE PASSPHRASE_FILE", None),
        ("passphrase", "KEY_FILE", None),
    ],
)
def test_what_is_in_a_plain_file(kind: str, variables: str, said: str | None) -> None:
    secrets = {f"REUE_OWNER_{name}": "x" for name in variables.split()}
    assert plain_file(kind, secrets) == said


def backend(module: str, **members: Any) -> Any:
    """A keyring of some module, as `keyring` would find it."""
    return type("Keyring", (), {"__module__": module, "priority": 5, **members})()


def broken(self: Any) -> float:
    raise OSError("no bus")


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (backend("keyring.backends.SecretService"), None),
        (backend("keyring.backends.macOS"), None),
        (backend("keyring.backends.null", priority=-1), "no keyring"),
        (backend("keyring.backends.fail", priority=0), "no keyring"),
        (backend("keyrings.alt.file"), "none of the operating system's"),
        (backend("somebody.elses", priority=0.5), "none of the operating system's"),
        (backend("some.where", priority=property(broken)), r"\(OSError\)"),
        (backend("keyring.backends.chainer", backends=[]), "no keyring"),
        (
            backend(
                "keyring.backends.chainer",
                backends=[backend("keyrings.alt.file"), backend("keyring.backends.kw")],
            ),
            "none of the operating system's",
        ),
        (
            backend(
                "keyring.backends.chainer",
                backends=[backend("keyring.backends.kw"), backend("keyrings.alt.file")],
            ),
            None,
        ),
    ],
)
def test_which_keyrings_keep_a_key(
    found: Any, problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_keyring()
    monkeypatch.setattr("keyring.get_keyring", lambda: found)
    said = keyring_problem()
    if problem is None:
        assert said is None
    else:
        assert re.search(problem, str(said))


@pytest.mark.slow
@pytest.mark.integration
def test_fiftyone_can_be_imported_after_the_keyring() -> None:
    code = (
        "from fiftyone_reue.vault.owner_keys import keyring_problem\n"
        "keyring_problem()\nimport fiftyone"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPO, check=True)


def test_a_keyring_that_forgets_is_noticed_at_once(
    memory_keyring: dict[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keyring.set_password", lambda *words: None)
    with pytest.raises(VaultError, match="doesn't keep what it is given"):
        choose("v", use_keyring=True, secrets={})


def test_choose_keeps_an_existing_key_file(tmp_path: Path) -> None:
    first = choose("v", tmp_path, secrets={}, plain_key_file=True)
    again = choose("w", tmp_path, secrets={}, plain_key_file=True)
    assert again.load() == first.load()
    assert first.public() == {"kind": "key-file", "path": "owner.key"}
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(VaultError, match=r"notes\.txt"):
        choose("v", tmp_path, key_file=tmp_path / "notes.txt", secrets={})
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_plain_key_file_without_a_folder_needs_to_be_told_where() -> None:
    with pytest.raises(VaultError, match="set REUE_OWNER_KEY_FILE"):
        choose("v", secrets={}, plain_key_file=True)


def test_choose_reports_what_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        choose("v", tmp_path, key_file=tmp_path / "none" / "k", secrets={})


@pytest.mark.usefixtures("quick_scrypt")
def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Passphrase("", ScryptParameters(SALT, 2)).load()


@pytest.mark.parametrize("chained", [False, True])
def test_no_keyring_that_is_a_plain_file_is_taken_unasked(
    chained: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even by --keyring: who wants a plain file says so."""
    stored: list[Any] = []
    plain = type(
        "PlaintextKeyring",
        (),
        {
            "__module__": "keyrings.alt.file",
            "set_password": lambda self, *entry: stored.append(entry),
            "get_password": lambda self, *entry: None,
        },
    )()
    found = backend("keyring.backends.chainer", backends=[plain]) if chained else plain
    load_keyring()
    monkeypatch.setattr("keyring.get_keyring", lambda: found)
    with pytest.raises(VaultError, match=r"is a plain file.*--plain-key-file"):
        create_folder(tmp_path / "v", use_keyring=True, secrets={})
    create_folder(tmp_path / "w", plain_key_file=True, secrets={}).ledger.close()
    with pytest.raises(VaultError, match="is a plain file"):
        rotate_folder(tmp_path / "w", use_keyring=True, secrets={})
    assert stored == []
