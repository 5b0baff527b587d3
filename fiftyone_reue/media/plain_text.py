"""Telling words from pictures that are written down as text."""

from __future__ import annotations

import functools
import re
import unicodedata
from itertools import pairwise

MOST_CHARACTERS = 65536
"""A longer text is no note about an image; it isn't looked at."""

_MOST_CODED = 96
_WIDE_WEIGHT = 3  # a letter out of thousands holds as much as two or three of base64
_CODED_SHARE = 5
_MOST_CODED_TOGETHER = 160
_MOST_CODED_EVER = 512
_WINDOW, _MOST_IN_WINDOW = 128, 96

_PIECES = re.compile(r"[^\W_]+|[\W_]+")
# Case patterns of words: "word", "Word", "WORD", "PDFs", "LibreOffice", "iPhone".
_WORD_CASE = re.compile(r"U?l+|U+|U{2,}l|l*(?:Ul{2,}){1,4}")
_LONG_WORD = 24
_CONSONANTS = re.compile(r"[^aeiouy]{9,}")
_VOWELS = re.compile(r"[aeiouy]{5,}")
_CHARSETS = ("gb2312", "big5", "shift_jis", "euc_kr")
_SCRIPTS = (
    (0x0000, 0x024F, "latin"),
    (0x1E00, 0x1EFF, "latin"),
    (0xFF21, 0xFF5A, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x1F00, 0x1FFF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x077F, "arabic"),
    (0xFB50, 0xFEFC, "arabic"),
    (0x1100, 0x11FF, "east"),
    (0x3005, 0x9FFF, "east"),
    (0xAC00, 0xD7A3, "east"),
    (0xF900, 0xFAFF, "east"),
    (0x20000, 0x3FFFF, "east"),
)


class TextGate:
    """Says which texts of one image are plain, and so may be handed out.

    A text is plain if it

    - holds no control characters but tabs and line ends, nothing that Unicode hasn't
      assigned, and at most ``MOST_CHARACTERS`` characters;
    - holds few *coded* characters: at most 96 and one in five of its characters, and at
      most 96 among any 128 in a row;
    - and has few together with the texts before it: at most 160 and one in five of all
      their characters, 512 an image whatever their length.

    Coded are characters that aren't in words: digits, words with digits or odd capitals
    in them, runs of punctuation, symbols and invisible characters, long words that
    nobody could say, ideographs that no usual character set has, letters of changing
    scripts, and any token whose characters change their kind as often as chance has it.
    A symbol and a letter out of thousands count three times. So base64, hexadecimal
    digits in any grouping, lists of numbers, ascii85, uuencode, bytes taken for wide
    characters and pictures drawn in characters are found wherever they stand, in XML
    and JSON as well, while prose, names, keywords, addresses, prompts and a hash or two
    pass. What passes is too little for a picture: 96 coded characters are 72 bytes of
    base64.
    """

    def __init__(self) -> None:
        self._coded = 0
        self._characters = 0

    def lets(self, text: str) -> bool:
        """Whether a text may be handed out; counts its coded characters if so."""
        if len(text) > MOST_CHARACTERS or not _is_clean(text):
            return False
        flags = _coded(unicodedata.normalize("NFC", text))
        coded, characters = sum(flags), len(flags)
        together = self._coded + coded, self._characters + characters
        if (
            coded > _MOST_CODED + characters // _CODED_SHARE
            or together[0] > _MOST_CODED_TOGETHER + together[1] // _CODED_SHARE
            or together[0] > _MOST_CODED_EVER
            or _most_in_window(flags) > _MOST_IN_WINDOW
        ):
            return False
        self._coded, self._characters = together
        return True


