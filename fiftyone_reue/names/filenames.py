"""File names that every file system takes, keeps apart and gives back.

What macOS or Windows can't hold is percent-encoded, so that different texts have
different names; what any of them can hold stays readable in any script.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

LIMIT = 239
"""Bytes of a name without its suffix: 255, and room for ``.approximate.png``."""

_FORBIDDEN = frozenset('<>:"/\\|?*')
# Names that stand for devices on Windows, with any suffix; and what a release's
# folder holds beside its classes.
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³]) *(\.|$)"
    r"|manifest\.json$",
    re.IGNORECASE,
)
_HASH_DIGITS = 16
_ENCODED = re.compile(f"%[0-9A-Fa-f]{{2}}|~[0-9a-f]{{{_HASH_DIGITS}}}$")
_RAW_BYTE = re.compile("[\udc80-\udcff]")


def component(text: str, limit: int = LIMIT) -> str:
    """A name for a text, such as a class; different texts have different names.

    Args:
        text: any, the empty one too.
        limit: bytes of UTF-8 that the name may have, 40 or more. What is longer is cut
            and ends in a hash of the text.

    Returns:
        The text itself where that is a name on every system. Forbidden characters,
        control characters, dots and spaces at an end, names of devices, and what
        would read as an escape are percent-encoded. A text that isn't in composed
        form (NFC) has all beyond ASCII encoded, since macOS takes it for the composed
        one.
    """
    return _encoded(text, limit, keep_encoded=False)


def portable(name: str, limit: int = LIMIT) -> str:
    """The name itself if every system can hold it, else one like it.

    Unlike :func:`component`, it leaves a name alone that was encoded before, and so
    may give one name for two.
    """
    return _encoded(name, limit, keep_encoded=True)


def apart(name: str, text: str, limit: int = LIMIT) -> str:
    """Another name for a text, where some system would merge ``name`` with others."""
    return _fitted([*name, _hash(text)], text, limit)


def shortened(name: str, limit: int) -> str:
    """A name of at most so many bytes; a longer one is cut and ends in its hash."""
    return _fitted(list(name), name, limit)


def fold(name: str) -> str:
    """What two names have in common if some system merges them."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text that can be printed and stored, bytes that aren't UTF-8 escaped.

    It is no path any more: only for people to read.
    """
    text = _RAW_BYTE.sub(lambda c: f"\\x{ord(c[0]) & 0xFF:02x}", os.fspath(path))
    return text.encode("utf-8", "backslashreplace").decode()


def is_text(path: str | os.PathLike[str]) -> bool:
    """Whether a path can be encoded, and so be stored and printed."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(text: str, limit: int, *, keep_encoded: bool) -> str:
    if not text:
        return _hash("")
    pieces = _escaped(text, keep_unicode=_composed(text), keep_encoded=keep_encoded)
    if not _composed("".join(pieces)):  # an escape's last letter took an accent
        pieces = _escaped(text, keep_unicode=False, keep_encoded=keep_encoded)
    return _fitted(pieces, text, limit)


def _composed(text: str) -> bool:
    return unicodedata.is_normalized("NFC", text)


def _escaped(text: str, *, keep_unicode: bool, keep_encoded: bool) -> list[str]:
    """A text's characters, those that can't stay as ``%XX``."""
    last = len(text) - 1
    ends = {0} if _RESERVED.match(text) else set()
    if text[0] in ". ":
        ends.add(0)
    if text[last] in ". ":
        ends.add(last)
    if not keep_encoded:
        ends |= {found.start() for found in _ENCODED.finditer(text)}
    return [
        _percent(character)
        if index in ends or not _stays(character, keep_unicode=keep_unicode)
        else character
        for index, character in enumerate(text)
    ]


def _stays(character: str, *, keep_unicode: bool) -> bool:
    if character.isascii():
        return character.isprintable() and character not in _FORBIDDEN
    # Letters, marks, numbers, punctuation and symbols; not separators, nor what is
    # invisible.
    return keep_unicode and unicodedata.category(character)[0] in "LMNPS"


def _percent(character: str) -> str:
    return "".join(f"%{b:02X}" for b in character.encode("utf-8", "surrogatepass"))


def _fitted(pieces: list[str], text: str, limit: int) -> str:
    whole = "".join(pieces)
    if len(whole.encode()) <= limit:
        return whole
    ending = _hash(text)
    room = limit - len(ending)
    kept = ""
    for piece in pieces:
        room -= len(piece.encode())
        if room < 0:
            break
        kept += piece
    return kept + ending


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"~{digest[:_HASH_DIGITS]}"
