"""Telling words from pictures that are written down as text."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

MOST_CHARACTERS = 65536
"""A longer text is no note about an image; it isn't looked at."""

MOST_TEXTS = 128
"""No file has more notes than that."""

_MOST_CODED, _MOST_CODED_EVER, _MOST_CODED_STRICTLY = 64, 128, 24
_CODED_SHARE = 8
_WINDOW, _MOST_IN_WINDOW = 128, 80
_LONG_TOKEN, _MOST_IN_TOKEN = 20, 15
_WIDE_WEIGHT = 3  # a letter out of thousands holds as much as two or three of base64
_DATE_WEIGHT = 4  # a date or a time of day holds as much as four hexadecimal digits
_MOST_REPEATS = 8  # so many texts that were there before aren't counted again
_MOST_RUN_WEIGHT = 3  # so does the length of a run of spaces or dashes

_PIECES = re.compile(r"[^\W_]+|[\W_]+")
# Case patterns of words: "word", "Word", "WORD", "PDFs", "LibreOffice", "iPhone".
_WORD_CASE = re.compile(r"U?l+|U+|U{2,}l|l*(?:Ul{2,}){1,4}")
_LONG_WORD = 24
_MOST_DOUBLED = 3  # letters of a word: Mississippi
_CONSONANTS = re.compile(r"[^aeiouy]{9,}")
_VOWELS = re.compile(r"[aeiouy]{5,}")
# Words alternate between vowels and consonants, numbers written as letters don't.
_VOWEL_LETTERS = frozenset("aeiouyæøœı")
_FEWEST_PAIRS, _LEAST_ALTERNATING = 30, 0.38
_FEWEST_PAIRS_STRICTLY, _LEAST_ALTERNATING_STRICTLY = 12, 0.5
_SHORT_RUNS = ((1, 3), (2, 6))  # so many tokens in a row that are so short
_PLAIN_SPACE = re.compile(r" |\r?\n|\n\n|\r\n\r\n")
_SPACES_AND_TOKENS = re.compile(r"\s+|\S+")
_DATE = r"(?:18|19|20)\d\d([-:/])(?:0\d|1[0-2])\1(?:[0-2]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-4]):[0-5]\d(?::[0-6]\d)?(?:\.\d{1,3})?"
_ZONE = r"(?:Z|[+-](?:0\d|1[0-4]):?[0-5]\d)"
_MOMENT = re.compile(f"{_DATE}(T{_TIME}{_ZONE}?)?|{_TIME}{_ZONE}?")
_ADDRESS = re.compile(
    r"[<(]?(?:https?://|ftp://|www\.|mailto:)[\w.~:/?#@!$&'()*+,;=%-]+"
    r"|[<(]?[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+[>),.;]*"
)
_ADDRESS_PARTS = re.compile(r"[/?&=#@]")
_DEGREES = r"[-+]?\d{1,3}\.\d{2,}\s*°?\s*"
_FINE = r"[-+]?\d{1,3}[.,]\d{4,}"
_MINUTES = r"\d{1,3}\s+\d{1,2}(?:\.\d+)?"
_ISO_6709 = r"(?<!\d)[-+]\d\d(?:\d\d){0,2}(\.\d+)?[-+]\d{3}(?:\d\d){0,2}"
_OLC = "[23456789CFGHJMPQRVWX]"
_COORDINATES = re.compile(
    rf"{_DEGREES}[NS]\W+{_DEGREES}[EWO]\b"
    r"|[NS]\W*\d{1,3}\.\d{2,}\W+[EWO]\W*\d{1,3}\.\d{2,}"
    r"|[-+]?\d{1,2}\.\d{3,}\s*[,;/]\s*[-+]?\d{1,3}\.\d{3,}"
    rf"|{_FINE}[^\d]{{1,24}}?{_FINE}"
    r"|\d{1,3}\s*°\s*\d{1,2}(?:\.\d+)?\s*['′’]"
    rf"|{_MINUTES}\s*[NS]\W+{_MINUTES}\s*[EWO]\b|[NS]\s*{_MINUTES}\W+[EWO]\s*{_MINUTES}"
    rf"|{_ISO_6709}(?:(?(1)\.\d+|/)|/)"
    # Plus codes, UTM, MGRS and what3words.
    rf"|\b(?=\S*\d)(?:{_OLC}{{4}}){{1,2}}\+{_OLC}{{2,}}"
    r"|\b\d{1,2}\s?[C-X]\s+\d{6}(?:\.\d+)?\W+\d{7}\b"
    r"|\b\d{1,2}[C-X]\s?[A-Z]{2}\s?(?:\d{5}\s?\d{5}|\d{4}\s?\d{4}|\d{3}\s?\d{3})\b"
    r"|///\w+\.\w+\.\w+",
    re.IGNORECASE,
)
"""A place on earth: in degrees, in minutes, by ISO 6709, or as a grid's code."""

