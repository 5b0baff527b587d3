"""Some originals leaked: a network learns from them how to undo the protection.

In the manner of BridgePure (Wang et al., NeurIPS 2025), which needs the same pairs;
that one trains a diffusion bridge, this one a U-Net that finds the difference.
"""

from __future__ import annotations

from collections.abc import Generator

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext

STEPS = 30_000


class PairLeak(Countermeasure):
    """A U-Net trained on leaked pairs, with shifts and flips, and applied to the rest.

    The leaked originals themselves are trained on as they are.

    Args:
        pairs: how many originals leaked, drawn evenly over the classes.
    """

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs
        self.info = CountermeasureInfo(
            f"pair_leak_{pairs}",
            f"{pairs} leaked originals",
            "in the manner of BridgePure, Wang et al., NeurIPS 2025",
            "leak",
            {"pairs": pairs, "steps": STEPS},
            gpu=True,
            uses=f"{pairs} pairs of originals and protected images",
        )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class.

        Raises:
            InputError: there are fewer images than pairs.
        """
        from fiftyone_reue.auditing.countermeasures.pair_leak_model import (
            leaked_rows,
            undo,
        )

        count = len(holdings.images)
        if count < self.pairs:
            raise InputError(
                f"Use {self.pairs} images or more, or leak fewer pairs: there are "
                f"{count} images for {self.pairs} pairs"
            )
        images = yield from undo(
            holdings.images,
            holdings.originals,
            leaked_rows(holdings.labels, self.pairs, context.seed),
            steps=effort.steps(STEPS, 150),
            small=effort.small,
            context=context,
        )
        return TrainingSet(images, holdings.labels)
