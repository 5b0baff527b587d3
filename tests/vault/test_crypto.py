import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError, WrongKeyError
from fiftyone_reue.vault.crypto import (
    COMMITMENT_SIZE,
    SEAL_OVERHEAD,
    key_id,
    open_sealed,
    seal,
)

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))

keys = st.binary(min_size=16, max_size=64)
contexts = st.lists(st.one_of(st.text(max_size=6), st.binary(max_size=6)), max_size=4)


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_key_ids_never_change() -> None:
    assert key_id(KEY) == "f7fe17c99c0cd76a"
