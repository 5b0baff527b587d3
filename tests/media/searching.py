"""Looks in any bytes, decoded at every nesting, for anything that shows a picture."""

import base64
import binascii
import contextlib
import io
import re
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy import fft

# Sides of thumbnails whose rows lie uncoded; coded ones are opened whatever theirs.
RAW_SIDES = ((16, 12), (32, 24))
_STARTS = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF|BM|II\*\0|MM\0\*", re.DOTALL)
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_=\-][A-Za-z0-9+/_=\-\s]{60,}")
_HEX = re.compile(rb"(?:(?:0x)?[0-9a-fA-F]{2}[\s,]*){40,}")
_NUMBERS = re.compile(rb"\d{1,3}(?:[\s,;]+\d{1,3}){60,}")
_PRINTABLE = re.compile(rb"[!-uz\s]{80,}")
_UU_LINES = re.compile(rb"(?:M[ -`]{60}\n){2,}(?:[ -`]{2,60}\n)?")
_WIDE = (re.compile(rb"(?:[ -~]\0){60,}"), re.compile(rb"(?:\0[ -~]){60,}"))
_BLOCKS = re.compile(rb"\x21[\x01\xfe\xff]")
_DEEPEST = 6


def shows(data: bytes, picture: np.ndarray) -> list[str]:
    """The ways in which bytes show a picture.

    Args:
        data: any bytes; a file's own picture counts as well.
        picture: ``(H, W, 3)`` uint8, of the sides 4:3.

    Returns:
        For each find how it was come by, such as ``"base64 > JPEG"``.
    """
    found: list[str] = []
    queue: list[tuple[bytes, str, int]] = [(data, "", 0)]
    seen: set[bytes] = set()
    while queue:
        blob, path, depth = queue.pop()
        if blob in seen:
            continue
        seen.add(blob)
        for image in _images(blob):
            if _alike(image, picture):
                found.append(f"{path}{image.format}")
        if _holds_raw(blob, picture):
            found.append(f"{path}raw")
        if depth < _DEEPEST:
            below = _unpacked(blob)
            queue += [(more, f"{path}{how} > ", depth + 1) for how, more in below]
    return found


def _images(blob: bytes) -> Iterator[Image.Image]:
    for start in _STARTS.finditer(blob):
        try:
            image = Image.open(io.BytesIO(blob[start.start() :]))
            image.load()
        except Exception:  # not an image after all
            continue
        yield image


def _alike(image: Image.Image, picture: np.ndarray) -> bool:
    small = np.asarray(_luma(image.convert("RGB")), np.float64).ravel()
    known = np.asarray(_luma(Image.fromarray(picture)), np.float64).ravel()
    if small.std() == 0:
        return False
    return abs(np.corrcoef(small, known)[0, 1]) > 0.8


def _luma(image: Image.Image) -> Image.Image:
    return image.convert("L").resize((16, 12), Image.Resampling.BOX)


