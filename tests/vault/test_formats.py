"""A reader that was made from docs/formats.md alone, on what past versions wrote.

Nothing of this package is used here: whoever loses it can still get their images back
with that document. What the document doesn't tell isn't tried: the mark between O and
W, and the changes that the invertible networks compute away.
"""

import base64
import hashlib
import json
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from PIL import Image

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parents[1] / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir() if path.name[0].isdigit())


def hkdf(key: bytes, purpose: str, *items: str | bytes, length: int = 32) -> bytes:
    info = struct.pack(">I", length)
    for item in (b"fiftyone-reue/1", purpose, *items):
        data = item.encode() if isinstance(item, str) else item
        kind = b"s" if isinstance(item, str) else b"b"
        info += kind + struct.pack(">Q", len(data)) + data
    return HKDF(SHA256(), length, None, info).derive(key)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unsealed(key: bytes, block: bytes, aad: bytes) -> bytes:
    both = hkdf(key, "seal", length=48)
    assert block[:16] == both[32:]
    return ChaCha20Poly1305(both[:32]).decrypt(block[16:28], block[28:], aad)


def key_file(path: Path) -> bytes:
    begin, *headers_and_body, checksum, end = path.read_text().splitlines()
    gap = headers_and_body.index("")
    headers, body = headers_and_body[:gap], headers_and_body[gap + 1 :]
    kind = begin.split()[2]
    assert end == f"-----END REUE {kind} KEY-----"
    key = base64.b64decode("".join(body))
    said = "".join(f"{line}\n" for line in (kind, *headers, "")).encode()
    assert checksum == f"={hashlib.sha256(said + key).hexdigest()[:16]}"
    return key


class Record:
    def __init__(self, data: bytes) -> None:
        assert data[:4] == b"REUE"
        self.version = data[4]
        self.digest, self.peak, place = data[38:70], None, 70
        if self.version & 0x40:
            self.peak, place = int.from_bytes(data[70:72], "big"), 72
        self.without_file = place
        if self.version & 0x80:
            place += 32
        self.header = data[:place]
        self.boxes = []
        while place < len(data):
            end = place + 4 + int.from_bytes(data[place : place + 4], "big")
            self.boxes.append(data[place + 4 : end])
            place = end
        assert len(self.boxes) == (3 if self.version & 0x80 else 2)

    def opened(self, box: bytes, key: bytes, purpose: str, bound: bytes) -> bytes:
        key = hkdf(key, purpose, bound)
        if not self.version & 0x20:
            return ChaCha20Poly1305(key).decrypt(bytes(12), box, bound)
        content = ChaCha20Poly1305(key).decrypt(box[:12], box[12:], bound)
        assert box[:12] == hkdf(key, "nonce", sha256(content))[:12]
        return content

    def recipients(self, key: bytes) -> bytes:
        bound = self.header + sha256(self.boxes[1])
        return self.opened(self.boxes[0], key, "recipient-box", bound)

    def owners(self, key: bytes, licensed: bytes) -> list[bytes]:
        head = bytearray(self.header[: self.without_file])
        head[4] &= ~0x80 & 0xFF
        head[5], head[38:70] = 2, licensed
        named = zip(("owner-box", "file-box"), self.boxes[1:], strict=False)
        return [self.opened(box, key, name, bytes(head)) for name, box in named]


