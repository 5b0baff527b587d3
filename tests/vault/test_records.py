import base64
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
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb import reversal
from fiftyone_reue.vault import records

pytestmark = pytest.mark.unit

KEY, OWNER_KEY = b"r" * 32, b"o" * 32
HEADER = records.Header("protected", "a" * 16, "b" * 16, "c" * 16, "d" * 16, b"P" * 32)
RECIPIENT = records.RecipientPart(b"the way back", b"W" * 32)
OWNER = records.OwnerPart("e" * 16, "f" * 32, 2, b"lost by W", b"O" * 32)

# All of this, but a recipient's part as first packed, when there was one version.
FIRST = base64.b64decode("""
UkVVRQEBqqqqqqqqqqq7u7u7u7u7u8zMzMzMzMzM3d3d3d3d3d1QUFBQUFBQUFBQUFBQUFBQUFBQ
UFBQUFBQUFBQUFBQUAAAAHvecBOwL3ilCwM8RYFf/lNnGbIlpQFC40hT74878DKgrVgm+XO5SjJY
lmhbcv8Zio2kJ9scjLl54YAXdlHXcPlOL1MuogdRjg2sbDGmpDo/xQhwEbZjcMJCrYlZ8ZSWjy4y
hBb9D9JmSl5CL9D7519hlgxf5e7DMISJCPkAAABsair+DlP7vZBYU616qNc872bHNdnh1RZvflbF
+gANhQQbKg0rV5L2bHrgptYU5qIXOHuc5slThScY9IGVR0xyT6kMOIM+eveZVSgrLuabRaifv0O6
Og4SJhwzyTd4Hy1gcALpTqqSMhkwBm/B
""")


def sealed() -> records.Envelope:
    return records.seal_protected(HEADER, KEY, RECIPIENT, OWNER_KEY, OWNER)


def test_both_boxes_open_to_what_was_sealed():
    envelope = records.unpack(sealed().pack())
    assert envelope.header == HEADER
    assert records.open_recipient(envelope, KEY, HEADER.key) == RECIPIENT
    assert records.open_owner(envelope, OWNER_KEY, HEADER.vault, b"W" * 32) == OWNER


def test_the_licensed_envelope_keeps_only_the_owners_box():
    licensed = records.licensed_envelope(sealed(), b"W" * 32)
    again = records.unpack(licensed.pack())
    assert again.header == replace(HEADER, tier="licensed", digest=b"W" * 32)
    assert again.recipient_box == b""
    assert records.open_owner(again, OWNER_KEY, HEADER.vault, b"W" * 32) == OWNER


@pytest.mark.slow
@given(
    version=st.sampled_from([1, 2, 3, 4]),
    nonces=st.booleans(),
    file=st.none() | st.binary(max_size=50),
    content=st.binary(max_size=50),
    lost=st.binary(max_size=50),
    amplitude=st.integers(0, 127),
    visible=st.booleans(),
    name=st.binary(min_size=1, max_size=16).map(bytes.hex),
)
def test_any_content_comes_back(
    version, nonces, file, content, lost, amplitude, visible, name
):
    header = replace(HEADER, version=version, nonces=nonces)
    recipient = records.RecipientPart(content, b"W" * 32)
    owner = records.OwnerPart(name, name[::-1], amplitude, lost, b"O" * 32, visible)
    envelope = records.seal_protected(header, KEY, recipient, OWNER_KEY, owner, file)
    assert records.unpack(envelope.pack()) == envelope
    assert records.open_file(envelope, OWNER_KEY, b"W" * 32) == file
    assert records.open_recipient(envelope, KEY, HEADER.key) == recipient
    licensed = records.licensed_envelope(envelope, b"W" * 32)
    for either in (envelope, licensed):
        assert either.header.version == version
        assert records.open_owner(either, OWNER_KEY, HEADER.vault, b"W" * 32) == owner


def test_records_of_the_first_version_are_read_and_written_as_ever():
    envelope = records.unpack(FIRST)
    assert envelope.header == HEADER
    assert envelope.header.version == 1
    recipient = records.open_recipient(envelope, KEY, HEADER.key)
    assert recipient.digest == b"W" * 32
    owner = records.open_owner(envelope, OWNER_KEY, HEADER.vault, b"W" * 32)
    assert owner == OWNER
    again = records.seal_protected(HEADER, KEY, recipient, OWNER_KEY, owner)
    assert again.pack() == FIRST
    image = np.zeros((8, 8, 3), np.uint8)
    way = reversal.unpack(reversal.Content(1, recipient.content), image, 3)
    pattern = np.arange(-24, 24, dtype=np.int8).reshape(4, 4, 3)
    assert np.array_equal(way.change(lambda: image, 3), expand(pattern, 8, 8))
    assert way.lost == b"lost by P"


def test_sealing_again_gives_the_same_bytes_and_nothing_in_clear():
    blob = sealed().pack()
    assert blob == sealed().pack()
    for secret in (b"the way", b"lost by", b"W" * 32, b"O" * 32, b"f" * 32):
        assert secret not in blob


