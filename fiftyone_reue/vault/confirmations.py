"""Proofs that the owner wants something done: one-time codes and permits.

Both are made of a key of the vault, so that who can read or write everything else,
the ledger included, can't make one. Whether one was used already isn't known here.

A code is for a person to carry from a terminal into the App. It names one action, is
good for 10 to 20 minutes, and 60 of its 80 bits can't be guessed. A permit is for
what is scheduled: it is good for one request, every word of it, and so may be stored
beside that request in clear.
"""

from __future__ import annotations

import hmac
import secrets as random
from base64 import b32encode

from fiftyone_reue import prf

CODE_SECONDS = 600
"""A code is good for at least so long, and for less than twice as long."""

PERMIT_SECONDS = 7 * 24 * 3600

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_NONCE_LETTERS = 4
_TAG_LETTERS = 12
_GROUP = 4
# What base32 has no use for, read as the letter that it looks like.
_MISREAD = str.maketrans("018", "OIB", " -\t\r\n")


def new_code(key: bytes, action: str, now: float) -> str:
    """Make a code, in four groups of four letters and digits.

    Args:
        key: 32 bytes of the vault, for nothing else.
        action: what it is good for.
        now: seconds since 1970.
    """
    nonce = "".join(random.choice(_ALPHABET) for _ in range(_NONCE_LETTERS))
    letters = nonce + _tag(key, action, _slot(now), nonce)
    starts = range(0, len(letters), _GROUP)
    return "-".join(letters[start : start + _GROUP] for start in starts)


def plain_code(text: str) -> str | None:
    """A typed code without what only makes it legible, or None if it can't be one."""
    letters = text.upper().translate(_MISREAD)
    right = len(letters) == _NONCE_LETTERS + _TAG_LETTERS
    return letters if right and set(letters) <= set(_ALPHABET) else None


def is_code(key: bytes, action: str, code: str, now: float) -> bool:
    """Whether :func:`new_code` made a plain code for an action, not long ago."""
    nonce, tag = code[:_NONCE_LETTERS], code[_NONCE_LETTERS:]
    slots = (_slot(now), _slot(now) - 1)
    # A list, so that both are computed and compared whatever the first one says.
    same = [hmac.compare_digest(tag, _tag(key, action, s, nonce)) for s in slots]
    return any(same)


def new_permit(key: bytes, action: str, request: bytes, now: float) -> str:
    """Make a permit for one request; see :func:`is_permit`.

    Args:
        key: 32 bytes of the vault, for nothing else.
        action: what it is good for.
        request: all that the action depends on.
        now: seconds since 1970.
    """
    nonce, until = random.token_hex(16), str(int(now) + PERMIT_SECONDS)
    return f"{nonce}-{until}-{_permit_tag(key, action, request, nonce, until)}"


def is_permit(key: bytes, action: str, request: bytes, permit: str, now: float) -> bool:
    """Whether :func:`new_permit` made a permit for this request, within a week."""
    if not permit.isascii():
        return False
    nonce, _, rest = permit.partition("-")
    until, _, tag = rest.partition("-")
    expected = _permit_tag(key, action, request, nonce, until)
    if not hmac.compare_digest(tag.encode(), expected.encode()):
        return False
    return now <= int(until)


def _slot(now: float) -> int:
    return int(now // CODE_SECONDS)


def _tag(key: bytes, action: str, slot: int, nonce: str) -> str:
    tag = prf.derive(key, "app-code", action, str(slot), nonce)
    return b32encode(tag).decode()[:_TAG_LETTERS]


def _permit_tag(key: bytes, action: str, request: bytes, nonce: str, until: str) -> str:
    return prf.derive(key, "app-permit", action, request, nonce, until).hex()