def decoded(value: bytes) -> str:
    """Bytes as text: UTF-8, or Latin-1 where they aren't that."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _is_clean(text: str) -> bool:
    return all(
        ch in "\t\n\r" or unicodedata.category(ch) not in ("Cc", "Cn", "Co", "Cs")
        for ch in set(text)
    )


def _most_in_window(flags: list[int]) -> int:
    inside = most = 0
    for at, flag in enumerate(flags):
        inside += flag - (flags[at - _WINDOW] if at >= _WINDOW else 0)
        most = max(most, inside)
    return most


def _coded(text: str) -> list[int]:
    """The weight of each character that isn't white space: 0 if it isn't coded."""
    flags: list[int] = []
    charset = _best_charset(text)
    for token in text.split():
        classes = [_class(ch) for ch in token]
        changes = sum(a != b and "o" not in (a, b) for a, b in pairwise(classes))
        if len(token) >= 12 and changes >= 0.4 * (len(token) - 1):
            flags += [True] * len(token)
            continue
        pieces = _PIECES.findall(token)
        for at, piece in enumerate(pieces):
            if piece[0].isalnum():
                flags += _coded_letters(piece, charset)
            elif _joins_digits(pieces, at) or (len(piece) > 3 and not _marks(piece)):
                flags += [True] * len(piece)
            else:
                flags += [_WIDE_WEIGHT * _is_symbol(ch) for ch in piece]
    return flags


def _joins_digits(pieces: list[str], at: int) -> bool:
    return (
        0 < at < len(pieces) - 1
        and len(pieces[at]) == 1
        and pieces[at - 1].isdigit()
        and pieces[at + 1].isdigit()
    )


def _marks(piece: str) -> bool:
    return any(unicodedata.category(ch)[0] == "M" for ch in piece)


def _is_symbol(ch: str) -> bool:
    if ch.isascii():
        return False
    selector = 0xFE00 <= ord(ch) <= 0xFE0F or ord(ch) >= 0xE0000
    return selector or unicodedata.category(ch) in ("So", "Sk", "Sm", "Cf")


@functools.lru_cache(maxsize=4096)
def _class(ch: str) -> str:
    if ch.isupper():
        return "U"
    if ch.islower():
        return "l"
    if ch.isdigit():
        return "9"
    return "o" if ch.isalpha() or unicodedata.category(ch)[0] == "M" else "."


def _coded_letters(piece: str, charset: str | None) -> list[int]:
    """Of a run of letters and digits: a weight each."""
    flags: list[int] = []
    runs = _script_runs(piece)
    for script, run in runs:
        if script == "latin":
            flags += [not _is_word(run)] * len(run)
        elif script == "east":
            held = (charset is not None and _encodes(ch, charset) for ch in run)
            flags += [0 if known else _WIDE_WEIGHT for known in held]
        else:
            odd = len(run) == 1 and len(runs) > 2
            flags += [_WIDE_WEIGHT if odd else ch.isdigit() for ch in run]
    return flags


def _script_runs(piece: str) -> list[tuple[object, str]]:
    runs: list[tuple[object, str]] = []
    for ch in piece:
        script = _script(ch)
        if runs and runs[-1][0] == script:
            runs[-1] = (script, runs[-1][1] + ch)
        else:
            runs.append((script, ch))
    return runs


@functools.lru_cache(maxsize=4096)
def _script(ch: str) -> object:
    point = ord(ch)
    for first, last, name in _SCRIPTS:
        if first <= point <= last:
            return name
    return point >> 9


def _is_word(run: str) -> bool:
    if any(ch.isdigit() for ch in run):
        return False
    pattern = "".join("U" if ch.isupper() else "l" for ch in run)
    if not _WORD_CASE.fullmatch(pattern):
        return False
    if len(run) <= _LONG_WORD:
        return True
    base = unicodedata.normalize("NFD", run.lower()).encode("ascii", "ignore").decode()
    vowels = sum(ch in "aeiouy" for ch in base)
    speakable = not _CONSONANTS.search(base) and not _VOWELS.search(base)
    return len(run) <= 100 and 4 * vowels >= len(base) and speakable


def _best_charset(text: str) -> str | None:
    """The character set that a text of ideographs or syllables was written in."""
    east = [ch for ch in text if _script(ch) == "east"]
    held = {charset: sum(_encodes(ch, charset) for ch in east) for charset in _CHARSETS}
    best = max(held, key=lambda charset: held[charset])
    # One in three of all ideographs is in the largest of them, nearly all in use are.
    return best if held[best] >= 0.85 * len(east) else None


@functools.lru_cache(maxsize=65536)
def _encodes(ch: str, charset: str) -> bool:
    try:
        ch.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
