"""The examples in docs/formats.md, which are read and written for ever."""

import base64
from pathlib import Path

import pytest

from fiftyone_reue.media.digest import coefficient_digest
from fiftyone_reue.media.jpeg_coefficients.limits import added
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.perturb import coefficients
from fiftyone_reue.vault import records

pytestmark = pytest.mark.unit

FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"


def example() -> bytes:
    text = FORMATS.read_text("utf-8").split("## An example\n")[1]
    return base64.b64decode(text.split("```")[1])


HEADER = records.Header(
    "protected",
    "a" * 16,
    "b" * 16,
    "c" * 16,
    "d" * 16,
    b"P" * 32,
    peak=4095,
    nonces=True,
)
RECIPIENT = records.RecipientPart(b"the way back", b"W" * 32)
OWNER = records.OwnerPart("e" * 16, "f" * 32, 2, b"lost by W", b"O" * 32, True)
FILE = b"what makes the file"


def test_the_record_is_read() -> None:
    envelope = records.unpack(example())
    assert envelope.header.peak == 4095
    assert records.open_recipient(envelope, b"r" * 32, "d" * 16) == RECIPIENT
    owner = records.open_owner(envelope, b"o" * 32, "a" * 16, b"W" * 32)
    assert owner == OWNER
    assert records.open_file(envelope, b"o" * 32, b"W" * 32) == FILE


def test_the_record_is_written() -> None:
    made = records.seal_protected(HEADER, b"r" * 32, RECIPIENT, b"o" * 32, OWNER, FILE)
    assert made.pack() == example()


def test_coefficients_are_digested_and_changed() -> None:
    text = FORMATS.read_text("utf-8").split("## An example of coefficients\n")[1]
    _, file, _, lines, _ = text.split("```")
    digest, content, changed = map(bytes.fromhex, lines.split())
    found = read(base64.b64decode(file))
    assert coefficient_digest(found) == digest
    way = coefficients.unpack(content, (found.height, found.width))
    assert way.pack() == content
    copy = added(found, way.offsets(found))
    assert coefficient_digest(copy) == changed