def _holds_raw(blob: bytes, picture: np.ndarray) -> bool:
    numbers = np.frombuffer(blob, np.uint8).astype(np.float64)
    lines = [
        numbers[phase::step] for step in (1, 2, 3, 4, 6, 8) for phase in range(step)
    ]
    for kind in ("<f4", ">f4", "<f8", ">f8"):
        size = np.dtype(kind).itemsize
        for phase in range(size):
            whole = blob[phase : phase + (len(blob) - phase) // size * size]
            with np.errstate(invalid="ignore"):
                values = np.frombuffer(whole, kind).astype(np.float64)
            sane = np.isfinite(values) & (np.abs(values) <= 65535)
            lines.append(np.where(sane, values, 0))
    image = Image.fromarray(picture).convert("L")
    templates = []
    for sides in RAW_SIDES:
        rows = np.asarray(image.resize(sides, Image.Resampling.BOX), np.float64)
        templates += [rows.ravel(), rows[::-1].ravel()]
    return any(_correlates(line, templates) for line in lines)


def _correlates(line: np.ndarray, templates: list[np.ndarray]) -> bool:
    """Whether a run of values correlates with a template."""
    templates = [one for one in templates if len(one) <= len(line)]
    if not templates:
        return False
    length = fft.next_fast_len(len(line), real=True)
    spectrum = fft.rfft(line, length)
    sums = np.concatenate([[0], np.cumsum(line)])
    squares = np.concatenate([[0], np.cumsum(line**2)])
    for template in templates:
        size = len(template)
        centred = template - template.mean()
        # No window that lies in the line meets what the transform wraps around.
        wrapped = fft.irfft(spectrum * fft.rfft(centred, length).conj(), length)
        products = wrapped[: len(line) - size + 1]
        mean = (sums[size:] - sums[:-size]) / size
        spread = (squares[size:] - squares[:-size]) / size - mean**2
        norm = np.sqrt(size) * np.linalg.norm(centred)
        scale = np.sqrt(np.maximum(spread, 1.0)) * norm
        if (np.abs(products) / scale > 0.8).any():
            return True
    return False


def _unpacked(blob: bytes) -> Iterator[tuple[str, bytes]]:
    for start in _ZLIB.finditer(blob):
        inflater = zlib.decompressobj()
        try:
            out = inflater.decompress(blob[start.start() :], 1 << 20)
        except zlib.error:
            continue
        if len(out) > 40:
            yield "inflated", out
    for run in _BASE64.findall(blob):
        letters = re.sub(rb"[\s=]", b"", run).translate(bytes.maketrans(b"-_", b"+/"))
        for skip in range(4):
            whole = letters[skip : skip + (len(letters) - skip) // 4 * 4]
            yield "base64", base64.b64decode(whole)
    for run in _HEX.findall(blob):
        digits = re.sub(rb"0x|[\s,]", b"", run)
        for skip in range(2):
            whole = digits[skip : skip + (len(digits) - skip) // 2 * 2]
            yield "hex", bytes.fromhex(whole.decode())
    for run in _NUMBERS.findall(blob):
        yield "numbers", bytes(int(n) & 255 for n in re.findall(rb"\d+", run))
    for run in _PRINTABLE.findall(blob):
        for skip in range(5):
            whole = b"".join(run.split())[skip:]
            with contextlib.suppress(ValueError):
                yield "ascii85", base64.a85decode(whole)
    for run in _UU_LINES.findall(blob):
        with contextlib.suppress(binascii.Error):
            yield "uuencoded", b"".join(map(binascii.a2b_uu, run.splitlines()))
    for wide in _WIDE:
        for run in wide.findall(blob):
            yield "wide text", run.replace(b"\0", b"")
    if blob.startswith(b"\x89PNG"):
        keywords, texts = _texts(blob)
        yield "keywords", b"".join(keywords)
        yield "texts", b"".join(texts)
        yield "spaced texts", b" ".join(texts)
        yield (
            "lengths of texts",
            bytes(min(len(text), 256) - 1 for text in texts if text),
        )
    if blob.startswith(b"GIF8"):
        for start in _BLOCKS.finditer(blob):
            yield "blocks", _joined_blocks(blob, start.end())


def _joined_blocks(blob: bytes, at: int) -> bytes:
    """What a GIF's extension holds, block by block, without the lengths."""
    parts = []
    while at < len(blob) and blob[at]:
        parts.append(blob[at + 1 : at + 1 + blob[at]])
        at += 1 + blob[at]
    return b"".join(parts)


def _texts(blob: bytes) -> tuple[list[bytes], list[bytes]]:
    """The keywords and the plain texts of a PNG."""
    keywords, texts, at = [], [], 8
    while at + 8 <= len(blob):
        length = int.from_bytes(blob[at : at + 4], "big")
        if blob[at + 4 : at + 8] == b"tEXt":
            keyword, _, text = blob[at + 8 : at + 8 + length].partition(b"\0")
            keywords.append(keyword)
            texts.append(text)
        at += 12 + length
    return keywords, texts