NEW = replace(HEADER, nonces=True)
FILE = b"what the original file has besides its samples"


@pytest.mark.parametrize("peak", [None, 4095])
def test_the_files_box_goes_along_for_the_owner(peak: int | None) -> None:
    header = replace(NEW, peak=peak)
    made = records.seal_protected(header, KEY, RECIPIENT, OWNER_KEY, OWNER, FILE)
    envelope = records.unpack(made.pack())
    assert envelope == made
    assert envelope.header.peak == peak
    assert records.open_recipient(envelope, KEY, HEADER.key) == RECIPIENT
    licensed = records.licensed_envelope(envelope, b"W" * 32)
    assert records.unpack(licensed.pack()) == licensed
    for either in (envelope, licensed):
        assert FILE not in either.pack()
        assert records.open_owner(either, OWNER_KEY, HEADER.vault, b"W" * 32) == OWNER
        assert records.open_file(either, OWNER_KEY, b"W" * 32) == FILE
    assert made == records.seal_protected(
        header, KEY, RECIPIENT, OWNER_KEY, OWNER, FILE
    )


def test_a_record_can_be_kept_without_the_files_box() -> None:
    made = records.seal_protected(NEW, KEY, RECIPIENT, OWNER_KEY, OWNER, FILE)
    short = records.unpack(made.without_file().pack())
    assert len(short.pack()) < len(made.pack()) - len(FILE)
    assert records.open_recipient(short, KEY, HEADER.key) == RECIPIENT
    assert records.open_owner(short, OWNER_KEY, HEADER.vault, b"W" * 32) == OWNER
    assert records.open_file(short, OWNER_KEY, b"W" * 32) is None


def test_another_files_box_is_noticed_by_both() -> None:
    made = records.seal_protected(NEW, KEY, RECIPIENT, OWNER_KEY, OWNER, FILE)
    other = records.seal_protected(NEW, KEY, RECIPIENT, OWNER_KEY, OWNER, b"other")
    with pytest.raises(DamagedRecordError, match="makes the original file"):
        records.unpack(replace(made, file_box=other.file_box).pack())
    header = replace(made.header, file=other.header.file)
    forged = replace(made, header=header, file_box=other.file_box)
    with pytest.raises(DamagedRecordError):
        records.open_recipient(records.unpack(forged.pack()), KEY, HEADER.key)
    with pytest.raises(DamagedRecordError):
        records.open_file(made, b"x" * 32, b"W" * 32)
    with pytest.raises(DamagedRecordError):
        records.open_file(made, OWNER_KEY, b"V" * 32)


@pytest.mark.parametrize("part", ["recipient", "owner", "file"])
def test_two_contents_never_share_a_key_and_a_nonce(part: str) -> None:
    """Be it only that another version of a compressor packs them otherwise."""
    made = []
    for content in (b"a" * 60, b"b" * 60):
        recipient, owner, file = RECIPIENT, OWNER, FILE
        if part == "recipient":
            recipient = replace(RECIPIENT, content=content)
        elif part == "owner":
            owner = replace(OWNER, lost=content)
        else:
            file = content
        made.append(records.seal_protected(NEW, KEY, recipient, OWNER_KEY, owner, file))
    boxes = [getattr(envelope, f"{part}_box") for envelope in made]
    assert boxes[0][:12] != boxes[1][:12]
    tails = [box[-76:-16] for box in boxes]
    difference = {x ^ y for x, y in zip(*tails, strict=True)}
    assert len(difference) > 20  # one keystream would leave a ^ b everywhere


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
        replace(HEADER, version=2),
        replace(HEADER, peak=4095),
        replace(HEADER, nonces=True),
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
    for version in (0, 5, 31):
        blob[4] = version
        message = rf"version {version}, .* up to 4; update fiftyone-reue .this is "
        with pytest.raises(DamagedRecordError, match=message):
            records.unpack(bytes(blob))


@pytest.mark.slow
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: b"REUE" + b))
def test_any_bytes_unpack_or_are_refused(blob):
    try:
        envelope = records.unpack(blob)
    except DamagedRecordError:
        return
    assert envelope.pack() == blob


@pytest.mark.slow
@given(st.data())
def test_a_shortened_record_is_refused(data):
    blob = sealed().pack()
    with pytest.raises(DamagedRecordError):
        records.unpack(blob[: data.draw(st.integers(0, len(blob) - 1))])


def test_a_releases_key_opens_no_other_release() -> None:
    first, second = (records.release_key(OWNER_KEY, one * 16) for one in "ab")
    made = records.seal_protected(NEW, KEY, RECIPIENT, first, OWNER, FILE)
    digest = RECIPIENT.digest
    assert records.open_owner(made, first, HEADER.vault, digest) == OWNER
    for key in (second, OWNER_KEY):
        with pytest.raises(DamagedRecordError):
            records.open_owner(made, key, HEADER.vault, digest)
        with pytest.raises(DamagedRecordError):
            records.open_file(made, key, digest)
