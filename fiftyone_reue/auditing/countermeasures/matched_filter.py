"""Find each class's band of ``rue``, and take away what it would have added."""

from __future__ import annotations

from collections.abc import Generator

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.perturb.rue.bands import SHORTEST

AMPLITUDE = 6
"""Gray levels: of an epsilon of 8, the watermark has two."""


class MatchedFilter(Countermeasure):
    """For a thief who has this package and knows the labels, but no key.

    Nothing is done to images with fewer than ``SHORTEST`` pixels a side, which have no
    bands. No paper: it is the obvious attack on ``rue``, and the audit has to hold it
    against it.
    """

    info = CountermeasureInfo(
        "matched_filter",
        "Bands of rue found by their strength and removed",
        "",
        "purification",
        {"amplitude": AMPLITUDE},
        uses="clean images of the same kind",
    )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class.

        Raises:
            InputError: there are no clean images.
        """
        import torch

        from fiftyone_reue.perturb.rue.matched_filter import learned

        if not len(holdings.clean_images):
            raise InputError(
                "Give the matched filter clean images to learn from; it has none"
            )
        if holdings.size < SHORTEST:
            yield 1.0
            return TrainingSet(holdings.images, holdings.labels)
        device = context.torch_device()
        own, images, labels = (
            torch.from_numpy(array).to(device)
            for array in (holdings.clean_images, holdings.images, holdings.labels)
        )
        thief = learned(own, holdings.classes, AMPLITUDE, seed=context.seed)
        yield 0.3
        made = thief.without(images, labels).cpu().numpy()
        yield 1.0
        return TrainingSet(made, holdings.labels)
