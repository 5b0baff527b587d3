from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import (
    DamagedRecordError,
    EditedImageError,
    ForeignRecordError,
    WrongKeyError,
)
from fiftyone_reue.vault import records

pytestmark = pytest.mark.unit

KEY, OWNER_KEY = b"r" * 32, b"o" * 32
HEADER = records.Header("protected", "a" * 16, "b" * 16, "c" * 16, "d" * 16, b"P" * 32)
PATTERN = np.arange(-24, 24, dtype=np.int8).reshape(4, 4, 3)
RECIPIENT = records.RecipientPart(PATTERN, b"lost by P", b"W" * 32)
OWNER = records.OwnerPart("e" * 16, "f" * 32, 2, b"lost by W", b"O" * 32)


def sealed() -> records.Envelope:
    return records.seal_protected(HEADER, KEY, RECIPIENT, OWNER_KEY, OWNER)


def test_both_boxes_open_to_what_was_sealed():
    envelope = records.unpack(sealed().pack())
    assert envelope.header == HEADER
    part = records.open_recipient(envelope, KEY, HEADER.key)
    assert np.array_equal(part.pattern, PATTERN)
    assert (part.lost, part.digest) == (b"lost by P", b"W" * 32)
    assert records.open_owner(envelope, OWNER_KEY, HEADER.vault, b"W" * 32) == OWNER


def test_the_licensed_envelope_keeps_only_the_owners_box():
    licensed = records.licensed_envelope(sealed(), b"W" * 32)
    again = records.unpack(licensed.pack())
    assert again.header == replace(HEADER, tier="licensed", digest=b"W" * 32)
    assert again.recipient_box == b""
    assert records.open_owner(again, OWNER_KEY, HEADER.vault, b"W" * 32) == OWNER


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
    lost=st.binary(max_size=50),
    amplitude=st.integers(0, 255),
    name=st.text("0123456789abcdef", min_size=1, max_size=32),
)
def test_any_content_comes_back(shape, lost, amplitude, name):
    pattern = np.random.default_rng(len(lost)).integers(-128, 128, shape)
    recipient = records.RecipientPart(pattern.astype(np.int8), lost, b"W" * 32)
    owner = records.OwnerPart(name, name[::-1], amplitude, lost, b"O" * 32)
    envelope = records.seal_protected(HEADER, KEY, recipient, OWNER_KEY, owner)
    part = records.open_recipient(envelope, KEY, HEADER.key)
    assert np.array_equal(part.pattern, recipient.pattern)
    assert part.lost == lost
    assert records.open_owner(envelope, OWNER_KEY, HEADER.vault, b"W" * 32) == owner


def test_sealing_again_gives_the_same_bytes_and_nothing_in_clear():
    blob = sealed().pack()
    assert blob == sealed().pack()
    for secret in (b"lost by", PATTERN.tobytes(), b"W" * 32, b"O" * 32, b"f" * 32):
        assert secret not in blob


def test_other_content_is_sealed_under_another_key():
    """One key and nonce for two contents would give both away."""
    other = replace(OWNER, lost=b"lost by V")
    changed = records.seal_protected(HEADER, KEY, RECIPIENT, OWNER_KEY, other)
    same = zip(changed.recipient_box, sealed().recipient_box, strict=True)
    assert sum(a == b for a, b in same) < 20


@pytest.mark.parametrize(
    "header",
    [
        replace(HEADER, vault="1" * 16),
        replace(HEADER, release="1" * 16),
        replace(HEADER, sample="1" * 16),
        replace(HEADER, key="1" * 16),
        replace(HEADER, digest=b"1" * 32),
    ],
)
def test_boxes_open_only_under_their_header(header):
    moved = replace(sealed(), header=header)
    with pytest.raises(DamagedRecordError):
        records.open_recipient(moved, KEY, header.key)
    if header.digest == HEADER.digest:  # the owner's box is bound to W's digest
        with pytest.raises(DamagedRecordError):
            records.open_owner(moved, OWNER_KEY, header.vault, b"W" * 32)


def test_the_owners_box_opens_only_for_the_licensed_samples():
    with pytest.raises(DamagedRecordError):
        records.open_owner(sealed(), OWNER_KEY, HEADER.vault, b"V" * 32)


def test_the_recipient_notices_another_owners_box():
    for box in (b"", b"x", sealed().owner_box[:-1] + b"x"):
        changed = replace(sealed(), owner_box=box)
        with pytest.raises(DamagedRecordError):
            records.open_recipient(changed, KEY, HEADER.key)


def test_wrong_keys_are_told_from_damage():
    with pytest.raises(WrongKeyError, match=r"sealed for key d+, this is key 1+"):
        records.open_recipient(sealed(), KEY, "1" * 16)
    with pytest.raises(DamagedRecordError):
        records.open_recipient(sealed(), b"x" * 32, HEADER.key)
    with pytest.raises(ForeignRecordError, match=r"vault a+, this is vault 1+"):
        records.open_owner(sealed(), OWNER_KEY, "1" * 16, b"W" * 32)
    with pytest.raises(DamagedRecordError):
        records.open_owner(sealed(), b"x" * 32, HEADER.vault, b"W" * 32)


def test_other_samples_are_noticed():
    records.check_digest(sealed(), b"P" * 32)
    with pytest.raises(EditedImageError, match="edited or re-saved"):
        records.check_digest(sealed(), b"Q" * 32)


def test_a_newer_version_is_named():
    blob = bytearray(sealed().pack())
    blob[4] = 2
    with pytest.raises(DamagedRecordError, match=r"version 2.*newer fiftyone-reue"):
        records.unpack(bytes(blob))


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: b"REUE" + b))
def test_any_bytes_unpack_or_are_refused(blob):
    try:
        envelope = records.unpack(blob)
    except DamagedRecordError:
        return
    assert envelope.pack() == blob


@given(st.data())
def test_a_shortened_record_is_refused(data):
    blob = sealed().pack()
    with pytest.raises(DamagedRecordError):
        records.unpack(blob[: data.draw(st.integers(0, len(blob) - 1))])
