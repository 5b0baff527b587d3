import base64
import stat
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError, OutputError, ReueError, WrongKeyError
from fiftyone_reue.vault import identities
from fiftyone_reue.vault.identities import (
    check_public_key,
    is_sealed,
    new_identity,
    open_sealed,
    read_identities,
    seal,
)

pytestmark = pytest.mark.unit

MINE = pyrage.x25519.Identity.generate()
PUBLIC = str(MINE.to_public())
SEALED = seal("a key", PUBLIC).encode()
BINARY = pyrage.encrypt(b"a key", [MINE.to_public()])


@pytest.mark.slow
@given(st.text(max_size=500))
def test_only_its_identity_opens_what_was_sealed(text: str) -> None:
    sealed = seal(text, PUBLIC).encode()
    assert is_sealed(sealed)
    assert open_sealed(sealed, [MINE]) == text
    other = pyrage.x25519.Identity.generate()
    with pytest.raises(WrongKeyError, match=rf"another key than.*{other.to_public()}"):
        open_sealed(sealed, [other])
    assert open_sealed(sealed, [other, MINE]) == text


def test_sealing_twice_gives_two_texts() -> None:
    assert seal("a key", PUBLIC) != seal("a key", PUBLIC)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda data: b"Dear Ann,\n\n" + data + b"\nBye",
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\n".join(b"  " + line + b" " for line in data.split(b"\n")),
        lambda data: BINARY,
    ],
)
def test_mail_may_mangle_what_is_around(mangle: Any) -> None:
    assert is_sealed(mangle(SEALED))
    assert open_sealed(mangle(SEALED), [MINE]) == "a key"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_an_edited_file_never_opens(place: int, change: int) -> None:
    edited = bytearray(BINARY)
    edited[place % len(edited)] ^= change
    wrapped = (
        b"-----BEGIN AGE ENCRYPTED FILE-----\n%s\n-----END AGE ENCRYPTED FILE-----"
    )
    with pytest.raises(ReueError, match=r"ann\.key (is damaged|was sealed for)"):
        open_sealed(wrapped % base64.b64encode(edited), [MINE], "ann.key")


@given(st.integers(0, 10_000))
def test_a_cut_file_is_damaged(length: int) -> None:
    with pytest.raises(InputError, match=r"ann\.key is damaged"):
        open_sealed(SEALED[: length % (len(SEALED) - 2)], [MINE], "ann.key")


@given(st.binary(max_size=200))
def test_any_bytes_give_an_error_at_most(data: bytes) -> None:
    for start in (
        b"",
        b"age-encryption.org/v1\n-> ",
        b"-----BEGIN AGE ENCRYPTED FILE--",
    ):
        with pytest.raises(ReueError):
            open_sealed(start + data, [MINE])


def test_what_was_sealed_is_text() -> None:
    with pytest.raises(InputError, match="holds something else"):
        open_sealed(pyrage.encrypt(b"\xff", [MINE.to_public()]), [MINE])


def test_a_public_key_is_taken_as_it_is_copied() -> None:
    assert check_public_key(f" {PUBLIC}\n") == PUBLIC
    assert check_public_key(PUBLIC.upper()) == PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        PUBLIC[:-1],
        PUBLIC[:-1] + ("q" if PUBLIC[-1] != "q" else "p"),
        PUBLIC + PUBLIC,
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB",
        "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
        "\x1b[31mage1",
        "a" * 100_000,
    ],
    # The key is another each time, and workers that share the tests name them alike.
    ids=[
        *("empty", "prefix", "cut short", "last letter", "twice", "ssh", "plugin"),
        *("escape", "long"),
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="isn't a public key") as caught:
        check_public_key(text)
    assert len(str(caught.value)) < 300
    assert "\x1b" not in str(caught.value)
    with pytest.raises(InputError):
        seal("a key", text)


@pytest.mark.parametrize(
    "zeros",
    [
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
        "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
        "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
        "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz9ts6wm9s8",
        "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m",
        "age1ahlllllllllllllllllllllllllllllllllllllllllllllllalsn46ayy",
        "age1amlllllllllllllllllllllllllllllllllllllllllllllllalselrwrv",
    ],
)
def test_a_point_that_everybody_shares_is_refused(zeros: str) -> None:
    assert pyrage.x25519.Recipient.from_str(zeros)  # age itself takes it
    with pytest.raises(InputError, match="isn't a public key"):
        check_public_key(zeros)


def test_a_secret_key_is_not_repeated() -> None:
    with pytest.raises(InputError, match="This is a secret key") as caught:
        check_public_key(str(MINE))
    assert str(MINE) not in str(caught.value)


