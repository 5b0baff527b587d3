"""Partial protection: some of the images went out unprotected."""

from __future__ import annotations

from collections.abc import Generator

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.countermeasures.dilution import draw_evenly
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext


class PartialProtection(Countermeasure):
    """Originals in the place of some protected images, the same share of each class.

    Args:
        percent: how many of a hundred images stay protected.
    """

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self.info = CountermeasureInfo(
            f"partial_{percent}",
            f"{percent} % protected",
            "",
            "dilution",
            parameters={"protected_percent": percent},
            uses=f"the originals of {100 - percent} % of the images",
        )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class."""
        count = round(len(holdings.labels) * (100 - self._percent) / 100)
        chosen = draw_evenly(holdings.labels, count, context.seed)
        images = holdings.images.copy()
        images[chosen] = holdings.originals[chosen]
        yield 1.0
        return TrainingSet(images, holdings.labels)
