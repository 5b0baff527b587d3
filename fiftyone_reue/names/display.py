"""Text of others, ready to be shown: names of files, classes, people and releases.

A name may hold what a terminal obeys (escape sequences, a carriage return that writes
over what was said before), what turns the direction of a line, or markup that a page
makes a picture or link of. None of that is ever needed to read it.
"""

from __future__ import annotations

import functools
import re
import time
import unicodedata

_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
# They join or part letters of some scripts, and the parts of emoji.
_JOINERS = "\u200c\u200d"
# An underscore within a word is one to Markdown too.
_MARKUP = re.compile(r"[\\`*\[\]<>&~|!]|(?<![^\W_])_|_(?![^\W_])")
# What the App makes a link of without any markup, and after escapes are read: addresses
# of pages and of people. What closes a sentence isn't part of one.
_ADDRESS = re.compile(
    r"(?:https?://|ftp://|www\.|mailto:|xmpp:)\S*[^\s!\"&'),.:;<>?\]}]"
    r"|[-.\w+]+@[-\w]+(?:\.[-\w]+)+",
    re.IGNORECASE,
)
_FENCE = re.compile("`+")
_LINE_START = re.compile(r"^([#+=:-]|\d+(?=[.)]))", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


def count(number: int, noun: str, nouns: str = "") -> str:
    """So many of something: "1 image", "1,200 images", and of others "2 copies".

    Args:
        number: how many.
        noun: of one.
        nouns: of several, where an s isn't all.
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def file_size(size: float) -> str:
    """Bytes for a person: "2.5 MB"."""
    if size < 1e6:
        return f"{size / 1e3:,.1f} kB"
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def duration(seconds: float) -> str:
    """About how long, for a person."""
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 90:
        return "about a minute" if minutes == 1 else f"about {minutes} minutes"
    hours = round(minutes / 60)
    return f"about {hours} hours"


def printable(text: object, *, lines: bool = False) -> str:
    """Text in which nothing is invisible or a command.

    Args:
        text: anything; its ``str``.
        lines: whether line breaks (``\\n``) are meant, as in a message of several
            lines; those after the first are indented then, so that none passes for a
            message of its own.

    Returns:
        The text, with control characters, marks of direction and other invisible
        characters, and bytes that are no text written as ``\\x1b`` and the like.
    """
    if lines:
        return "\n  ".join(printable(line.strip(" ")) for line in str(text).split("\n"))
    return "".join(map(_character, str(text)))


def markdown(text: object) -> str:
    """Text of one or several lines that Markdown, or HTML in it, shows as it is.

    An address in it is set as code, the one form in which it becomes no link.
    """
    shown = "\n".join(printable(line) for line in str(text).split("\n"))
    shown = _INDENT.sub(lambda found: "\u00a0" * len(found[0]), shown)
    shown = _escaped(shown)
    shown = _LINE_START.sub(_escaped_start, shown)
    return shown.replace("\n", "  \n")


def moment(seconds: object, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    """Seconds since 1970 as a date; the number itself where no calendar reaches."""
    if not isinstance(seconds, (int, float)):
        return printable(seconds)
    try:
        return time.strftime(form, time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return printable(seconds)


def _escaped(text: str) -> str:
    parts, end = [], 0
    for found in _ADDRESS.finditer(text):
        parts += [_MARKUP.sub(r"\\\g<0>", text[end : found.start()]), _code(found[0])]
        end = found.end()
    return "".join([*parts, _MARKUP.sub(r"\\\g<0>", text[end:])])


def _code(text: str) -> str:
    """A code span, whose fence is longer than any in it."""
    longest = max(map(len, _FENCE.findall(text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _escaped_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


@functools.lru_cache(maxsize=4096)
def _character(one: str) -> str:
    if one in _SHORT:
        return _SHORT[one]
    code = ord(one)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that isn't UTF-8
        return f"\\x{code & 0xFF:02x}"
    kind = unicodedata.category(one)
    if kind not in ("Cc", "Cf", "Cs", "Zl", "Zp") or one in _JOINERS:
        return one
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
