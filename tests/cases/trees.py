"""Awkward names and things that are no files, made in a folder."""

import os
import socket
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cases.case import Right
from tests.cases.pictures import photo, saved

LONGEST = 255
"""Bytes in a name, on common file systems."""


@dataclass(frozen=True)
class Thing:
    """Something in a folder.

    Attributes:
        name: below the source folder, as bytes: a name needn't be text.
        kind: what is awkward about it.
        right: see :class:`tests.cases.case.Case`; "unseen" is neither done nor named.
        says: a pattern for the refusal.
        make: puts it there.
    """

    name: bytes
    kind: str
    right: Right | str
    says: str
    make: Callable[[Path], None]

    @property
    def shown(self) -> str:
        """Its name as messages have it: bytes that aren't text are escaped."""
        return self.name.decode(errors="backslashreplace")


def picture(
    name: str | bytes, kind: str, right: str = "exact", says: str = ""
) -> Thing:
    """A good picture of an awkward name."""
    raw = name.encode() if isinstance(name, str) else name
    data = saved(photo(), "BMP" if raw.endswith(b".bmp") else "PNG")
    return Thing(raw, kind, right, says, lambda path: path.write_bytes(data) and None)


def link(name: str, target: str, kind: str, says: str) -> Thing:
    """A link that leads to no file."""
    return Thing(name.encode(), kind, "refused", says, lambda p: p.symlink_to(target))


def _socket(path: Path) -> None:
    held = os.getcwd()
    os.chdir(path.parent)  # a socket's address has 108 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(held)


def things() -> list[Thing]:
    """All of them, in classes whose names are awkward as well."""
    long = "x" * (LONGEST - 4)
    composed = unicodedata.normalize("NFC", "é")
    decomposed = unicodedata.normalize("NFD", "é")
    return [
        picture("a b/con.png", "a name that Windows can't hold"),
        picture("con/nul.png", "a class that Windows can't hold"),
        picture("a b/trail. .png", "a dot and a space at the end of the stem"),
        picture("a b/what?.png", "a question mark"),
        picture("a b/tab\tand\nline.png", "control characters"),
        picture("a b/bell\x07.png", "a bell"),
        picture("a b/-rf.png", "a name like an option"),
        picture("a b/[red]x[/].png", "a name like markup"),
        picture("a b/%s{0}$HOME.png", "a name like a pattern"),
        picture("a b/CASE.png", "capitals"),
        picture("a b/case.png", "the same without capitals"),
        picture(f"猫/{composed}.png", "é in one piece"),
        picture(f"猫/{decomposed}.png", "é in two pieces"),
        picture("犬/a.png", "another class in Chinese"),
        picture("犬/\u202egnp.png", "a mark that turns the writing around"),
        picture("犬/🐕‍🦺.png", "a picture sign of several code points"),
        picture(f"犬/{long}.png", "a name of 255 bytes", "either", "long|name"),
        picture(f"犬/{long}.bmp", "the same, another suffix", "either", "long|name"),
        picture(b"\xe7\x8a\xac/\xff\xfe.png", "not UTF-8", "either", "UTF-8|Unicode"),
        picture("a_b/a.png", "a class like another with a space"),
        picture("folder.png/inner.png", "a class named like a picture"),
        Thing(
            b"a b/.DS_Store",
            "what desktops leave",
            "unseen",
            "",
            lambda path: path.write_bytes(b"\0\0\0\1Bud1") and None,
        ),
        link("a b/self.png", "self.png", "a link to itself", "link"),
        link("a b/lost.png", "nowhere.png", "a link to nothing", "link|no such"),
        link("a b/zero.png", "/dev/zero", "a link to /dev/zero", "device"),
        Thing(b"a b/pipe.png", "a named pipe", "refused", "pipe", os.mkfifo),
        Thing(b"a b/socket.png", "a socket", "refused", "socket", _socket),
        Thing(
            b"a b/good_link.png",
            "a link to a picture",
            "exact",
            "",
            lambda path: path.symlink_to("case.png"),
        ),
    ]


def build(folder: Path) -> list[Thing]:
    """Make all that this file system takes; what it doesn't is left out."""
    made = []
    for thing in things():
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), thing.name)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):
                continue  # a file system that doesn't tell these names apart
            thing.make(path)
        except (OSError, AttributeError):
            continue
        made.append(thing)
    return made
