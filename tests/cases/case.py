"""What an awkward file is, and what is right for it."""

from dataclasses import dataclass
from typing import Literal

Right = Literal["file", "exact", "refused", "either"]


@dataclass(frozen=True)
class Case:
    """One awkward file.

    Attributes:
        name: below the source folder, its class first: ``png/gray1.png``.
        kind: what is awkward about it, in a few words.
        data: its bytes.
        right: what is right. "file": the owner gets back this very file. "exact": this
            very file, or the same pixels in the same mode and a word on what differs.
            "refused": a failure that says why. "either": exact, or refused.
        says: a pattern that a refusal's message has to match, without regard to case.
        traced: whether its copy, saved as JPEG, has to match the original; plain and
            flat pictures can't.
        private: bytes of it of which no part may be in a copy that is handed out.
    """

    name: str
    kind: str
    data: bytes
    right: Right
    says: str = ""
    traced: bool = True
    private: tuple[bytes, ...] = ()

    @property
    def format(self) -> str:
        """Its class: the folder it is in."""
        return self.name.split("/")[0]


def refused(name: str, kind: str, data: bytes, says: str) -> Case:
    """A file that must not be taken."""
    return Case(name, kind, data, "refused", says)