_STANDARD = re.compile(r"IEC ?61966-2[-.]1\b")
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
      assigned, and doesn't begin as JSON does, with a brace or a bracket;
    - names no place on earth by its coordinates;
    - has no *token* (what stands between white space) of 20 characters or more that
      holds over 15 coded ones close together, unless it is a date, or an address each
      part of which is shorter. So BlurHash, ThumbHash and digests don't pass;
    - holds few *coded* characters: 64 and one for eight letters in words, at most 80
      among any 128 in a row;
    - and has few together with the texts before it: of the same measure, 128 an image
      whatever their length, a text that was there before not counted (8 times). All
      texts of an image together have at most ``MOST_CHARACTERS`` characters and are at
      most ``MOST_TEXTS``.

    Coded are characters that aren't in words: digits, words with digits or odd capitals
    in them, runs of punctuation, symbols and invisible characters, white space but for
    single spaces and line ends, long words that nobody could say, ideographs that no
    usual character set has, letters of changing scripts, runs of single letters, words
    that hardly alternate between vowels and consonants, and any token whose characters
    change their kind as often as chance has it. A symbol and a letter out of thousands
    count three times, a date and a time of day as four each. So base64, hexadecimal
    digits in any grouping, lists of numbers, ascii85, uuencode, bytes taken for wide
    characters and pictures drawn in characters are found wherever they stand, in XML
    and JSON as well, while prose, names, keywords, addresses and prompts pass.

    A code whose signs are words or their order (a word for each gray, say) can't be
    told from prose, and passes.

    Args:
        strict: for an image whose texts were too many coded characters together: a
            picture may be spread over them, so that none of its parts may pass. 24
            coded characters an image are let through.

    Attributes:
        overrun: whether a text was withheld for those before it alone.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.overrun = False
        self._strict = strict
        self._texts = self._coded = self._words = self._characters = 0
        self._pairs = self._alternating = self._repeats = 0
        self._passed: set[str] = set()

    def lets(self, text: str, label: str = "") -> bool:
        """Whether a text may be handed out; counts its characters if so.

        Args:
            text: the text.
            label: what is handed out with it, such as its keyword.
        """
        whole = f"{label}\n{text}" if label else text
        if len(whole) > MOST_CHARACTERS or not _is_clean(whole):
            return False
        if text.lstrip().startswith(("{", "[")) or _COORDINATES.search(text):
            return False
        whole = _STANDARD.sub("IEC", unicodedata.normalize("NFC", whole))
        flags = _coded(whole)
        words = sum(
            flag == 0 and ch.isalpha() for flag, ch in zip(flags, whole, strict=True)
        )
        pairs, alternating = _alternation(whole)
        alone = (
            not _has_coded_token(whole)
            and sum(flags) <= self._most_coded(words)
            and _most_in_window(flags, _WINDOW) <= _MOST_IN_WINDOW
            and self._is_speakable(pairs, alternating)
        )
        if not alone:
            return False
        # A camera writes its moment and its zone three times.
        again = whole in self._passed and self._repeats < _MOST_REPEATS
        coded = self._coded + (0 if again else sum(flags))
        words = self._words + words
        characters = self._characters + len(whole)
        pairs, alternating = self._pairs + pairs, self._alternating + alternating
        if (
            self._texts == MOST_TEXTS
            or characters > MOST_CHARACTERS
            or coded > self._most_coded(words)
            or not self._is_speakable(pairs, alternating)
        ):
            self.overrun = True
            return False
        self._passed.add(whole)
        self._repeats += again
        self._texts += bool(whole)
        self._coded, self._words, self._characters = coded, words, characters
        self._pairs, self._alternating = pairs, alternating
        return True

    def _most_coded(self, words: int) -> int:
        """Of so many letters in words."""
        if self._strict:
            return _MOST_CODED_STRICTLY
        return min(_MOST_CODED + words // _CODED_SHARE, _MOST_CODED_EVER)

    def _is_speakable(self, pairs: int, alternating: int) -> bool:
        fewest, least = _FEWEST_PAIRS, _LEAST_ALTERNATING
        if self._strict:
            fewest, least = _FEWEST_PAIRS_STRICTLY, _LEAST_ALTERNATING_STRICTLY
        return pairs < fewest or alternating >= least * pairs


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


def _most_in_window(flags: list[int], window: int) -> int:
    inside = most = 0
    for at, flag in enumerate(flags):
        inside += flag - (flags[at - window] if at >= window else 0)
        most = max(most, inside)
    return most


def _has_coded_token(text: str) -> bool:
    for token in text.split():
        if len(token) < _LONG_TOKEN or _MOMENT.fullmatch(token.rstrip(",.;")):
            continue
        address = _ADDRESS.fullmatch(token)
        for part in _ADDRESS_PARTS.split(token) if address else [token]:
            flags = [min(flag, 1) for flag in _coded_token(part, _best_charset(part))]
            if _most_in_window(flags, _LONG_TOKEN + 4) > _MOST_IN_TOKEN:
                return True
    return False


def _alternation(text: str) -> tuple[int, int]:
    """Neighbouring letters of Latin words, and how many are a vowel and a consonant."""
    pairs = alternating = 0
    parts = unicodedata.normalize("NFD", text.lower())
    bare = "".join(ch for ch in parts if not unicodedata.combining(ch))
    for piece in _PIECES.findall(bare):
        if not piece.isalpha() or _script(piece[0]) != "latin":
            continue
        vowels = [ch in _VOWEL_LETTERS for ch in piece]
        pairs += len(piece) - 1
        alternating += sum(a != b for a, b in pairwise(vowels))
    return pairs, alternating


def _coded(text: str) -> list[int]:
    """A weight for each character: 0 if it isn't coded."""
    flags: list[int] = []
    charset = _best_charset(text)
    parts = _SPACES_AND_TOKENS.findall(text)
    short = _short_runs([part for part in parts if not part.isspace()])
    for part in parts:
        if part.isspace():
            flags += [0] * len(part) if _PLAIN_SPACE.fullmatch(part) else _run(part)
        elif next(short):
            flags += [1] * len(part)
        else:
            flags += _coded_token(part, charset)
    return flags


def _run(part: str) -> list[int]:
    """The weights of a run: if it is of one character, its length is what it holds."""
    if len(set(part)) > 1:
        return [1] * len(part)
    most = min(len(part), _MOST_RUN_WEIGHT)
    return [1] * most + [0] * (len(part) - most)


def _short_runs(tokens: list[str]) -> Iterator[bool]:
    """For each token whether it is one of a run of single letters and the like."""
    found = [False] * len(tokens)
    for longest, fewest in _SHORT_RUNS:
        start = 0
        for at, token in enumerate([*tokens, "x" * (longest + 1)]):
            if len(token) <= longest and _script(token[0]) != "east":
                continue
            if at - start >= fewest:
                found[start:at] = [True] * (at - start)
            start = at + 1
    return iter(found)


def _coded_token(token: str, charset: str | None) -> list[int]:
    moment = _MOMENT.fullmatch(token.rstrip(",.;"))
    if moment:
        weight = 2 * _DATE_WEIGHT if moment[2] else _DATE_WEIGHT
        return [1] * weight + [0] * (len(token) - weight)
    classes = [_class(ch) for ch in token]
    changes = sum(a != b and "o" not in (a, b) for a, b in pairwise(classes))
    share = 0.4 if len(token) < _LONG_TOKEN else 0.5
    if len(token) >= 12 and changes >= share * (len(token) - 1):
        return [1] * len(token)
    flags: list[int] = []
    pieces = _PIECES.findall(token)
    for at, piece in enumerate(pieces):
        if piece[0].isalnum():
            flags += _coded_letters(piece, charset)
        elif _joins_digits(pieces, at):
            flags.append(1)
        elif len(piece) > 3 and not _marks(piece):
            flags += _run(piece)
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
    if not _WORD_CASE.fullmatch(pattern) or _is_doubled(run.lower()):
        return False
    if len(run) <= _LONG_WORD:
        return True
    base = unicodedata.normalize("NFD", run.lower()).encode("ascii", "ignore").decode()
    vowels = sum(ch in "aeiouy" for ch in base)
    speakable = not _CONSONANTS.search(base) and not _VOWELS.search(base)
    return len(run) <= 100 and 4 * vowels >= len(base) and speakable


def _is_doubled(run: str) -> bool:
    """Whether letters are followed by the same, as grays are in a row of a picture."""
    doubled = sum(a == b for a, b in pairwise(run))
    return doubled > _MOST_DOUBLED and 4 * doubled >= len(run) - 1


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
