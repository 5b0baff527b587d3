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
        share: of what all who are named explain, 0 to 1.
        images: how many originals point there by themselves.
        p_value: the bound on naming anybody so by chance.
        turned: ids of the originals that show the mark the wrong way round.
        all_turned: whether all of them together do.
    """

    name: str
    share: float
    images: int
    p_value: float
    turned: tuple[str, ...] = ()
    all_turned: bool = False


def named(name: str, culprit: Culprit) -> Named:
    """What is said of a culprit."""
    return Named(
        name,
        culprit.share,
        len(culprit.images),
        culprit.p_value,
        culprit.turned,
        culprit.all_turned,
    )


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
            f"by accident is at most {first.p_value:.1e} "
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
            f"{first.p_value:.1e} ({basis}).{_turned(found)} It says whose "
            "copy it was, not who leaked it."
        )
    parts = [
        f"{one.name} ({one.share:.0%} of what they explain, "
        f"{originals(one.images)} by themselves, {one.p_value:.1e})"
        for one in found
    ]
    return (
        f"These images are derived from the copies of {', '.join(parts[:-1])} and "
        f"{parts[-1]}. Behind each name stands the chance, at most, of naming "
        f"anybody this firmly by accident ({basis}).{_turned(found)} It says whose "
        "copies they were, not who leaked them."
    )


def _turned(found: Sequence[Named]) -> str:
    number = len({image_id for one in found for image_id in one.turned})
    why = "the wrong way round, as happens where several copies are mixed."
    if number:
        verb = "shows" if number == 1 else "show"
        return f" Of these, {count(number, 'original')} {verb} a mark {why}"
    return f" All of them together show a mark {why}" if _all_turned(found) else ""


def _all_turned(found: Sequence[Named]) -> bool:
    return any(one.all_turned for one in found)


def originals(number: int) -> str:
    """So many originals."""
    return count(number, "original")
