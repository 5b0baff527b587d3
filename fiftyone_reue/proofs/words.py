"""How a verdict that names somebody is put, here and when it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fiftyone_reue.names.display import count
from fiftyone_reue.vault.vault import PUBLISHED
from fiftyone_reue.watermark.evidence import Culprit


@dataclass(frozen=True)
class Named:
    """Somebody who is named.

    Attributes:
        name: as the owner calls them.
        culprit: what the evidence says of them.
    """

    name: str
    culprit: Culprit


def accusation(found: Sequence[Named], images: int, tested: int, earlier: int) -> str:
    """A verdict in words.

    Args:
        found: everybody who is named, the firmest first; at least one.
        images: how many originals were weighed.
        tested: how many recipients there are.
        earlier: how many looks there were before.
    """
    first = found[0]
    if first.name == PUBLISHED:
        return (
            "These images are derived from a published set, not from anybody's "
            f"licensed copy: the chance of naming anybody this firmly "
            f"by accident is at most {first.culprit.p_value:.1e} "
            f"({originals(images)}, {count(tested, 'recipient')} tested)."
        )
    looks = "first look"
    if earlier:
        looks = f"look number {earlier + 1}, which the chance allows for"
    basis = f"{originals(images)}, {count(tested, 'recipient')} tested, {looks}"
    if len(found) < 2:
        return (
            f"These images are derived from the copy of {first.name}: the "
            f"chance of naming anybody this firmly by accident is at most "
            f"{first.culprit.p_value:.1e} ({basis}).{_turned(found)} It says whose "
            "copy it was, not who leaked it."
        )
    parts = [
        f"{one.name} ({one.culprit.share:.0%} of what they explain, "
        f"{originals(len(one.culprit.images))} by themselves, "
        f"{one.culprit.p_value:.1e})"
        for one in found
    ]
    return (
        f"These images are derived from the copies of {', '.join(parts[:-1])} and "
        f"{parts[-1]}. Behind each name stands the chance, at most, of naming "
        f"anybody this firmly by accident ({basis}).{_turned(found)} It says whose "
        "copies they were, not who leaked them."
    )


def copy_of(state: str | None, exact: bool, sources: Sequence[str]) -> str:
    """What a suspect is a copy of, in two or three words.

    What lies nearest a licensed copy and points to nobody may be the original itself,
    saved again: the two are a mark apart, which is less than saving changes.

    Args:
        state: of :class:`fiftyone_reue.releases.tracing.Suspect`.
        exact: whether its pixels are unchanged.
        sources: whom it points to.
    """
    if state == "licensed" and not exact and not sources:
        return "original or licensed copy"
    return f"{state} copy"


def _turned(found: Sequence[Named]) -> str:
    number = len({image_id for one in found for image_id in one.culprit.turned})
    why = "the wrong way round, as happens where several copies are mixed."
    if number:
        verb = "shows" if number == 1 else "show"
        return f" Of these, {count(number, 'original')} {verb} a mark {why}"
    if any(one.culprit.all_turned for one in found):
        return f" All of them together show a mark {why}"
    return ""


def originals(number: int) -> str:
    """So many originals."""
    return count(number, "original")
