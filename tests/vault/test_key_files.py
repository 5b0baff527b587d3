import json
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError, OutputError, WrongKeyError
from fiftyone_reue.vault import crypto
from fiftyone_reue.vault.armour import Armour, decode, encode
from fiftyone_reue.vault.identities import (
    new_identity,
    open_sealed,
    read_identities,
    seal,
)
from fiftyone_reue.vault.key_files import RecipientKey, read_key_file, write_key_file
from fiftyone_reue.vault.owner_keys import KeyFile
from fiftyone_reue.vault.passphrases import ScryptParameters, WeakScryptError

pytestmark = pytest.mark.unit

SECRET = bytes(range(100, 132))
KEY = RecipientKey("Ann Lee", "v" * 16, "r" * 16, crypto.key_id(SECRET), SECRET)


def test_a_key_survives_its_text() -> None:
    assert RecipientKey.from_text(KEY.to_text()) == KEY


def test_the_text_says_in_words_whose_it_is() -> None:
    assert "Recipient: Ann Lee\n" in KEY.to_text()
    assert f"Key-Id: {KEY.key_id}\n" in KEY.to_text()


def test_repr_hides_the_key() -> None:
    assert SECRET.hex() not in repr(KEY)
    assert repr(SECRET) not in repr(KEY)


@pytest.mark.usefixtures("quick_scrypt")
def test_a_passphrase_seals_the_key() -> None:
    text = KEY.to_text("two words")
    assert KEY.to_text().splitlines()[-3] not in text
    assert RecipientKey.from_text(text, "two words") == KEY


@pytest.mark.usefixtures("quick_scrypt")
def test_the_passphrase_may_be_asked_for() -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "two words"

    text = KEY.to_text(ask)
    assert RecipientKey.from_text(text, ask, name="ann.key") == KEY
    assert prompts == ["Passphrase for the key of Ann Lee", "Passphrase for ann.key"]


def test_nobody_is_asked_for_a_passphrase_that_is_not_needed() -> None:
    def ask(prompt: str) -> str:
        raise AssertionError(prompt)

    assert RecipientKey.from_text(KEY.to_text(), ask) == KEY


@pytest.mark.usefixtures("quick_scrypt")
def test_composed_and_decomposed_letters_are_one_passphrase() -> None:
    text = KEY.to_text("caf\u00e9")
    assert RecipientKey.from_text(text, "cafe\u0301") == KEY


@pytest.mark.usefixtures("quick_scrypt")
def test_a_missing_a_wrong_and_an_empty_passphrase_differ() -> None:
    text = KEY.to_text("right")
    with pytest.raises(InputError, match=r"ann\.key needs the passphrase"):
        RecipientKey.from_text(text, name="ann.key")
    with pytest.raises(WrongKeyError, match=r"passphrase for ann\.key is wrong"):
        RecipientKey.from_text(text, "wrong", name="ann.key")
    with pytest.raises(InputError, match="empty"):
        RecipientKey.from_text(text, "")


@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: "Hello Ann,\nhere it is:\n\n" + text + "\nBye",
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n".join(f"  {line}  " for line in text.split("\n")),
    ],
)
def test_mail_may_mangle_what_is_around(mangle) -> None:
    assert RecipientKey.from_text(mangle(KEY.to_text())) == KEY


@given(st.integers(0, 300), st.characters(min_codepoint=32, max_codepoint=126))
@example(0, "x")
def test_an_edited_text_never_gives_another_key(position: int, letter: str) -> None:
    text = KEY.to_text()
    position %= len(text)
    edited = text[:position] + letter + text[position + 1 :]
    try:
        read = RecipientKey.from_text(edited)
    except InputError:
        return
    assert read == KEY


@given(st.integers(0, 290))
def test_a_cut_text_is_never_a_key(length: int) -> None:
    text = KEY.to_text().rstrip()
    with pytest.raises(InputError):
        RecipientKey.from_text(text[: min(length, len(text) - 1)])


@given(st.text(max_size=300))
def test_any_text_gives_a_key_error_at_most(text: str) -> None:
    armoured = f"-----BEGIN REUE RECIPIENT KEY-----{text}-----END REUE RECIPIENT KEY"
    for broken in (text, armoured, armoured + "-----"):
        with pytest.raises(InputError):
            RecipientKey.from_text(broken)


