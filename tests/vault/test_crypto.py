import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError, WrongKeyError
from fiftyone_reue.vault.crypto import (
    COMMITMENT_SIZE,
    SEAL_OVERHEAD,
    derive,
    key_id,
    keystream,
    open_sealed,
    seal,
)

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))

keys = st.binary(min_size=16, max_size=64)
contexts = st.lists(st.one_of(st.text(max_size=6), st.binary(max_size=6)), max_size=4)


def test_derived_keys_never_change() -> None:
    # Sealed data outlives versions: another value here means that old vaults are lost.
    assert derive(KEY, "test", "a", b"b").hex() == (
        "3bde211adff3cffa253739e194b7d95e63199c89988d23f28d1c651d20be8163"
    )
    assert key_id(KEY) == "f7fe17c99c0cd76a"
    assert keystream(KEY, 8).hex() == "39fd2b7dd9c5196a"


@given(st.text(max_size=6), contexts, st.text(max_size=6), contexts)
def test_different_purposes_give_different_keys(
    purpose: str,
    context: list[str | bytes],
    other_purpose: str,
    other_context: list[str | bytes],
) -> None:
    assume((purpose, context) != (other_purpose, other_context))
    assert derive(KEY, purpose, *context) != derive(KEY, other_purpose, *other_context)


def test_borders_and_types_of_the_context_matter() -> None:
    derived = {
        derive(KEY, "p", "ab", "c"),
        derive(KEY, "p", "a", "bc"),
        derive(KEY, "p", "abc"),
        derive(KEY, "pa", "bc"),
        derive(KEY, "p", b"abc"),
        derive(KEY, "p", "abc", ""),
    }
    assert len(derived) == 6


def test_a_longer_key_does_not_continue_a_shorter_one() -> None:
    assert derive(KEY, "p", length=64)[:32] != derive(KEY, "p")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        derive(b"short", "p")


@given(keys, st.binary(max_size=200), st.binary(max_size=20))
def test_what_was_sealed_opens(key: bytes, plaintext: bytes, aad: bytes) -> None:
    blob = seal(key, plaintext, aad)
    assert len(blob) == len(plaintext) + SEAL_OVERHEAD
    assert open_sealed(key, blob, aad) == plaintext


def test_sealing_twice_gives_unrelated_bytes() -> None:
    first, second = seal(KEY, bytes(64)), seal(KEY, bytes(64))
    assert first[COMMITMENT_SIZE:] != second[COMMITMENT_SIZE:]


def test_a_wrong_key_is_told_from_an_edit() -> None:
    blob = seal(KEY, b"plaintext")
    with pytest.raises(WrongKeyError):
        open_sealed(OTHER, blob)
    with pytest.raises(DamagedRecordError):
        open_sealed(KEY, blob, b"other aad")


@given(st.data(), st.binary(max_size=40))
def test_no_edited_byte_is_accepted(data: st.DataObject, plaintext: bytes) -> None:
    blob = bytearray(seal(KEY, plaintext))
    position = data.draw(st.integers(0, len(blob) - 1))
    blob[position] ^= data.draw(st.integers(1, 255))
    error = WrongKeyError if position < COMMITMENT_SIZE else DamagedRecordError
    with pytest.raises(error):
        open_sealed(KEY, bytes(blob))


@given(st.integers(0, SEAL_OVERHEAD + 8))
def test_no_cut_blob_is_accepted(length: int) -> None:
    with pytest.raises(DamagedRecordError):
        open_sealed(KEY, seal(KEY, b"nine more")[:length])


def test_key_ids_are_short_names_that_differ() -> None:
    assert len(key_id(KEY)) == 16
    assert key_id(KEY) != key_id(OTHER)
    assert bytes.fromhex(key_id(KEY)) not in KEY


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_shorter_keystream_begins_a_longer_one(a: int, b: int) -> None:
    short, long = sorted((a, b))
    assert keystream(KEY, long)[:short] == keystream(KEY, short)
    assert len(keystream(KEY, long)) == long


def test_keystreams_of_other_keys_differ() -> None:
    assert keystream(KEY, 64) != keystream(OTHER, 64)
    with pytest.raises(ValueError, match="32"):
        keystream(KEY[:16], 8)
