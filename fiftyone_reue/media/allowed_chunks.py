"""A PNG's chunks that are known not to hold a picture."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable

from fiftyone_reue.media.plain_text import MOST_CHARACTERS, TextGate

Chunk = tuple[bytes, bytes]

_LENGTHS = {
    b"cHRM": (32,),
    b"gAMA": (4,),
    b"sRGB": (1,),
    b"cICP": (4,),
    b"mDCV": (24,),
    b"cLLI": (8,),
    b"sBIT": (1, 2, 3, 4),
    b"bKGD": (1, 2, 6),
    b"pHYs": (9,),
    b"tIME": (7,),
    b"oFFs": (9,),
    b"sTER": (1,),
}
_NUMBER = rb"[+-]?\d{1,16}(?:\.\d{0,16})?(?:[eE][+-]?\d{1,4})?"
_SHAPES = {
    b"sCAL": re.compile(rb"[\1\2]%s\0%s" % (_NUMBER, _NUMBER)),
    # Name, two limits, the kind of equation, how many parameters; a unit; they.
    b"pCAL": re.compile(
        rb"([ -~]{1,79})\0.{8}[\0-\3][\2-\4]([ -~]{0,20})((?:\0%s){2,4})" % _NUMBER,
        re.DOTALL,
    ),
}
_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_REGISTERED = frozenset(
    (
        *("title", "author", "description", "copyright", "creation time", "software"),
        *("disclaimer", "warning", "source", "comment", "collection"),
    )
)
_PLAIN_KEYWORD = re.compile(r"[A-Za-z]+(?:[ .:_-]{1,2}[A-Za-z]+){0,4}")
_LONGEST_KEYWORD = 40
_PICTURE_KEYWORD = re.compile(
    r"hash|thumb|preview|icon|lqip|placeholder|pixel|histogram"
)
_PLACE_KEYWORD = re.compile(
    r"gps|geo(?!met)|locat|latitud|longitud|altitud|position|address|serial|owner.?name"
    r"|unique.?id"
)
"""Of where and by whose camera an image was taken, as in EXIF."""

_MOST_OF_ONE_KEYWORD = 4
_LANGUAGE = re.compile(rb"(?:[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,2})?")
_MOST_BYTES = 4 * MOST_CHARACTERS


def kept(chunks: Iterable[Chunk], texts: TextGate) -> tuple[list[Chunk], list[str]]:
    """Keep of a PNG's ancillary chunks what may be handed out.

    Chunks about colour and size must have the length or the form that the
    specification gives them and come once; texts must be plain once unpacked, and are
    packed anew, for packed data can hold more than it gives. A text's keyword is one of
    the specification's, or a few words, comes four times at most and isn't that of
    a small picture (blurhash, thumbnail), nor of a place or a serial number. All others
    are withheld, private ones and those that list samples (sPLT, hIST) among them.

    Args:
        chunks: ``(type, payload)`` each.
        texts: says which texts are plain.

    Returns:
        The chunks that are kept, and what was withheld, in words.
    """
    passed: list[Chunk] = []
    withheld: list[str] = []
    seen: set[bytes] = set()
    keywords: Counter[str] = Counter()
    for kind, payload in chunks:
        if kind in _TEXTS:
            keyword = _keyword(payload)
            keywords[keyword.lower()] += 1
            often = keywords[keyword.lower()] > _MOST_OF_ONE_KEYWORD
            text = None if often else _text(kind, payload, texts)
            if text is None:
                withheld.append(f"PNG text {keyword!r}")
            else:
                passed.append((kind, text))
        elif kind not in seen and _is_formed(kind, payload, texts):
            seen.add(kind)
            passed.append((kind, payload))
        else:
            withheld.append(f"PNG chunk {kind.decode('latin-1')}")
    return passed, withheld


def raw_profile(payload: bytes, name: bytes) -> bytes | None:
    """What ImageMagick's text chunk of hexadecimal digits holds.

    Args:
        payload: of a tEXt or zTXt chunk.
        name: of the profile, such as ``b"exif"``.

    Returns:
        Its bytes, or None if it isn't that profile or is damaged.
    """
    keyword = b"Raw profile type " + name + b"\0"
    if not payload.startswith(keyword):
        return None
    text = payload[len(keyword) :]
    if text.startswith(b"\0"):
        text = _inflated(text[1:]) or b""
    lines = text.split(None, 2)
    try:
        return bytes.fromhex(lines[2].decode("ascii"))
    except (IndexError, ValueError):
        return None


def _is_formed(kind: bytes, payload: bytes, texts: TextGate) -> bool:
    if kind in _LENGTHS:
        return len(payload) in _LENGTHS[kind]
    form = _SHAPES[kind].fullmatch(payload) if kind in _SHAPES else None
    return form is not None and all(
        texts.lets(words.replace(b"\0", b" ").decode("latin-1"))
        for words in form.groups()
    )


def _keyword(payload: bytes) -> str:
    return payload[:79].split(b"\0")[0].decode("latin-1")


def _is_plain_keyword(keyword: bytes) -> bool:
    words = keyword.decode("latin-1")
    if words.lower() in _REGISTERED:
        return True
    return (
        len(words) <= _LONGEST_KEYWORD
        and _PLAIN_KEYWORD.fullmatch(words) is not None
        and not _PICTURE_KEYWORD.search(words.lower())
        and not _PLACE_KEYWORD.search(words.lower())
    )


def _text(kind: bytes, payload: bytes, texts: TextGate) -> bytes | None:
    """The payload of a chunk with the same text, or None if it isn't plain."""
    keyword, zero, rest = payload.partition(b"\0")
    if not zero or not _is_plain_keyword(keyword):
        return None
    if keyword.startswith((b"Raw profile type ", b"XML:com.adobe.xmp")):
        return None  # a whole metadata block
    label = keyword.decode("latin-1")
    if kind == b"tEXt":
        return payload if texts.lets(rest.decode("latin-1"), label) else None
    if kind == b"zTXt":
        text = _inflated(rest[1:]) if rest[:1] == b"\0" else None
        if text is None or not texts.lets(text.decode("latin-1"), label):
            return None
        return b"%s\0\0%s" % (keyword, zlib.compress(text))
    return _international(keyword, rest, texts)


def _international(keyword: bytes, rest: bytes, texts: TextGate) -> bytes | None:
    language, _, more = rest[2:].partition(b"\0")
    translated, zero, text = more.partition(b"\0")
    packed = rest[:2] == b"\1\0"
    if not zero or not _LANGUAGE.fullmatch(language):
        return None
    unpacked = _inflated(text) if packed else text
    if unpacked is None or not (packed or rest[:2] == b"\0\0"):
        return None
    try:
        words = unpacked.decode()
        label = "\n".join(
            part.decode() for part in (keyword, language, translated) if part
        )
    except UnicodeDecodeError:
        return None
    if not texts.lets(words, label):
        return None
    text = zlib.compress(unpacked) if packed else text
    return b"\0".join((keyword, rest[:2] + language, translated, text))


def _inflated(packed: bytes) -> bytes | None:
    """Unpacked, or None if it is damaged, longer than a text, or followed by more."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, _MOST_BYTES)
    except zlib.error:
        return None
    return text if inflater.eof and not inflater.unused_data else None
