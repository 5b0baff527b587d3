import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError, VaultError, WrongKeyError
from fiftyone_reue.vault import wraps
from fiftyone_reue.vault.crypto import key_id

pytestmark = pytest.mark.unit

OWNER, OTHER, KEY = b"o" * 32, b"x" * 32, b"k" * 32
VAULT = "a" * 16


def meta(*made: dict[str, str], kind: str = "key-file") -> dict[str, Any]:
    return {"vault_id": VAULT, "provider": {"kind": kind}, "wraps": list(made)}


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["key-file", "passphrase"]))
def test_only_its_owner_key_opens_a_wrap(owner_key: bytes, kind: str) -> None:
    made = wraps.wrap(kind, owner_key, KEY, VAULT)
    assert wraps.opens(made, owner_key, VAULT) == KEY
    assert wraps.opens(made, bytes(b ^ 1 for b in owner_key), VAULT) is None
    assert wraps.opens(made, owner_key, "b" * 16) is None
    assert wraps.fits(meta(made), owner_key)
    assert json.loads(json.dumps(made)) == made


def test_a_random_keys_id_says_which_key_it_is() -> None:
    made = wraps.wrap("key-file", OWNER, KEY, VAULT)
    assert made["key_id"] == key_id(OWNER)
    assert wraps.unwrap(meta(made), OWNER, "key-file", "a file").id == key_id(OWNER)
    with pytest.raises(WrongKeyError, match=f"{key_id(OTHER)}.*{key_id(OWNER)}"):
        wraps.unwrap(meta(made), OTHER, "key-file", "a file")


def test_a_passphrases_id_says_nothing_of_it() -> None:
    one, two = (wraps.wrap("passphrase", OWNER, KEY, VAULT) for _ in range(2))
    assert len({one["key_id"], two["key_id"], key_id(OWNER)}) == 3
    opened = wraps.unwrap(meta(one, kind="passphrase"), OWNER, "passphrase", "it")
    assert (opened.id, opened.key) == (one["key_id"], KEY)
    assert KEY.hex() not in repr(opened)
    assert repr(KEY) not in repr(opened)


def old_wrap() -> dict[str, str]:
    """As versions until 0.1 made it for every kind."""
    return wraps.wrap("key-file", OWNER, KEY, VAULT)


def test_an_old_vaults_id_of_a_passphrase_is_never_shown() -> None:
    stored = meta(old_wrap(), kind="passphrase")
    opened = wraps.unwrap(stored, OWNER, "passphrase", "the passphrase")
    assert (opened.id, opened.key) == ("passphrase", KEY)


@pytest.mark.parametrize(
    ("offered", "described"),
    [
        ("passphrase", "passphrase"),
        ("passphrase", "key-file"),
        ("keyring", "passphrase"),
    ],
)
def test_no_id_is_shown_of_what_may_be_a_guess(offered: str, described: str) -> None:
    with pytest.raises(WrongKeyError, match="doesn't open the vault") as caught:
        wraps.unwrap(meta(old_wrap(), kind=described), OTHER, offered, "what you said")
    assert key_id(OTHER) not in str(caught.value)
    assert key_id(OWNER) not in str(caught.value)


def test_half_way_to_a_passphrase_no_id_is_shown() -> None:
    stored = meta(old_wrap()) | {"next_provider": {"kind": "passphrase"}}
    with pytest.raises(WrongKeyError) as caught:
        wraps.unwrap(stored, OTHER, "mid-rotation", "either")
    assert key_id(OTHER) not in str(caught.value)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_an_edited_wrap_gives_no_other_key(place: int, change: int) -> None:
    made = old_wrap()
    blob = bytearray.fromhex(made["wrapped"])
    blob[place % len(blob)] ^= change
    edited = meta({**made, "wrapped": blob.hex()})
    with pytest.raises((WrongKeyError, DamagedRecordError)):
        wraps.unwrap(edited, OWNER, "key-file", "a file")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"key_id": "0" * 16},
        {"key_id": "0" * 16, "wrapped": "no hex"},
        {"key_id": "0" * 16, "wrapped": None},
        {"wrapped": "00" * 76},
        {"key_id": "\x1b[31m", "wrapped": "00" * 76},
    ],
)
def test_what_is_no_wrap_is_named(broken: dict[str, Any]) -> None:
    with pytest.raises(VaultError, match="description is damaged"):
        wraps.unwrap(meta(broken), OWNER, "key-file", "a file")