def record_in(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".tif":
        with Image.open(path) as image:
            return image.tag_v2[65123]  # type: ignore[attr-defined]
    if path.suffix == ".bmp":
        start = data.index(b"reUE-start") + 10
        (length,) = struct.unpack("<Q", data[-16:-8])
        return data[start : start + length]
    webp = path.suffix == ".webp"
    place, found = (12 if webp else 8), b""
    while place < len(data):
        if webp:
            name, size = struct.unpack_from("<4sI", data, place)
        else:
            size, name = struct.unpack_from(">I4s", data, place)
        if name in (b"reUE", b"REUE"):
            found += data[place + 8 : place + 8 + size]
        place += 8 + size + (size % 2 if webp else 4)
    return found


def samples_in(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        found = np.asarray(image)
    found = found.astype(np.uint16) if found.dtype == np.int32 else found
    return found[..., None] if found.ndim == 2 else found


def digest_of(samples: np.ndarray) -> bytes:
    height, width, channels = samples.shape
    kind = "u8" if samples.itemsize == 1 else "u16"
    head = f"reue-samples-v1 {kind} {height}x{width}x{channels}\n".encode()
    return sha256(head + samples.astype(f"<u{samples.itemsize}").tobytes())


def unpacked(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data) if data else b""


def parts_of(data: bytes, count: int) -> list[bytes]:
    parts = []
    for _ in range(count - 1):
        (length,) = struct.unpack_from(">I", data)
        parts.append(data[4 : 4 + length])
        data = data[4 + length :]
    return [*parts, data]


def dense(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    height, width, channels = shape
    count = height * width * channels
    raw = np.frombuffer(unpacked(data) or bytes(2 * count), np.uint8).astype(int)
    folded = raw[:count] | raw[count:] << 8
    numbers = (folded >> 1) ^ -(folded & 1)
    return numbers.reshape(channels, height, width).transpose(1, 2, 0)


def without(
    offset: np.ndarray, rails: bytes, after: np.ndarray, peak: int
) -> np.ndarray:
    steps = np.broadcast_to(offset * max(1, peak // 255), after.shape)
    before = after - steps
    low, high = (after == 0) & (steps < 0), (after == peak) & (steps > 0)
    if rails:
        beyond = np.frombuffer(unpacked(rails), f"<u{after.itemsize}").astype(int)
        before[low | high] += np.where(low, -1, 1)[low | high] * beyond
    return before


def licensed(
    record: Record, content: bytes, protected: np.ndarray
) -> np.ndarray | None:
    """W's samples; None where a network computes the change away."""
    peak = record.peak or np.iinfo(protected.dtype).max
    result = protected.copy()
    colours = protected.shape[2] - (protected.shape[2] in (2, 4))
    after = protected[..., :colours]
    if record.version & 0x1F == 1:
        h, w, c = struct.unpack_from(">HHB", content)
        packed, rails = parts_of(content[5:], 2)
        pattern = np.frombuffer(unpacked(packed), np.int8).reshape(h, w, c).astype(int)
        rows, columns = (np.arange(n) for n in after.shape[:2])
        offset = pattern[rows * h // len(rows)][:, columns * w // len(columns)]
        result[..., :colours] = without(offset, rails, after, peak)
    elif content[0] == 2:
        packed, rails = parts_of(content[1:], 2)
        offset = dense(packed, after.shape)
        result[..., :colours] = without(offset, rails, after, peak)
    elif content[0] == 3:
        image = np.cumsum(dense(content[1:], after.shape), axis=1)
        if colours == 3:
            image[..., ::2] += image[..., 1:2]
        result[..., :colours] = image % 2 ** (8 * after.itemsize)
    else:
        assert content[0] == 1
        return None
    return result


def vault_keys(version: str) -> tuple[str, list[bytes], dict[str, bytes]]:
    """The vault's id, the keys of its epochs and the recipients' keys."""
    folder = GOLDEN / version / "vault"
    owner = key_file(folder / "owner.key")
    # Which leaves no files beside it, unlike mode=ro.
    ledger = f"file:{folder / 'ledger.sqlite'}?immutable=1"
    database = sqlite3.connect(ledger, uri=True)
    meta = json.loads(database.execute("SELECT document FROM meta").fetchone()[0])
    rows = database.execute("SELECT name, id, wrapped_key FROM recipients").fetchall()
    database.close()
    vault, (wrap,) = meta["vault_id"], meta["wraps"]
    assert wrap["key_id"] == hkdf(owner, "key-id", length=8).hex()
    aad = vault.encode()
    if meta["format"] == 2:
        aad = f"reue vault\0002\0{vault}\0{wrap['epoch']}".encode()
    wrapped = bytes.fromhex(wrap["wrapped"])
    newest = unsealed(hkdf(owner, "vault-wrap", vault), wrapped, aad)[:32]
    older = b""
    if meta["format"] == 2:
        sealed = bytes.fromhex(wrap["older"])
        older = unsealed(hkdf(newest, "older-epochs", vault), sealed, aad)
    keys = [*(older[at : at + 32] for at in range(0, len(older), 32)), newest]
    people = {
        name: unsealed(hkdf(newest, "recipient-wrap", vault, one), key, b"key")
        for name, one, key in rows
    }
    return vault, keys, people


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["lsp", "rue", "raeg", "deep_hiding"])
def test_the_document_suffices(version: str, method: str) -> None:
    alice = key_file(GOLDEN / version / "alice.key")
    text = (GOLDEN / version / "alice.key").read_text()
    vault, (key,), people = vault_keys(version)
    assert people["alice"] == alice
    exact = 0
    files = sorted((GOLDEN / version / method).glob("*/*"))
    for path in files:
        record, protected = Record(record_in(path)), samples_in(path)
        assert digest_of(protected) == record.digest, path
        content = record.recipients(alice)
        found = licensed(record, content[32:], protected)
        if found is not None:
            assert digest_of(found) == content[:32], path
            exact += 1
        owner, *file = record.owners(hkdf(key, "owner-box", vault), content[:32])
        end = 34 + owner[33]
        assert f"Recipient-Id: {owner[34:end].decode()}\n" in text
        assert bool(file) == bool(record.version & 0x80) == (version != "0.1")
        for content in file:
            assert content[0] in (1, 2, 3)
            (length,) = struct.unpack_from(">I", content, 1)
            assert b"." in content[5 : 5 + length]
    assert len(files) > exact or method in ("lsp", "rue")
    assert exact >= (20 if method in ("lsp", "rue") else 4)