def test_something_else_is_not_a_key_file() -> None:
    with pytest.raises(InputError, match=r"^notes\.txt isn't a key file"):
        RecipientKey.from_text("hello", name="notes.txt")


def test_a_changed_body_is_damaged() -> None:
    lines = KEY.to_text().splitlines()
    lines[-3] = lines[-3].swapcase()
    with pytest.raises(InputError, match=r"^The key file is damaged"):
        RecipientKey.from_text("\n".join(lines))


def test_headers_that_do_not_fit_the_key_are_refused() -> None:
    armour = decode(KEY.to_text(), "it")
    for name in armour.headers:
        headers = {key: value for key, value in armour.headers.items() if key != name}
        with pytest.raises(InputError, match="doesn't fit together"):
            RecipientKey.from_text(encode(Armour("RECIPIENT", headers, armour.body)))
    forged = encode(Armour("RECIPIENT", armour.headers, bytes(32)))
    with pytest.raises(InputError, match="doesn't fit together"):
        RecipientKey.from_text(forged)


def crafted(**changed: object) -> str:
    """A key file whose passphrase costs what somebody chose."""
    parameters = {**ScryptParameters.new().parameters(), **changed}
    headers = decode(KEY.to_text(), "it").headers
    headers["Passphrase"] = "scrypt " + json.dumps(parameters)
    return encode(Armour("RECIPIENT", headers, bytes(76)))


@pytest.mark.parametrize("n", [2, 2**14, 2**16])
def test_a_passphrase_that_is_cheap_to_guess_is_refused(n: int) -> None:
    with pytest.raises(InputError, match=rf"ann\.key can't be trusted.* n is {n}") as e:
        RecipientKey.from_text(crafted(n=n), "two words", name="ann.key")
    assert f"set REUE_SCRYPT_LEAST_N={n} if" in str(e.value)
    with pytest.raises(WeakScryptError):
        KEY.to_text("two words", scrypt_n=n)


def test_a_key_file_made_cheap_on_purpose_opens_on_purpose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", "16")
    text = KEY.to_text("two words", scrypt_n=16)
    assert RecipientKey.from_text(text, "two words") == KEY
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", "32")
    with pytest.raises(InputError, match="at least 32 is accepted"):
        RecipientKey.from_text(text, "two words")


@pytest.mark.parametrize(
    "changed",
    [
        {"n": 2**21},
        {"n": 2**30},
        {"n": None},
        {"n": float("inf")},
        {"n": "many"},
        {"n": -(2**17)},
        {"r": 16},
        {"r": 1},
        {"p": 5},
        {"p": 0},
        {"p": []},
        {"salt": "00" * 8},
        {"salt": "00" * 65},
        {"salt": "salt"},
    ],
)
def test_a_crafted_file_costs_nothing(
    changed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*args: object) -> bytes:
        raise AssertionError("scrypt was called")

    monkeypatch.setattr(ScryptParameters, "key", computed)
    with pytest.raises(InputError, match=r"ann\.key is damaged"):
        RecipientKey.from_text(crafted(**changed), "two words", name="ann.key")


@pytest.mark.parametrize("parameters", ["", "[]", "7", "{}", "[" * 40_000])
def test_parameters_that_are_none(parameters: str) -> None:
    headers = decode(KEY.to_text(), "it").headers
    headers["Passphrase"] = f"scrypt {parameters}"
    text = encode(Armour("RECIPIENT", headers, bytes(76)))
    with pytest.raises(InputError, match=r"ann\.key is damaged"):
        RecipientKey.from_text(text, "two words", name="ann.key")


def test_a_newer_format_asks_for_an_update() -> None:
    armour = Armour("RECIPIENT", {"Format": "2"}, SECRET)
    with pytest.raises(InputError, match=r"newer version: update .*pip install"):
        RecipientKey.from_text(encode(armour))


def test_an_owner_key_is_not_taken_for_a_recipients(tmp_path: Path) -> None:
    KeyFile(tmp_path / "owner.key").create()
    with pytest.raises(InputError, match="is an owner key where a recipient's"):
        read_key_file(tmp_path / "owner.key")


