"""How many ways there were to choose what is looked at.

A recipient's code on an image is only independent of a set of suspects as long as the
set wasn't put together by what earlier looks showed. Who looks at all images one by one
and then at those that fitted somebody finds that they fit. So every look is written
down, and the bound is multiplied by the number of sets that could have been chosen
instead, each look with a share of the whole error that sums up to no more than one:

- look number k has the share 1 / (k (k + 1));
- of n originals that were seen before, it takes m again: any number of them is as
  likely, and so is any choice of so many, 1 / ((n + 1) C(n, m));
- of an original that is taken again, any number of the versions that were ever used is
  as likely, and so is any choice of so many of n, 1 / (n C(n, m)).

What wasn't seen before costs nothing, whatever it was chosen by: the bound of
:mod:`fiftyone_reue.watermark.bounds` holds for that. The same question asked again is
the same look, and has the same answer. Asked after recipients were added it is another
one: who adds one after the other until somebody is named would find that they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from fiftyone_reue.watermark.readings import Reading, version

_AND = "+"
"""Between the versions of one original that were joined."""


@dataclass(frozen=True)
class Look:
    """One question that was asked.

    Attributes:
        number: from 1.
        time: when, seconds since 1970.
        images: by the original's id, which versions of it were used: of each a digest
            (:func:`fiftyone_reue.watermark.readings.version`), in order, with a plus
            between them.
        recipients: among how many; 0 in looks that were noted by older programs.
    """

    number: int
    time: float
    images: Mapping[str, str]
    recipients: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {
            "number": self.number,
            "time": self.time,
            "images": dict(self.images),
            "recipients": self.recipients,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`."""
        return cls(
            content["number"],
            content["time"],
            dict(content["images"]),
            content.get("recipients", 0),
        )


def images_of(readings: Iterable[Reading]) -> dict[str, str]:
    """What a look at readings is at, as :attr:`Look.images`."""
    found: dict[str, set[str]] = {}
    for one in readings:
        found.setdefault(one.image_id, set()).add(version(one))
    return {image_id: _AND.join(sorted(own)) for image_id, own in found.items()}


def same_look(
    earlier: Sequence[Look], images: Mapping[str, str], recipients: int
) -> Look | None:
    """The earlier look with just these images and versions, among as many recipients,
    or None. Of one that doesn't say among how many, the images decide."""
    for one in earlier:
        if dict(one.images) == dict(images) and one.recipients in (0, recipients):
            return one
    return None


def log_ways(
    earlier: Sequence[Look], images: Mapping[str, str], *, joined: bool = True
) -> float:
    """By what a look's bound is multiplied, as a natural logarithm.

    Args:
        earlier: the looks before this one, in their order.
        images: as :attr:`Look.images`.
        joined: whether several versions of an original could be taken at once; older
            programs took one, so that there were fewer ways.

    Returns:
        At least ln 2.
    """
    number = len(earlier) + 1
    seen: dict[str, set[str]] = {}
    for look in earlier:
        for image_id, own in look.images.items():
            seen.setdefault(image_id, set()).update(own.split(_AND))
    again = [image_id for image_id in images if image_id in seen]
    versions = 0.0
    for one in again:
        taken = set(images[one].split(_AND))
        among = len(seen[one] | taken)
        versions += math.log(among)
        if joined:
            versions += _log_choices(among, len(taken))
    return (
        math.log(number * (number + 1))
        + math.log(len(seen) + 1)
        + _log_choices(len(seen), len(again))
        + versions
    )


def _log_choices(among: int, chosen: int) -> float:
    return (
        math.lgamma(among + 1)
        - math.lgamma(chosen + 1)
        - math.lgamma(among - chosen + 1)
    )
