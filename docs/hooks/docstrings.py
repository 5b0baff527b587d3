"""Docstrings as pages show them: roles become links or code, ``Example::`` a heading.

The code's docstrings are read in editors and in a terminal, where ``:func:`protect```
is plain enough; Markdown has no such thing.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`(~?)([^`]+)`")
_CODE = re.compile(r"``([^`]+)``")
_LITERAL = re.compile(r"^(.*):\n\n((?: {4}.*\n?|\n)+)", re.MULTILINE)


def shown(text: str) -> str:
    """A docstring's text as Markdown."""
    text = _ROLE.sub(lambda found: f"`{_short(found[1], found[2])}`", text)
    text = _CODE.sub(r"`\1`", text)
    return _LITERAL.sub(_fenced, text)


def _fenced(found: re.Match[str]) -> str:
    """What a line that ends in ``::`` introduces, as a block of code."""
    if not found[1].endswith(":"):
        return found[0]
    code = textwrap.dedent(found[2]).strip("\n")
    language = "toml" if code.startswith("[") else "python"
    return f"{found[1]}\n\n```{language}\n{code}\n```\n\n"


def _short(tilde: str, name: str) -> str:
    return (
        name.rpartition(".")[2] if tilde or name.startswith("fiftyone_reue.") else name
    )


class Plain(griffe.Extension):
    """Rewrites every docstring once it was read from its file."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """See the base class."""
        if obj.docstring is not None:
            obj.docstring.value = shown(obj.docstring.value)
