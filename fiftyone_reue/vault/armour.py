"""Key files as text that survives mail: headers, base64 and a checksum.

-----BEGIN REUE RECIPIENT KEY-----
Format: 1
Recipient: alice

8sX1...
=1f0c9a3be7724d55
-----END REUE RECIPIENT KEY-----
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import textwrap
from dataclasses import dataclass

from fiftyone_reue.errors import UPDATE, InputError

FORMAT = "1"

_LARGEST_TEXT = 64 * 1024
_BEGIN = re.compile(r"-----BEGIN REUE ([A-Z]+) KEY-----")


@dataclass(frozen=True)
class Armour:
    """What an armoured text says. `body` may be a bare key, so it isn't shown."""

    kind: str
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Armour({self.kind!r}, {self.headers!r}, {len(self.body)} bytes)"


def encode(armour: Armour) -> str:
    """The text of a key file.

    Args:
        armour: `kind` in capital letters, one-line headers, any body
    """
    headers = {"Format": FORMAT, **armour.headers}
    lines = [
        f"-----BEGIN REUE {armour.kind} KEY-----",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        *textwrap.wrap(base64.b64encode(armour.body).decode(), 64),
        f"={_checksum(armour.kind, headers, armour.body)}",
        f"-----END REUE {armour.kind} KEY-----",
    ]
    return "\n".join(lines) + "\n"


def decode(text: str, name: str) -> Armour:
    """What :func:`encode` was given; text around it and line ends don't matter.

    Args:
        text: the text
        name: what to call it in an error

    Raises:
        InputError: if it isn't a key file, was made by a newer version, or is damaged
    """
    kind, lines = _inside(text, name)
    try:
        gap = lines.index("")
        headers = dict(line.split(": ", 1) for line in lines[:gap])
        *body_lines, checksum = [line for line in lines[gap + 1 :] if line]
        body = base64.b64decode("".join(body_lines), validate=True)
    except (ValueError, binascii.Error):
        raise _damaged(name) from None
    if checksum != f"={_checksum(kind, headers, body)}":
        raise _damaged(name)
    if headers.pop("Format", None) != FORMAT:
        raise InputError(f"{name} was made by a newer version: {UPDATE}")
    return Armour(kind, headers, body)


def _inside(text: str, name: str) -> tuple[str, list[str]]:
    begin = _BEGIN.search(text[:_LARGEST_TEXT])
    if begin is None:
        raise InputError(
            f"{name} isn't a key file; it must contain a line "
            "'-----BEGIN REUE ... KEY-----'"
        )
    kind = begin.group(1)
    inside, end, _ = text[begin.end() :].partition(f"-----END REUE {kind} KEY-----")
    if not end:
        raise _damaged(name)
    return kind, [line.strip() for line in inside.strip().splitlines()]


def _damaged(name: str) -> InputError:
    return InputError(
        f"{name} is damaged: its checksum doesn't match; copy the file again, whole "
        "and unchanged"
    )


def _checksum(kind: str, headers: dict[str, str], body: bytes) -> str:
    lines = [kind, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return hashlib.sha256("\n".join(lines).encode() + body).hexdigest()[:16]