def test_a_new_identity_is_private_and_opens(tmp_path: Path) -> None:
    path = tmp_path / "me.txt"
    public = new_identity(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (identity,) = read_identities(path)
    assert str(identity.to_public()) == public
    lines = path.read_text().splitlines()
    assert lines[1] == f"# public key: {public}"
    assert lines[2].startswith("AGE-SECRET-KEY-1")
    assert open_sealed(seal("x", public).encode(), [identity]) == "x"
    with pytest.raises(OutputError, match=r"me\.txt is there already"):
        new_identity(path)
    assert path.read_text().splitlines() == lines


def _hex(words: str) -> bytes:
    return words.encode().hex().encode()


def cheap(data: bytes, words: str, armored: bool = False) -> bytes:
    """In place of age's scrypt, which takes a second."""
    return b"age-encryption.org/v1\n-> scrypt salt 18\n" + _hex(words) + data


def cheaply(data: bytes, words: str) -> bytes:
    _, _, rest = data.partition(_hex(words))
    if not rest:
        raise pyrage.DecryptError("Decryption failed")
    return rest


@pytest.fixture
def quick_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyrage.passphrase.encrypt", cheap)
    monkeypatch.setattr("pyrage.passphrase.decrypt", cheaply)


@pytest.mark.usefixtures("quick_age")
def test_an_identity_may_need_a_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "me.txt"
    public = new_identity(path, lambda prompt: "two words")
    (identity,) = read_identities(path, "two words")
    assert str(identity.to_public()) == public
    with pytest.raises(InputError, match=r"me\.txt needs the passphrase"):
        read_identities(path)
    with pytest.raises(WrongKeyError, match=r"passphrase for .*me\.txt is wrong"):
        read_identities(path, "other words")
    with pytest.raises(InputError, match="empty"):
        new_identity(tmp_path / "other.txt", "")
    assert not (tmp_path / "other.txt").exists()


@pytest.mark.slow
def test_age_itself_opens_an_identity_with_a_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "me.txt"
    public = new_identity(path, "two words")
    assert b"AGE-SECRET-KEY" not in path.read_bytes()
    (identity,) = read_identities(path, "two words")
    assert str(identity.to_public()) == public
    with pytest.raises(WrongKeyError, match="is wrong, or the file is damaged"):
        read_identities(path, "other words")


def test_nobody_is_asked_for_a_passphrase_that_is_not_needed(tmp_path: Path) -> None:
    def ask(prompt: str) -> str:
        raise AssertionError(prompt)

    new_identity(tmp_path / "me.txt")
    assert len(read_identities(tmp_path / "me.txt", ask)) == 1


def test_several_identities_and_comments(tmp_path: Path) -> None:
    other = pyrage.x25519.Identity.generate()
    path = tmp_path / "me.txt"
    path.write_bytes(f"\ufeff# mine\r\n{MINE}\r\n\r\n  {other}  \r\n".encode())
    read = read_identities(path)
    assert [str(each) for each in read] == [str(MINE), str(other)]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no identity"),
        ("# only a comment\n", "holds no identity"),
        (f"# x\n{str(MINE)[:-1]}\n", "line 2 isn't a whole AGE-SECRET-KEY-1"),
        (PUBLIC, "line 1 isn't an X25519 identity"),
        ("AGE-PLUGIN-YUBIKEY-1QQPQQQQ", "age --decrypt"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "age --decrypt"),
        ("-----BEGIN REUE RECIPIENT KEY-----\n", "is a key file where your identity"),
        (SEALED.decode(), "not with a passphrase"),
        (SEALED.decode()[:80], "is damaged"),
    ],
    ids=[
        *("empty", "comment", "cut short", "public key", "plugin", "OpenSSH"),
        *("recipient key", "sealed", "damaged"),
    ],
)
def test_what_is_no_identity_is_explained(
    text: str, match: str, tmp_path: Path
) -> None:
    path = tmp_path / "me.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"me\.txt.*{match}") as caught:
        read_identities(path, "two words")
    assert str(MINE)[16:40] not in str(caught.value)


def test_identities_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no identity file"):
        read_identities(tmp_path / "none.txt")
    (tmp_path / "photo.png").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="isn't text"):
        read_identities(tmp_path / "photo.png")
    (tmp_path / "large").write_bytes(bytes(100_000))
    with pytest.raises(InputError, match="too large"):
        read_identities(tmp_path / "large")


@pytest.mark.parametrize("cost", ["21", "30", "9" * 900])
def test_a_crafted_identity_takes_no_memory(
    cost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*args: object) -> bytes:
        raise AssertionError("scrypt was called")

    monkeypatch.setattr("pyrage.passphrase.decrypt", computed)
    path = tmp_path / "me.txt"
    path.write_text(f"age-encryption.org/v1\n-> scrypt AAAA {cost}\nAAAA\n--- AAAA\n")
    with pytest.raises(InputError, match="too much memory"):
        read_identities(path, "two words")
    assert identities._LARGEST_LOG_N == 20


@pytest.mark.usefixtures("quick_age")
def test_a_passphrase_typed_in_another_composition(tmp_path: Path) -> None:
    composed, apart = "\u00e9t\u00e9", "e\u0301te\u0301"
    new_identity(tmp_path / "mine.txt", apart)
    assert len(read_identities(tmp_path / "mine.txt", composed)) == 1
    assert len(read_identities(tmp_path / "mine.txt", apart)) == 1
    # Others' programs take it as it is typed.
    for made, typed in ((composed, apart), (apart, composed)):
        sealed = pyrage.passphrase.encrypt(str(MINE).encode(), made)
        (tmp_path / "theirs.txt").write_bytes(sealed)
        assert len(read_identities(tmp_path / "theirs.txt", typed)) == 1


def test_no_identity_without_a_passphrase_that_is_text(tmp_path: Path) -> None:
    path = tmp_path / "me.txt"
    for words in ("ab\udcff", " "):
        with pytest.raises(InputError, match="passphrase"):
            new_identity(path, words)
    assert not path.exists()


def test_few_of_many_identities_are_told() -> None:
    others = [pyrage.x25519.Identity.generate() for _ in range(9)]
    with pytest.raises(WrongKeyError, match="and 6 more; use") as caught:
        open_sealed(SEALED, others)
    assert len(str(caught.value)) < 600
