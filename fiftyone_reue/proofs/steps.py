"""What a verdict rests on, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["checked", "believed", "failed"]


@dataclass(frozen=True)
class Step:
    """One thing that a verdict rests on.

    Attributes:
        name: in a few words.
        state: "checked" here, "believed" because nothing here can check it, or
            "failed".
        text: what was checked, or what must be believed and whom.
    """

    name: str
    state: State
    text: str