def test_armour_hides_its_body() -> None:
    assert repr(SECRET) not in repr(decode(KEY.to_text(), "it"))


def test_a_key_file_is_private_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "ann.key"
    write_key_file(path, KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == KEY
    assert [file.name for file in tmp_path.iterdir()] == ["ann.key"]


@pytest.mark.usefixtures("quick_scrypt")
def test_a_key_file_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "ann.key"
    path.write_text("something of the user's")
    with pytest.raises(OutputError, match=r"ann\.key is there already"):
        write_key_file(path, KEY)
    assert path.read_text() == "something of the user's"
    write_key_file(path, KEY, overwrite=True)
    assert read_key_file(path) == KEY
    assert [file.name for file in tmp_path.iterdir()] == ["ann.key"]


def test_writing_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="can't be written"):
        write_key_file(tmp_path / "none" / "ann.key", KEY)


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no key file .*ann\.key"):
        read_key_file(tmp_path / "ann.key")
    with pytest.raises(InputError, match="can't be read"):
        read_key_file(tmp_path)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"", bytes(100_000)])
def test_reading_what_is_not_a_key(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "photo.png").write_bytes(data)
    with pytest.raises(InputError, match=r"photo\.png isn't a key file"):
        read_key_file(tmp_path / "photo.png")


@pytest.fixture
def me(tmp_path: Path) -> tuple[Path, str]:
    """A recipient's identity, and its public key."""
    return tmp_path / "me.txt", new_identity(tmp_path / "me.txt")


def test_a_key_file_may_be_sealed_for_a_recipients_own_key(
    tmp_path: Path, me: tuple[Path, str]
) -> None:
    path = tmp_path / "ann.key.age"
    write_key_file(path, KEY, public_key=me[1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path, identity=me[0]) == KEY
    text = path.read_text()
    assert KEY.to_text().splitlines()[-3] not in text
    assert KEY.name not in text


def test_what_age_opens_is_a_key_file(tmp_path: Path, me: tuple[Path, str]) -> None:
    path = tmp_path / "ann.key.age"
    write_key_file(path, KEY, public_key=me[1])
    opened = open_sealed(path.read_bytes(), read_identities(me[0]))
    assert opened == KEY.to_text()


def test_a_sealed_key_file_and_the_wrong_files(
    tmp_path: Path, me: tuple[Path, str]
) -> None:
    path, other = tmp_path / "ann.key.age", tmp_path / "other.txt"
    write_key_file(path, KEY, public_key=me[1])
    new_identity(other)
    with pytest.raises(InputError, match=r"ann\.key\.age is sealed.*--identity"):
        read_key_file(path)
    with pytest.raises(WrongKeyError, match=r"ann\.key\.age was sealed for another"):
        read_key_file(path, identity=other)
    with pytest.raises(InputError, match=r"no identity file .*none\.txt"):
        read_key_file(path, identity=tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"me\.txt is an identity where a key file"):
        read_key_file(me[0], identity=path)
    path.write_text(path.read_text()[:200])
    with pytest.raises(InputError, match=r"ann\.key\.age is damaged"):
        read_key_file(path, identity=me[0])
    path.write_text(seal("a letter", me[1]))
    with pytest.raises(InputError, match=r"ann\.key\.age isn't a key file"):
        read_key_file(path, identity=me[0])


def test_an_identity_that_is_not_needed_is_not_read(tmp_path: Path) -> None:
    write_key_file(tmp_path / "ann.key", KEY)
    assert read_key_file(tmp_path / "ann.key", identity=tmp_path / "none") == KEY


@pytest.mark.parametrize("public_key", ["age1", ""])
def test_a_wrong_public_key_writes_nothing(tmp_path: Path, public_key: str) -> None:
    with pytest.raises(InputError, match="isn't a public key"):
        write_key_file(tmp_path / "ann.key", KEY, public_key=public_key)
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_is_sealed_in_one_way(tmp_path: Path, me: tuple[Path, str]) -> None:
    with pytest.raises(InputError, match="public key or with a passphrase"):
        write_key_file(tmp_path / "ann.key", KEY, "two words", public_key=me[1])
    assert not (tmp_path / "ann.key").exists()
