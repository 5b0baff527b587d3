import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import VaultError, WrongKeyError
from fiftyone_reue.prf import derive
from fiftyone_reue.vault import crypto
from fiftyone_reue.vault.crypto import key_id
from fiftyone_reue.vault.description import (
    FORMAT,
    UNAUTHENTICATED,
    Opened,
    fits,
    opens,
    signed,
    unwrap,
    wrap,
)

pytestmark = pytest.mark.unit

OWNER, OTHER, KEY = b"o" * 32, b"x" * 32, b"k" * 32
VAULT = "a" * 16


def made_for(owner_key: bytes, kind: str) -> dict[str, Any]:
    return wrap(owner_key, [KEY], VAULT, kind=kind)


def meta(
    *made: dict[str, Any], kind: str = "key-file", version: int = FORMAT
) -> dict[str, Any]:
    bare = {
        "format": version,
        "vault_id": VAULT,
        "provider": {"kind": kind},
        "wraps": list(made),
    }
    return signed(bare, {one["key_id"]: KEY for one in made})


def opened(stored: dict[str, Any], owner_key: bytes, kind: str) -> Opened:
    return unwrap(stored, owner_key, "what you said", kind=kind)


@pytest.mark.slow
@given(st.binary(min_size=32, max_size=32), st.sampled_from(["key-file", "passphrase"]))
def test_only_its_owner_key_opens_a_wrap(owner_key: bytes, kind: str) -> None:
    made = made_for(owner_key, kind)
    stored = meta(made)
    other = bytes(b ^ 1 for b in owner_key)
    assert opened(stored, owner_key, kind).keys == [KEY]
    assert fits(stored, owner_key)
    assert not fits(stored, other)
    assert not opens(stored, made, other)
    assert json.loads(json.dumps(made)) == made


def test_a_random_keys_id_says_which_key_it_is() -> None:
    stored = meta(made_for(OWNER, "key-file"))
    assert opened(stored, OWNER, "key-file").shown == key_id(OWNER)
    with pytest.raises(WrongKeyError, match=f"{key_id(OTHER)}.*{key_id(OWNER)}"):
        opened(stored, OTHER, "key-file")


def test_a_passphrases_id_says_nothing_of_it() -> None:
    one, two = (made_for(OWNER, "passphrase") for _ in range(2))
    assert len({one["key_id"], two["key_id"], key_id(OWNER)}) == 3
    found = opened(meta(one, kind="passphrase"), OWNER, "passphrase")
    assert (found.id, found.shown, found.keys) == (one["key_id"], one["key_id"], [KEY])
    assert KEY.hex() not in repr(found)
    assert repr(KEY) not in repr(found)


def old_wrap() -> dict[str, Any]:
    """As versions until 0.1 made it for every kind."""
    wrapping_key = derive(OWNER, "vault-wrap", VAULT)
    wrapped = crypto.seal(wrapping_key, KEY, VAULT.encode()).hex()
    return {"key_id": key_id(OWNER), "wrapped": wrapped}


def test_an_old_vaults_id_of_a_passphrase_is_never_shown() -> None:
    stored = meta(old_wrap(), kind="passphrase", version=UNAUTHENTICATED)
    found = opened(stored, OWNER, "passphrase")
    assert (found.shown, found.keys) == ("passphrase", [KEY])


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
        opened(meta(made_for(OWNER, ""), kind=described), OTHER, offered)
    assert key_id(OTHER) not in str(caught.value)
    assert key_id(OWNER) not in str(caught.value)


def test_half_way_to_a_passphrase_no_id_is_shown() -> None:
    stored = meta(made_for(OWNER, "")) | {"next_provider": {"kind": "passphrase"}}
    with pytest.raises(WrongKeyError) as caught:
        opened(stored, OTHER, "mid-rotation")
    assert key_id(OTHER) not in str(caught.value)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_an_edited_wrap_gives_no_other_key(place: int, change: int) -> None:
    made = made_for(OWNER, "key-file")
    blob = bytearray.fromhex(made["wrapped"])
    blob[place % len(blob)] ^= change
    edited = meta({**made, "wrapped": blob.hex()})
    with pytest.raises((WrongKeyError, VaultError)):
        opened(edited, OWNER, "key-file")


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
    with pytest.raises(VaultError, match="description was changed"):
        opened(meta() | {"wraps": [broken]}, OWNER, "key-file")
